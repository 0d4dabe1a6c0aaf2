from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import bson
import pytest
from read_sources import bad_rows, products, table, told

from drawn_shop import GROCERY
from shelfwise.errors import OptionError, SourceError
from shelfwise.formats.rows import BadRow
from shelfwise.ingest.cdiscount import CdiscountSource
from shelfwise.ingest.records import Damage, FilePart, ProductRecord

HEADER = "category_id,category_level1,category_level2,category_level3"
FORMATS = GROCERY.parents[1] / "formats"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    lines = ["10,MUSIC / FILM,CD,POP ", "20,MUSIC / FILM,CD,ROCK", "30,HOME,CD,EMPTY", r"40,HOME,A\B,LAMP"]
    return table(tmp_path / "category_names.csv", HEADER, *lines)


def stored(path: Path, *documents: tuple[int, int | None, int]) -> Path:
    """Write products of (id, category, number of pictures)."""
    with path.open("wb") as file:
        for number, category, count in documents:
            label: dict[str, Any] = {} if category is None else {"category_id": category}
            pictures = [{"picture": f"picture {place} of {number}".encode()} for place in range(count)]
            file.write(bson.encode({"_id": number, **label, "imgs": pictures}))
    return path


def shop(path: Path, count: int = 1000) -> Path:
    return stored(path, *((number, 10 * (1 + number % 3), 1 + number % 2) for number in range(count)))


def ids(source: CdiscountSource) -> list[int]:
    return [int(record.product_id) for record in products(source)]


def content(data: object) -> bytes:
    assert isinstance(data, FilePart)
    return data.path.read_bytes()[data.offset : data.offset + data.length]


def test_a_product_brings_id_category_split_and_its_photos_as_parts_of_the_file(tmp_path: Path, names: Path) -> None:
    source = CdiscountSource(stored(tmp_path / "train.bson", (7, 10, 2), (8, None, 1)), names, split="train")
    assert (source.kind, source.ignored_files, source.facts) == ("cdiscount", 0, {})
    first, second = products(source)
    assert (first.product_id, first.category, first.split, first.where) == ("7", "10", "train", "train.bson, byte 0")
    assert [photo.name for photo in first.photos] == ["7#0", "7#1"]
    assert [content(photo.data) for photo in first.photos] == [b"picture 0 of 7", b"picture 1 of 7"]
    assert (second.product_id, second.category) == ("8", None)
    assert list(source.rows()) == list(source.rows())


def test_inner_nodes_are_told_apart_by_their_path_and_names_are_kept_as_written(tmp_path: Path, names: Path) -> None:
    tree = CdiscountSource(stored(tmp_path / "t.bson", (7, 10, 1)), names).taxonomy
    assert tree.level_names == ("level1", "level2", "level3")
    assert tree.path("10") == (r"MUSIC \/ FILM", r"MUSIC \/ FILM/CD", "10")
    assert tree.names("10") == ("MUSIC / FILM", "CD", "POP ")
    assert tree.path("30") == ("HOME", "HOME/CD", "30")
    assert tree.path("40") == ("HOME", r"HOME/A\\B", "40")


def test_the_tree_of_the_original_has_its_5270_leaves(tmp_path: Path) -> None:
    original = FORMATS / "cdiscount" / "category_names.csv"
    if not original.is_file():
        pytest.skip(f"Cdiscount's category_names.csv is not at {original}: set SHELFWISE_DATA")
    tree = CdiscountSource(stored(tmp_path / "t.bson", (7, None, 1)), original).taxonomy
    seconds = [node for top in tree.children(None) for node in tree.children(top)]
    assert (len(tree.children(None)), len(seconds), len(tree.leaves), tree.depth) == (49, 486, 5270, 3)
    assert len({tree.nodes[node].name for node in seconds}) == 483
    assert tree.names("1000016252")[2] == "POMPE A AIR - DIFFUSEUR D'AIR - "


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["10,A,B,C", "10,A,B,D"], "the category 10 is there a second time"),
        (["x10,A,B,C"], "the id is no whole number"),
        (["010,A,B,C"], "the id is no whole number"),
        (["9" * 5000 + ",A,B,C"], "the id is no whole number"),
        (["10,A,,C"], "a level has no name"),
        (["10,A,B"], "line 2"),
    ],
)
def test_a_tree_that_is_none_is_refused_with_its_line(tmp_path: Path, lines: list[str], words: str) -> None:
    path = stored(tmp_path / "t.bson", (7, 10, 1))
    with pytest.raises(SourceError, match=words):
        CdiscountSource(path, table(tmp_path / "names.csv", HEADER, *lines))
    with pytest.raises(SourceError, match="category_level3"):
        CdiscountSource(path, table(tmp_path / "short.csv", "category_id,category_level1,category_level2", "1,2,3"))


def test_a_category_outside_the_tree_is_a_bad_row_whatever_is_asked_for(tmp_path: Path, names: Path) -> None:
    path = stored(tmp_path / "t.bson", (1, 10, 1), (2, 99, 1), (3, 20, 1))
    wanted = table(tmp_path / "wanted.txt", "20")
    for asked in ({}, {"sample_products": 1}, {"limit_per_category": 1}, {"categories_file": wanted}):
        (bad,) = bad_rows(CdiscountSource(path, names, **asked))  # type: ignore[arg-type]
        assert (bad.code, bad.product_id, bad.text) == ("category_unknown", "2", "{_id: 2, category_id: 99, imgs: [1]}")
        assert bad.where.startswith("t.bson, byte ")


def test_without_a_tree_only_products_without_a_category_are_read(tmp_path: Path) -> None:
    source = CdiscountSource(stored(tmp_path / "test.bson", (1, None, 1), (2, None, 2)), split="test")
    assert [(record.category, record.split) for record in products(source)] == [(None, "test")] * 2
    assert source.taxonomy.leaves == ()
    with pytest.raises(SourceError, match="the product 2 has a category: give --categories"):
        list(CdiscountSource(stored(tmp_path / "t.bson", (1, None, 1), (2, 10, 2))).rows())


def test_bad_documents_and_damage_come_in_the_order_of_the_file(tmp_path: Path, names: Path) -> None:
    good = bson.encode({"_id": 1, "category_id": 10, "imgs": [{"picture": b"x"}]})
    path = tmp_path / "t.bson"
    path.write_bytes(good + bson.encode({"_id": 2, "category_id": 10, "imgs": []}) + good + b"damage" + good)
    kinds = [type(row) for row in CdiscountSource(path, names).rows()]
    assert kinds == [ProductRecord, BadRow, ProductRecord, Damage]
    assert told(CdiscountSource(path, names)) == {f"t.bson, byte {len(good)}": "no_image"}
    kinds = [type(row) for row in CdiscountSource(path, names, salvage=True).rows()]
    assert kinds == [ProductRecord, BadRow, ProductRecord, Damage, ProductRecord]


def test_a_sample_is_the_same_in_any_order_and_grows_by_adding(tmp_path: Path, names: Path) -> None:
    path, documents = shop(tmp_path / "t.bson"), [(n, 10 * (1 + n % 3), 1) for n in range(1000)]
    source = CdiscountSource(path, names, sample_products=100)
    small = ids(source)
    assert len(small) == 100 and small == sorted(small)
    assert source.facts == {"left_out": 900}
    assert ids(source) == small and source.facts == {"left_out": 900}
    backwards = CdiscountSource(stored(tmp_path / "b.bson", *reversed(documents)), names, sample_products=100)
    assert sorted(ids(backwards)) == small
    assert set(small) < set(ids(CdiscountSource(path, names, sample_products=200)))
    assert small != list(range(100))
    assert len(ids(CdiscountSource(path, names, sample_products=5000))) == 1000


def test_a_sample_taken_in_many_steps_is_that_taken_in_one(
    tmp_path: Path, names: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shop(tmp_path / "t.bson")
    asked = [{"sample_products": 50}, {"limit_per_category": 20}, {"limit_per_category": 20, "sample_products": 50}]
    whole = [ids(CdiscountSource(path, names, **one)) for one in asked]
    monkeypatch.setattr("shelfwise.formats.bson_read._BATCH", 7)
    monkeypatch.setattr("shelfwise.ingest.cdiscount._PENDING", 0)
    assert [ids(CdiscountSource(path, names, **one)) for one in asked] == whole
    assert set(whole[2]) < set(whole[1])


def test_the_limit_counts_in_each_category(tmp_path: Path, names: Path) -> None:
    path = stored(tmp_path / "t.bson", *((n, 10 if n < 90 else 20, 1) for n in range(95)))
    source = CdiscountSource(path, names, limit_per_category=10)
    assert Counter(record.category for record in products(source)) == {"10": 10, "20": 5}
    assert source.facts == {"left_out": 80}
    everything = CdiscountSource(path, names, limit_per_category=90)
    assert len(ids(everything)) == 95


def test_only_listed_categories_are_taken(tmp_path: Path, names: Path) -> None:
    path = stored(tmp_path / "t.bson", (1, 10, 1), (2, 20, 1), (3, None, 1), (4, 20, 1))
    source = CdiscountSource(path, names, categories_file=table(tmp_path / "wanted.txt", "20", "", " 30 "))
    assert ids(source) == [2, 4]
    assert source.facts == {"left_out": 2}
    with pytest.raises(SourceError, match=r"line 2: there is no category '22': .* is nearest"):
        CdiscountSource(path, names, categories_file=table(tmp_path / "wrong.txt", "20", "22"))
    with pytest.raises(SourceError, match="lists no category"):
        CdiscountSource(path, names, categories_file=table(tmp_path / "empty.txt", ""))
    with pytest.raises(OptionError, match="needs --categories"):
        CdiscountSource(path, categories_file=table(tmp_path / "wanted.txt", "20"))
    with pytest.raises(OptionError, match="--sample-products 0"):
        CdiscountSource(path, names, sample_products=0)


def test_a_file_that_changes_before_its_end_is_reached_is_refused(tmp_path: Path, names: Path) -> None:
    path = shop(tmp_path / "t.bson")
    source = CdiscountSource(path, names)
    rows = source.rows()
    next(rows)
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceError, match="source_changed"):
        list(rows)
    with pytest.raises(SourceError, match="source_changed"):
        next(source.rows())
    untouched = CdiscountSource(path, names)  # the control: a file that rests
    assert len(list(untouched.rows())) == 1000


def test_a_file_that_grows_or_shrinks_meanwhile_is_refused(tmp_path: Path, names: Path) -> None:
    for change in (10, -10):
        path = shop(tmp_path / "t.bson")
        rows = CdiscountSource(path, names).rows()
        next(rows)
        os.truncate(path, path.stat().st_size + change)
        with pytest.raises(SourceError, match="source_changed"):
            list(rows)
