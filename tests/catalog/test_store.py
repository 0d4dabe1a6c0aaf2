from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from drawn_shop import write
from shelfwise.catalog import Catalog, changing
from shelfwise.catalog.schema import CATALOG_FORMAT, PRODUCTS, QUARANTINE
from shelfwise.errors import CatalogError
from shelfwise.taxonomy import Node, Taxonomy

TREE = Taxonomy([Node("fruit", "Fruit", None), Node("apple", "Apple", "fruit")], ["top", "fine"])
KEY = "toy-32-fp32"


def product(number: int) -> dict[str, Any]:
    return {"product_id": f"p{number}", "category": "apple", "attributes": ["red", "round"], "split": "train"}


def image(number: int) -> dict[str, Any]:
    picture = bytes([number]) * 10
    return {"image_id": f"i{number}", "product_id": f"p{number}", "position": 0, "bytes": picture, "status": "ok"}


def made(path: Path, products: int = 3) -> Path:
    with changing(path, "make") as change:
        change.replace_taxonomy(TREE)
        change.append_products([product(number) for number in range(products)])
        change.append_images([image(number) for number in range(products)])
        change.add_source({"kind": "test"})
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return made(tmp_path / "small.catalog")


def ids(catalog: Path | Catalog) -> list[str]:
    opened = catalog if isinstance(catalog, Catalog) else Catalog(catalog)
    return opened.products(["product_id"]).column("product_id").to_pylist()


def test_what_was_written_is_read_back(small: Path):
    catalog = Catalog(small)
    assert catalog.taxonomy == TREE
    assert catalog.description.snapshot.sources == ({"kind": "test"},)
    assert [row["product_id"] for row in catalog.products().to_pylist()] == ["p0", "p1", "p2"]
    assert catalog.products(["attributes", "title"]).to_pylist()[0] == {"attributes": ["red", "round"], "title": None}
    assert catalog.images(["image_id", "status"]).to_pylist()[2] == {"image_id": "i2", "status": "ok"}
    assert catalog.image_bytes([2, 0]) == [b"\x02" * 10, b"\x00" * 10]
    assert len(catalog.quarantine()) == 0


def test_products_and_images_are_removed_by_id_and_products_take_their_images_along(small: Path):
    with changing(small, "delete") as change:
        change.delete_products(["p1", "it's not there"])
        change.delete_images(["i2"])
    assert ids(small) == ["p0", "p2"]
    assert Catalog(small).images(["image_id"]).column("image_id").to_pylist() == ["i0"]


def test_all_products_and_all_quarantined_rows_are_replaced_by_others(small: Path):
    bad = {"id": "p7", "source": "shop.csv", "place": "line 8", "stage": "row", "code": "label_missing"}
    with changing(small, "replace") as change:
        change.replace_products(pa.Table.from_pylist([product(7)], PRODUCTS))
        change.replace_quarantine(pa.Table.from_pylist([bad], QUARANTINE))
    assert ids(small) == ["p7"]
    assert [row["code"] for row in Catalog(small).quarantine().to_pylist()] == ["label_missing"]


def test_a_table_is_gone_through_in_parts(small: Path):
    parts = list(Catalog(small).batches("products", ["product_id"], rows=2))
    assert [part.num_rows for part in parts] == [2, 1]


def test_a_photo_that_was_left_in_its_file_is_read_from_there_and_named_when_it_is_gone(small: Path, tmp_path: Path):
    photo = write(tmp_path / "photo.jpg", b"0123456789")
    row = image(5) | {"bytes": None, "uri": str(photo), "offset": 2, "length": 4}
    with changing(small, "in place") as change:
        change.append_images([row])
    assert Catalog(small).image_bytes([3, 0]) == [b"2345", b"\x00" * 10]
    photo.unlink()
    with pytest.raises(CatalogError, match=r"photo\.jpg cannot be read any more"):
        Catalog(small).image_bytes([3])


def test_a_newer_format_is_refused_with_the_line_to_type_an_older_one_too_and_today_s_is_read(small: Path):
    description = json.loads((small / "catalog.json").read_text())
    assert description["format"] == CATALOG_FORMAT
    (small / "catalog.json").write_text(json.dumps(description | {"format": CATALOG_FORMAT + 1}))
    with pytest.raises(CatalogError, match="newer shelfwise: upgrade with  pip install -U shelfwise"):
        Catalog(small)
    (small / "catalog.json").write_text(json.dumps(description | {"format": CATALOG_FORMAT - 1}))
    with pytest.raises(CatalogError, match=r"early shelfwise \(format 1\): ingest again"):
        Catalog(small)


def test_a_description_of_which_one_character_changed_is_refused_with_the_place_of_the_earlier_ones(small: Path):
    text = (small / "catalog.json").read_text()
    (small / "catalog.json").write_text(text.replace('"products": 2', '"products": 1'))
    with pytest.raises(CatalogError, match=r"catalog\.json is damaged: its checksum is wrong.*history"):
        Catalog(small)


@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"{", b"[]", b"null", b"3", b'"x"', b"{}", b"\xff\xfe{", b"[" * 99999,
        b'{"format": "1"}', b'{"format": null}',
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


@pytest.mark.parametrize("damage", ["a table is missing", "its versions are missing"])
def test_a_damaged_table_is_named_to_who_would_write_too(small: Path, damage: str):
    shutil.rmtree(small / "images.lance" / ("" if damage == "a table is missing" else "_versions"))
    with pytest.raises(CatalogError, match="the table images is missing or damaged"), changing(small, "write"):
        pytest.fail("the block must not be entered")
    assert ids(small) == ["p0", "p1", "p2"]


def digest(number: int) -> bytes:
    return hashlib.sha256(bytes([number])).digest()


def vectors(*numbers: int) -> np.ndarray:
    return np.array([[number, number / 7, -number] for number in numbers], dtype=np.float16)


def test_embeddings_are_appended_and_read_back_by_row(small: Path):
    catalog = Catalog(small)
    assert catalog.embedded_pictures(KEY).to_pylist() == []
    catalog.append_embeddings(KEY, [digest(2), digest(0)], vectors(2, 0))
    catalog.append_embeddings(KEY, [digest(1)], vectors(1))
    again = Catalog(small)
    assert again.embedded_pictures(KEY).to_pylist() == [digest(2), digest(0), digest(1)]
    read = again.embedding_rows(KEY, np.array([2, 0, 2]))
    assert read.dtype == np.float16
    assert read.tobytes() == vectors(1, 2, 1).tobytes()
    assert again.embedded_pictures("another-32-fp32").to_pylist() == []


def test_every_commit_raises_the_version_of_its_table_alone(small: Path):
    before = Catalog(small).versions
    assert set(before) == {"images", "products", "taxonomy", "quarantine", "corrections"}
    with changing(small, "add") as change:
        change.append_products([product(9)])
    Catalog(small).append_embeddings(KEY, [digest(0)], vectors(0))
    after = Catalog(small).versions
    assert after == before | {"products": before["products"] + 1, f"embeddings__{KEY}": 1}


def test_a_table_whose_first_commit_was_killed_counts_as_not_begun(small: Path):
    write(small / f"embeddings__{KEY}.lance" / "data" / "half.lance", b"half")
    write(small / f"embeddings__{KEY}.lance" / "_versions" / "1.manifest#1", b"half")
    catalog = Catalog(small)
    assert catalog.embedded_pictures(KEY).to_pylist() == []
    assert f"embeddings__{KEY}" not in catalog.versions
    catalog.append_embeddings(KEY, [digest(0)], vectors(5))
    assert catalog.embedded_pictures(KEY).to_pylist() == [digest(0)]
    assert catalog.embedding_rows(KEY, np.array([0])).tobytes() == vectors(5).tobytes()
    assert not (small / f"embeddings__{KEY}.lance" / "data" / "half.lance").exists()


def test_files_that_a_killed_write_left_in_a_catalog_are_never_read_and_go_with_the_next_write(small: Path):
    leftover = write(small / ".catalog.json.0a1b2c3d.part", b'{"format": 99')
    assert len(Catalog(small).products()) == 3
    assert leftover.exists()
    Catalog(small).record_embedding([{"card": "a"}])
    assert Catalog(small).description.embedded == ([{"card": "a"}],)
    assert not leftover.exists()


def test_the_last_set_of_embeddings_recorded_is_the_newest_and_none_is_kept_twice(small: Path):
    first, second = [{"card": "a"}], [{"card": "b"}, {"card": "c"}]
    one, other = Catalog(small), Catalog(small)
    one.record_embedding(first)
    other.record_embedding(second)  # opened before the first was recorded
    assert Catalog(small).description.embedded == (first, second)
    one.record_embedding(first)
    assert Catalog(small).description.embedded == (second, first)


def test_embeddings_and_a_change_that_is_made_meanwhile_keep_each_other(small: Path):
    with changing(small, "add") as change:
        change.append_products([product(9)])
        Catalog(small).append_embeddings(KEY, [digest(1)], vectors(1))
        Catalog(small).record_embedding([{"card": "a"}])
    assert ids(small) == ["p0", "p1", "p2", "p9"]
    assert Catalog(small).embedded_pictures(KEY).to_pylist() == [digest(1)]
    assert Catalog(small).description.embedded == ([{"card": "a"}],)


WRITER = """
import hashlib, sys
from shelfwise.catalog import Catalog
import numpy as np
catalog = Catalog(sys.argv[1])
for number in range(int(sys.argv[2])):
    names = [hashlib.sha256(f"{sys.argv[3]}{number}-{k}".encode()).digest() for k in range(10)]
    catalog.append_embeddings("toy-32-fp32", names, np.full((10, 3), number, np.float16))
    print(number, flush=True)
"""


def test_a_reader_sees_whole_commits_while_another_process_writes(small: Path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, small, "15", "r"], stdout=subprocess.PIPE, text=True)
    expected = [hashlib.sha256(f"r{number}-{k}".encode()).digest() for number in range(15) for k in range(10)]
    seen = set()
    while writer.poll() is None:
        found = Catalog(small).embedded_pictures(KEY).to_pylist()
        assert len(found) % 10 == 0
        assert found == expected[: len(found)]
        if found:
            rows = Catalog(small).embedding_rows(KEY, np.arange(len(found)))
            assert (rows == np.repeat(np.arange(len(found) // 10), 10)[:, None]).all()
        seen.add(len(found))
    assert writer.returncode == 0
    writer.stdout.close()
    assert Catalog(small).embedded_pictures(KEY).to_pylist() == expected
    assert len(seen) > 2, "the reader never looked while the writer was in the middle"


def test_a_catalog_opened_before_a_change_does_not_change_under_the_reader(small: Path):
    catalog = Catalog(small)
    with changing(small, "add") as change:
        change.append_products([product(9)])
    assert len(catalog.products()) == 3
    assert len(Catalog(small).products()) == 4


def test_two_writers_at_once_lose_nothing(small: Path):
    Catalog(small).append_embeddings(KEY, [digest(1)], vectors(1))
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, small, "10", name], stdout=subprocess.DEVNULL) for name in "ab"
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    found = Catalog(small).embedded_pictures(KEY).to_pylist()
    assert len(found) == len(set(found)) == 201
