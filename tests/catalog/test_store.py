from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_shop import write
from shelfwise.catalog import Catalog
from shelfwise.catalog.schema import CATALOG_FORMAT
from shelfwise.errors import CatalogError
from shelfwise.taxonomy import Node, Taxonomy

TREE = Taxonomy([Node("fruit", "Fruit", None), Node("apple", "Apple", "fruit")], ["top", "fine"])
KEY = "toy-32-fp32"


def product(number: int) -> dict[str, Any]:
    return {"product_id": f"p{number}", "category": "apple", "attributes": ["red", "round"], "split": "train"}


def image(number: int) -> dict[str, Any]:
    picture = bytes([number]) * 10
    return {"image_id": f"i{number}", "product_id": f"p{number}", "position": 0, "bytes": picture, "status": "ok"}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    with Catalog.create(tmp_path / "small.catalog", TREE, {"kind": "test"}) as catalog:
        catalog.append_products([product(number) for number in range(3)])
        catalog.append_images([image(number) for number in range(3)])
    return tmp_path / "small.catalog"


def test_what_was_written_is_read_back(small: Path):
    catalog = Catalog(small)
    assert catalog.taxonomy == TREE
    assert catalog.description["source"] == {"kind": "test"}
    assert [row["product_id"] for row in catalog.products().to_pylist()] == ["p0", "p1", "p2"]
    assert catalog.products(["attributes", "title"]).to_pylist()[0] == {"attributes": ["red", "round"], "title": None}
    assert catalog.images(["image_id", "status"]).to_pylist()[2] == {"image_id": "i2", "status": "ok"}
    assert catalog.image_bytes([2, 0]) == [b"\x02" * 10, b"\x00" * 10]


def test_an_error_inside_leaves_nothing(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), Catalog.create(tmp_path / "x.catalog", TREE, {}) as catalog:
        catalog.append_products([product(1)])
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_seen_under_its_name_before_the_end(tmp_path: Path):
    target = tmp_path / "deep" / "x.catalog"
    with Catalog.create(target, TREE, {}) as catalog:
        catalog.append_products([product(1)])
        with pytest.raises(CatalogError, match="is not a catalog"):
            Catalog(target)
    assert len(Catalog(target).products()) == 1
    assert catalog.path == target
    assert len(catalog.products()) == 1
    assert [path.name for path in target.parent.iterdir()] == ["x.catalog"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_path_that_exists_is_refused_and_left_alone(tmp_path: Path, kind: str):
    target = tmp_path / "x.catalog"
    write(target / "mine.txt" if kind == "folder" else target, b"mine")
    said = r"x\.catalog exists already: choose another name with --to"
    with pytest.raises(CatalogError, match=said), Catalog.create(target, TREE, {}):
        pytest.fail("the block must not be entered")
    assert (target / "mine.txt" if kind == "folder" else target).read_bytes() == b"mine"


def test_a_newer_format_is_refused_with_the_line_to_type_and_today_s_is_read(small: Path):
    description = json.loads((small / "catalog.json").read_text())
    assert description["format"] == CATALOG_FORMAT
    (small / "catalog.json").write_text(json.dumps(description | {"format": CATALOG_FORMAT + 1}))
    with pytest.raises(CatalogError, match="newer shelfwise: upgrade with  pip install -U shelfwise"):
        Catalog(small)


@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"{", b"[]", b"null", b"3", b'"x"', b"{}", b"\xff\xfe{", b"[" * 99999,
        b'{"format": "1"}', b'{"format": null}', b'{"format": 1}',
    ],
)  # fmt: skip
def test_what_is_no_catalog_is_told_in_one_line(tmp_path: Path, content: bytes | None):
    if content is not None:
        write(tmp_path / "x" / "catalog.json", content)
    with pytest.raises(CatalogError) as refused:
        Catalog(tmp_path / "x")
    assert "is not a catalog" in str(refused.value)
    assert "shelfwise ingest" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "damage", ["a table is missing", "its versions are missing", "its data is missing", "a file is cut"]
)
def test_a_damaged_table_is_named_in_one_line(small: Path, damage: str):
    table = small / "images.lance"
    data = next((table / "data").iterdir())
    if damage == "a table is missing":
        shutil.rmtree(table)
    elif damage == "its versions are missing":
        shutil.rmtree(table / "_versions")
    elif damage == "its data is missing":
        data.unlink()
    else:
        data.write_bytes(data.read_bytes()[:-50])
    with pytest.raises(CatalogError) as refused:
        Catalog(small).images(["image_id", "bytes"])
    assert "the table images is missing or damaged" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(Catalog(small).products()) == 3


def vectors(*numbers: int) -> np.ndarray:
    return np.array([[number, number / 7, -number] for number in numbers], dtype=np.float16)


def test_embeddings_are_appended_and_read_back_by_row(small: Path):
    catalog = Catalog(small)
    assert catalog.embedding_ids(KEY).to_pylist() == []
    catalog.append_embeddings(KEY, ["i2", "i0"], vectors(2, 0))
    catalog.append_embeddings(KEY, ["i1"], vectors(1))
    again = Catalog(small)
    assert again.embedding_ids(KEY).to_pylist() == ["i2", "i0", "i1"]
    read = again.embedding_rows(KEY, np.array([2, 0, 2]))
    assert read.dtype == np.float16
    assert read.tobytes() == vectors(1, 2, 1).tobytes()
    assert again.embedding_ids("another-32-fp32").to_pylist() == []


def test_every_commit_raises_the_version_of_its_table_alone(small: Path):
    before = Catalog(small).versions
    assert set(before) == {"images", "products", "taxonomy"}
    Catalog(small).append_products([product(9)])
    Catalog(small).append_embeddings(KEY, ["i0"], vectors(0))
    after = Catalog(small).versions
    assert after["products"] == before["products"] + 1
    assert after["images"] == before["images"]
    assert after[f"embeddings__{KEY}"] == 1


def test_a_table_whose_first_commit_was_killed_counts_as_not_begun(small: Path):
    write(small / f"embeddings__{KEY}.lance" / "data" / "half.lance", b"half")
    write(small / f"embeddings__{KEY}.lance" / "_versions" / "1.manifest#1", b"half")
    catalog = Catalog(small)
    assert catalog.embedding_ids(KEY).to_pylist() == []
    assert f"embeddings__{KEY}" not in catalog.versions
    catalog.append_embeddings(KEY, ["i0"], vectors(5))
    assert catalog.embedding_ids(KEY).to_pylist() == ["i0"]
    assert catalog.embedding_rows(KEY, np.array([0])).tobytes() == vectors(5).tobytes()


def test_files_that_a_killed_write_left_in_a_catalog_are_never_read(small: Path):
    write(small / ".catalog.json.0a1b2c3d.part", b'{"format": 99')
    assert len(Catalog(small).products()) == 3
    Catalog(small).record_embedding([{"card": "a"}])
    assert Catalog(small).description["embedded"] == [[{"card": "a"}]]


def test_the_last_set_of_embeddings_recorded_is_the_newest_and_none_is_kept_twice(small: Path):
    first, second = [{"card": "a"}], [{"card": "b"}, {"card": "c"}]
    one, other = Catalog(small), Catalog(small)
    one.record_embedding(first)
    other.record_embedding(second)  # opened before the first was recorded
    assert Catalog(small).description["embedded"] == [first, second]
    one.record_embedding(first)
    assert Catalog(small).description["embedded"] == [second, first]


WRITER = """
import sys
from shelfwise.catalog import Catalog
import numpy as np
catalog = Catalog(sys.argv[1])
for number in range(int(sys.argv[2])):
    catalog.append_embeddings("toy-32-fp32", [f"r{number}-{k}" for k in range(10)], np.full((10, 3), number, np.float16))
    print(number, flush=True)
"""


def test_a_reader_sees_whole_commits_while_another_process_writes(small: Path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, small, "15"], stdout=subprocess.PIPE, text=True)
    seen = set()
    while writer.poll() is None:
        ids = Catalog(small).embedding_ids(KEY).to_pylist()
        assert len(ids) % 10 == 0
        assert [name.split("-")[0] for name in ids[::10]] == [f"r{number}" for number in range(len(ids) // 10)]
        if ids:
            rows = Catalog(small).embedding_rows(KEY, np.arange(len(ids)))
            assert (rows == np.repeat(np.arange(len(ids) // 10), 10)[:, None]).all()
        seen.add(len(ids))
    assert writer.returncode == 0
    writer.stdout.close()
    assert Catalog(small).embedding_ids(KEY).length() == 150
    assert len(seen) > 2, "the reader never looked while the writer was in the middle"


def test_a_table_opened_before_a_commit_does_not_change_under_the_reader(small: Path):
    catalog = Catalog(small)
    with catalog._table("products") as before:
        catalog.append_products([product(9)])
        assert before.count_rows() == 3
    assert len(catalog.products()) == 4


def test_two_writers_at_once_lose_nothing(small: Path):
    Catalog(small).append_embeddings(KEY, ["first"], vectors(1))
    code = WRITER.replace('f"r{number}-{k}"', 'f"{sys.argv[3]}{number}-{k}"')
    writers = [
        subprocess.Popen([sys.executable, "-c", code, small, "10", name], stdout=subprocess.DEVNULL) for name in "ab"
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    ids = Catalog(small).embedding_ids(KEY).to_pylist()
    assert len(ids) == len(set(ids)) == 201
