"""Several processes at one catalog: writers wait or are told by whom, readers see whole versions."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import kill_jobs
import pyarrow.compute as pc
import pytest
from catalog_state import copied, logical_digest, untidy
from scoreboard import record, tier

from drawn_shop import tiny, write
from shelfwise.catalog import Catalog, changing
from shelfwise.errors import CatalogBusyError, CatalogError
from shelfwise.ingest import FolderSource, ingest

pytestmark = pytest.mark.slow

SEED = 7
WRITERS, CHANGES = 4, 50 if tier() == "pr" else 500
READS = 100 if tier() == "pr" else 1000


def started(job: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, kill_jobs.__file__, job, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def shelfwise(*arguments: object) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).with_name("shelfwise")), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("writers")
    for number in range(3):
        write(place / "photos" / "a" / f"{number}.jpg", tiny(number))
    ingest(FolderSource(place / "photos"), place / "small.catalog")
    return place / "small.catalog"


@pytest.fixture
def catalog(small: Path, tmp_path: Path) -> Path:
    return copied(small, tmp_path / "x.catalog")


def written_at_once(catalog: Path, changes: int, *variant: str) -> tuple[list[str], list[str]]:
    """Have processes add products one by one; return the ids that are there in the end, and what went wrong."""
    job = (*variant, "add")
    writers = [started(job[0], *job[1:], catalog, f"w{number}", changes) for number in range(WRITERS)]
    said = [writer.communicate()[1] for writer in writers]
    wrong = [text for writer, text in zip(writers, said, strict=True) if writer.returncode]
    try:
        ids = Catalog(catalog).products(["product_id"]).column("product_id").to_pylist()
    except CatalogError as error:
        return [], [*wrong, str(error)]
    return [name for name in ids if name.startswith("w")], wrong


def test_four_processes_that_write_at_once_lose_no_change_and_make_none_twice(catalog: Path):
    begun = time.monotonic()
    ids, wrong = written_at_once(catalog, CHANGES)
    expected = {f"w{writer}-{number}" for writer in range(WRITERS) for number in range(CHANGES)}
    lost, twice = expected - set(ids), len(ids) - len(set(ids))
    failures = len(lost) + twice + len(wrong)
    record(f"T7 {WRITERS} writers", len(expected), failures, time.monotonic() - begun, SEED, "writers without the lock")
    assert not wrong, wrong[0]
    assert (lost, twice) == (set(), 0)
    assert untidy(catalog) == []
    assert len(list((catalog / "history").iterdir())) == 10
    assert Catalog(catalog).description.snapshot.version == 1 + len(expected)


def test_writers_without_the_lock_are_seen_to_lose_changes_or_to_fail(catalog: Path):
    ids, wrong = written_at_once(catalog, 10, "without_lock")
    assert wrong or len(set(ids)) < WRITERS * 10


def test_of_two_ingests_into_one_catalog_the_second_is_told_at_once_by_whom_and_can_be_typed_again(tmp_path: Path):
    for number in range(60):
        for name in ("one",) * (number < 50) + ("two",) * (number >= 20):
            write(tmp_path / name / "a" / f"{number}.jpg", tiny(number))
    catalog = tmp_path / "x.catalog"
    first = shelfwise("ingest", "folder", tmp_path / "one", "--to", catalog)
    lock = catalog / ".locks" / "writer"
    while not (lock.exists() and lock.read_text().endswith("}")):
        time.sleep(0.002)
    first.send_signal(signal.SIGSTOP)  # a long import, whatever this machine's speed
    begun = time.monotonic()
    second = shelfwise("ingest", "folder", tmp_path / "two", "--to", catalog)
    said, seconds = second.communicate()[1], time.monotonic() - begun
    first.send_signal(signal.SIGCONT)
    first.communicate()
    assert first.returncode == 0
    assert second.returncode == 2
    expected = (
        rf"is being changed by ingest folder one \(process {first.pid} on {re.escape(socket.gethostname())}, since 20"
    )
    assert re.search(expected, said), said
    assert seconds <= 2 + START_S
    assert len(Catalog(catalog).products()) == 50
    again = ingest(FolderSource(tmp_path / "two"), catalog)
    assert (again.added, again.unchanged, again.products) == (10, 30, 60)
    assert untidy(catalog) == []


# What starting the interpreter may take on a busy machine, beyond the second for which an ingest waits.
START_S = 2.0


def test_a_reader_sees_products_and_images_of_one_version_while_others_write(catalog: Path):
    begun = time.monotonic()
    writers = [started("add", catalog, name, READS) for name in ("x", "y")]
    torn, versions = [], set()
    while Catalog(catalog).description.snapshot.version == 1:
        time.sleep(0.01)
    for _ in range(READS):
        time.sleep(0.01)
        opened = Catalog(catalog)
        versions.add(opened.description.snapshot.version)
        products = opened.products(["product_id"]).column("product_id").to_pylist()
        images = opened.images(["product_id"]).column("product_id").to_pylist()
        if sorted(products) != sorted(images) or len(products) != opened.description.snapshot.version + 2:
            torn.append((products, images))
    assert any(writer.poll() is None for writer in writers), "the writers were done before the reader"
    for writer in writers:
        writer.kill()
        writer.communicate()
    record("T7 reads while others write", READS, len(torn), time.monotonic() - begun, SEED, "counts of another version")
    assert torn == []
    assert len(versions) > 5


def test_who_reads_images_of_another_version_than_products_is_caught(catalog: Path):
    before = Catalog(catalog)
    writer = started("add", catalog, "x", 1)
    writer.communicate()
    assert writer.returncode == 0
    after = Catalog(catalog)
    ids = [opened.images(["product_id"]).column("product_id") for opened in (before, after)]
    assert not pc.all(pc.is_in(ids[1], ids[0].combine_chunks())).as_py()


def test_the_right_to_write_of_a_killed_process_is_free_at_once(catalog: Path):
    holder = started("hold", catalog, 600)
    assert holder.stdout and holder.stdout.readline() == "holding\n"
    said = rf"is being changed by hold \(process {holder.pid} on "
    with pytest.raises(CatalogBusyError, match=said), changing(catalog, "wait", wait_s=0.1):
        pytest.fail("the block must not be entered")
    holder.kill()
    begun = time.monotonic()
    with changing(catalog, "next", wait_s=5.0) as change:
        change.append_products([{"product_id": "next"}])
    assert time.monotonic() - begun <= 5
    holder.communicate()
    assert len(Catalog(catalog).products()) == 4


def test_a_lock_file_that_names_a_process_on_another_host_is_no_obstacle_when_nobody_holds_it(catalog: Path):
    holder = {"pid": 1, "host": "elsewhere", "since": "2026-01-01T00:00:00+00:00", "doing": "ingest"}
    (catalog / ".locks" / "writer").write_text(json.dumps(holder) + " " * 1000)
    before = logical_digest(catalog)
    with changing(catalog, "look", wait_s=0.0):
        said = json.loads((catalog / ".locks" / "writer").read_text())
        assert (said["host"], said["doing"]) == (socket.gethostname(), "look")
    assert logical_digest(catalog) == before


def test_a_first_ingest_that_fails_does_not_take_away_what_the_next_one_in_line_has_begun(tmp_path: Path):
    catalog = tmp_path / "x.catalog"
    with pytest.raises(ZeroDivisionError), changing(catalog, "first") as change:
        change.append_products([{"product_id": "lost"}])
        next_one = started("add", catalog, "next", 1)
        time.sleep(1.5)  # it waits for us by now
        raise ZeroDivisionError
    said = next_one.communicate()
    assert next_one.returncode == 0, said
    assert Catalog(catalog).products(["product_id"]).to_pylist() == [{"product_id": "next-0"}]
    assert untidy(catalog) == []
