from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
from pathlib import Path

import lance
import pytest
from test_store import TREE, ids, made, product

from drawn_shop import run_python, write
from shelfwise.catalog import Catalog, changing, undo
from shelfwise.catalog.lock import only_one
from shelfwise.errors import CatalogBusyError, CatalogError, DiskFullError, SourceError
from shelfwise.taxonomy import Taxonomy


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return made(tmp_path / "small.catalog")


def add(catalog: Path, number: int) -> None:
    with changing(catalog, f"add {number}") as change:
        change.append_products([product(number)])


def files(catalog: Path) -> dict[str, str]:
    """Every file below a catalog but for locks and Lance's hints, with its sha256."""
    found = {str(p.relative_to(catalog)): p for p in catalog.rglob("*") if p.is_file()}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in found.items()
        if ".locks" not in name and not name.endswith("hint.json")
    }


def checksums(catalog: Path) -> dict[str, str]:
    """What the catalog has written down of its tables' files."""
    return {
        f"{file.stem}.lance/{name}": digest
        for file in (catalog / "checksums").glob("*.json")
        for name, digest in json.loads(file.read_text())["files"].items()
    }


def of_tables(found: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in found.items() if ".lance/" in name}


def test_an_error_in_the_first_change_leaves_nothing(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), changing(tmp_path / "x.catalog", "make") as change:
        change.append_products([product(1)])
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ZeroDivisionError, SourceError, DiskFullError, KeyboardInterrupt])
def test_an_error_in_a_later_change_takes_it_back_and_the_next_one_removes_its_rows(small: Path, error: type):
    before = Catalog(small).products()
    said, stored = (small / "catalog.json").read_bytes(), of_tables(files(small))
    with pytest.raises(error), changing(small, "change") as change:
        change.delete_products(["p0"])
        change.append_products([product(8)])
        raise error
    assert (small / "catalog.json").read_bytes() == said
    assert Catalog(small).products() == before
    with changing(small, "look"):
        pass
    assert (small / "catalog.json").read_bytes() == said
    assert of_tables(files(small)) == stored
    add(small, 9)
    assert ids(small) == ["p0", "p1", "p2", "p9"]


def test_nothing_is_seen_before_the_end(tmp_path: Path, small: Path):
    target = tmp_path / "deep" / "x.catalog"
    with changing(target, "make") as change:
        assert change.catalog is None
        change.append_products([product(1)])
        with pytest.raises(CatalogError, match=r"is being changed by \w+ \(process"):
            Catalog(target)
        assert ids(change.so_far()) == ["p1"]
    assert ids(target) == ["p1"]
    assert [path.name for path in target.parent.iterdir()] == ["x.catalog"]
    with changing(small, "add") as change:
        change.append_products([product(9)])
        assert ids(small) == ids(change.catalog) == ["p0", "p1", "p2"]
        assert ids(change.so_far()) == ["p0", "p1", "p2", "p9"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_path_that_is_something_else_is_refused_and_left_alone(tmp_path: Path, kind: str):
    target = tmp_path / "x.catalog"
    mine = write(target / "mine.txt" if kind == "folder" else target, b"mine")
    said = r"x\.catalog exists and is no catalog: choose another name, or remove it first"
    with pytest.raises(CatalogError, match=said), changing(target, "make"):
        pytest.fail("the block must not be entered")
    assert mine.read_bytes() == b"mine"
    assert [path.name for path in tmp_path.rglob("*")] == (
        ["x.catalog", "mine.txt"] if kind == "folder" else ["x.catalog"]
    )


def test_a_change_without_a_change_writes_nothing(small: Path):
    before = files(small)
    with changing(small, "nothing") as change:
        change.replace_taxonomy(TREE)
        change.add_source({"kind": "test"})
    assert files(small) == before


def test_other_names_of_the_levels_alone_are_a_change_that_can_be_taken_back(small: Path):
    with changing(small, "rename") as change:
        change.replace_taxonomy(Taxonomy(TREE.nodes.values(), ["aisle", "shelf"]))
    assert Catalog(small).taxonomy.level_names == ("aisle", "shelf")
    undo(small)
    assert Catalog(small).taxonomy == TREE


def test_every_file_of_every_table_has_its_checksum_after_every_change(small: Path):
    assert checksums(small) == of_tables(files(small))
    for number in range(10, 25):
        add(small, number)
        assert checksums(small) == of_tables(files(small))
    undo(small)
    assert checksums(small) == of_tables(files(small))


def test_a_first_change_that_was_killed_early_leaves_no_checksum_of_its_own(tmp_path: Path):
    """A table begun anew has files with the names of the killed one's, and other content."""
    catalog = tmp_path / "x.catalog"
    write(catalog / "quarantine.lance" / "_versions" / "18446744073709551614.manifest", b"of the killed one")
    write(catalog / "checksums" / ".products.json.0a1b2c3d.part", b"{")
    digests = {"files": {"_versions/18446744073709551614.manifest": "0" * 64}}
    content = json.dumps(digests, sort_keys=True, ensure_ascii=False).encode()
    sealed = digests | {"sha256": hashlib.sha256(content).hexdigest()}
    write(catalog / "checksums" / "quarantine.json", json.dumps(sealed).encode())
    made(catalog)
    assert checksums(catalog) == of_tables(files(catalog))
    assert list(catalog.rglob("*.part")) == []


def test_files_that_no_commit_knows_are_removed_by_the_next_change(small: Path):
    leftovers = [
        write(small / "products.lance" / "data" / ".tmpAbCdEf", b"half"),
        write(small / "images.lance" / "_versions" / "18446744073709551000.manifest", b"half"),
        write(small / "checksums" / ".images.json.0a1b2c3d.part", b"{"),
        write(small / ".pending.json.0a1b2c3d.part", b"{"),
        write(small / "history" / ".1.json.0a1b2c3d.part", b"{"),
    ]
    assert ids(small) == ["p0", "p1", "p2"]
    with changing(small, "look"):
        pass
    assert [path for path in leftovers if path.exists()] == []


KILLED = """
import os, signal, sys
from shelfwise.catalog import changing
with changing(sys.argv[1], "import", key=sys.argv[2] or None) as change:
    for number in range(100, 104):
        change.append_products([{"product_id": f"p{number}"}])
        if number == 102:
            change.keep(sys.argv[2])
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("new", [True, False])
def test_work_of_the_same_key_goes_on_after_a_kill_from_what_was_kept(tmp_path: Path, small: Path, new: bool):
    catalog, before = (tmp_path / "new.catalog", []) if new else (small, ["p0", "p1", "p2"])
    assert run_python(KILLED, catalog, "import-7").returncode == -signal.SIGKILL
    if new:
        with pytest.raises(CatalogError, match="was interrupted: type its command again, it goes on"):
            Catalog(catalog)
    else:
        assert ids(catalog) == before
    with changing(catalog, "import", key="import-7") as change:
        assert ids(change.so_far()) == [*before, "p100", "p101", "p102"]
    assert ids(catalog) == [*before, "p100", "p101", "p102"], "what was kept is published though nothing came after it"
    assert not (catalog / "pending.json").exists()
    assert checksums(catalog) == of_tables(files(catalog))


def test_work_of_another_key_or_of_another_version_begins_from_what_is_published(small: Path, tmp_path: Path):
    assert run_python(KILLED, small, "import-7").returncode == -signal.SIGKILL
    kept = shutil.copy(small / "pending.json", tmp_path / "pending.json")
    with changing(small, "import", key="import-8") as change:
        assert ids(change.so_far()) == ["p0", "p1", "p2"]
        change.append_products([product(8)])
    assert ids(small) == ["p0", "p1", "p2", "p8"]
    shutil.copy(kept, small / "pending.json")
    with changing(small, "import", key="import-7") as change:
        assert ids(change.so_far()) == ["p0", "p1", "p2", "p8"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"key": "k"}', b'{"key": "k", "base": 1, "tables": 3}']
)
def test_a_note_of_interrupted_work_that_is_damaged_counts_as_none(small: Path, content: bytes):
    write(small / "pending.json", content)
    with changing(small, "import", key="k") as change:
        assert ids(change.so_far()) == ["p0", "p1", "p2"]
    assert not (small / "pending.json").exists()


def test_an_interruption_keeps_what_was_kept_and_a_broken_source_does_not(small: Path):
    for error, there in ((KeyboardInterrupt, True), (DiskFullError, True), (SourceError, False)):
        with pytest.raises(error), changing(small, "import", key="k") as change:
            if len(change.so_far().products()) == 3:
                change.append_products([product(50)])
            change.keep("k")
            raise error
        assert (small / "pending.json").exists() == there
    assert ids(small) == ["p0", "p1", "p2"]


def test_undo_goes_back_one_change_and_says_which(small: Path):
    add(small, 7)
    with changing(small, "delete") as change:
        change.delete_products(["p0", "p1"])
        change.add_source({"kind": "other"})
    left, target = undo(small)
    assert (left.what, target.what) == ("delete", "add 7")
    assert ids(small) == ["p0", "p1", "p2", "p7"]
    assert Catalog(small).images(["image_id"]).num_rows == 3
    assert Catalog(small).description.snapshot.sources == ({"kind": "test"},)
    undo(small)
    assert ids(small) == ["p0", "p1", "p2"]
    with pytest.raises(CatalogError, match="has no earlier version: this is how it began"):
        undo(small)
    add(small, 8)
    assert ids(small) == ["p0", "p1", "p2", "p8"]
    undo(small)
    assert ids(small) == ["p0", "p1", "p2"]


def test_ten_changes_can_be_taken_back_and_the_rows_of_older_ones_leave_the_disk(small: Path):
    for number in range(100, 115):
        add(small, number)
    history = sorted(int(path.stem) for path in (small / "history").iterdir())
    assert history == list(range(6, 16))
    versions = [version["version"] for version in lance.dataset(str(small / "products.lance")).versions()]
    assert len(versions) == 11, "ten to go back to, and today's"
    for number in range(115, 105, -1):
        assert ids(small)[-1] == f"p{number - 1}"
        undo(small)
    assert ids(small)[-1] == "p104"
    with pytest.raises(CatalogError, match="no earlier version"):
        undo(small)


def test_rows_that_were_replaced_long_ago_leave_the_disk(small: Path):
    with changing(small, "much") as change:
        change.append_images(
            [{"image_id": "big", "product_id": "big", "position": 0, "status": "ok", "bytes": os.urandom(10**6)}]
        )
    with changing(small, "less") as change:
        change.delete_images(["big"])

    def size() -> int:
        return sum(path.stat().st_size for path in (small / "images.lance").rglob("*") if path.is_file())

    assert size() > 10**6, "one can go back to it"
    for number in range(100, 112):
        add(small, number)
    assert size() < 10**5
    assert Catalog(small).image_bytes([0, 2]) == [b"\x00" * 10, b"\x02" * 10]


def test_a_history_that_is_damaged_is_named(small: Path):
    add(small, 7)
    (small / "history" / "1.json").write_text("{")
    with pytest.raises(CatalogError, match=r"history/1\.json is missing or damaged"):
        undo(small)
    assert ids(small) == ["p0", "p1", "p2", "p7"]


def test_who_holds_the_catalog_is_told_with_process_host_time_and_what_it_does(small: Path):
    with changing(small, "ingest folder photos"):
        with pytest.raises(CatalogBusyError) as busy, changing(small, "split", wait_s=0.05):
            pytest.fail("the block must not be entered")
        said = str(busy.value)
    assert f"{small} is being changed by ingest folder photos (process {os.getpid()} on {socket.gethostname()}" in said
    assert "wait until it is done, or stop it, and try again" in said
    with changing(small, "split", wait_s=0.0):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff"])
def test_a_lock_that_says_nothing_of_its_holder_is_held_all_the_same(tmp_path: Path, content: bytes):
    lock = tmp_path / "x.catalog" / ".locks" / "writer"
    with only_one(lock, "first"):
        lock.write_bytes(content)
        with pytest.raises(CatalogBusyError, match="is being changed by another process"), only_one(lock, "next", 0.05):
            pytest.fail("the block must not be entered")


def test_embeddings_of_one_kind_are_computed_by_one_process_at_a_time(small: Path):
    said = "is being changed by embed a"
    with Catalog(small).embedding_writer("a"), pytest.raises(CatalogBusyError, match=said):
        with Catalog(small).embedding_writer("b"):
            pass
        with Catalog(small).embedding_writer("a"):
            pytest.fail("the block must not be entered")
