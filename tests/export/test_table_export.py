from __future__ import annotations

import csv
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from round_trip import assert_equal, exported, images, make, make_undecoded, product, read_back, source_of, told

from drawn_files import encodings
from drawn_shop import tiny
from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError
from shelfwise.export import parquet as parquet_export
from shelfwise.export import selection
from shelfwise.ingest.records import ProductRecord
from shelfwise.ingest.tree import taxonomy_of_names

TREE = [("=SUM(A1)", "a/b"), ("NA",), ("NA", "'quoted", 'an "inch"'), ("Äpfel", "line\nbreak")]
NASTY = [
    "=1+1",
    "+1",
    "-1",
    "@x",
    "\tx",
    "\rx",
    "'x",
    "''=x",
    '"',
    "a,b;c|d",
    "two\r\nlines",
    "NA",
    "null",
    "007",
    " x ",
    "\ufeffx",
]
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1f")
TEXTS = (st.sampled_from(NASTY) | st.text(LETTERS, min_size=1, max_size=12)).filter(str.strip)
MAYBE = st.none() | TEXTS


@st.composite
def catalogs(draw: st.DrawFn) -> list[ProductRecord]:
    ids = draw(
        st.lists(TEXTS | st.sampled_from(["a", "a#0", "A", "a/b", "a%2Fb", "."]), min_size=1, max_size=6, unique=True)
    )
    return [
        product(
            product_id,
            *map(tiny, draw(st.lists(st.integers(0, 3), max_size=3))),
            category=draw(st.none() | st.sampled_from(TREE)),
            title=draw(MAYBE),
            description=draw(MAYBE),
            group=draw(MAYBE),
            split=draw(MAYBE),
            attributes=tuple(draw(st.lists(TEXTS, max_size=3, unique=True))),
        )
        for product_id in ids
    ]


def everything(folder: Path) -> Path:
    """A catalog that has all that a table can hold, each in its hardest form."""
    png, gif = encodings()["png"], encodings()["gif"]
    return make(
        folder / "one.catalog",
        product("=cmd|' /C calc'!A0", tiny(1), png, tiny(2), category=TREE[0], title="=HYPERLINK(\"x\")", split="train"),
        product("a/b", gif, category=TREE[1], description="two\r\nlines, \"quoted\"", attributes=("red", "wool"), split="test"),
        product("a%2Fb", tiny(3), category=TREE[2], title="'apostrophe", group="g 1", attributes=("wool",)),
        product("no category", tiny(4), title="Größe 38"),
        product("no photo", category=TREE[3], title="-5 °C"),
        tree=TREE,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_catalog_with_everything_comes_back_row_for_row(tmp_path: Path, kind: str):
    catalog = everything(tmp_path)
    summary, _ = exported(catalog, kind)
    assert (summary.products, summary.photos, summary.left_out, summary.notes) == (5, 6, {}, {})
    assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)


@settings(max_examples=10, deadline=None)
@given(records=catalogs())
def test_any_catalog_comes_back_as_it_was(records: list[ProductRecord]):
    with tempfile.TemporaryDirectory() as folder:
        catalog = make_undecoded(Path(folder) / "one.catalog", records, TREE)
        expected = told(records, taxonomy_of_names(TREE))
        for kind in ("csv", "parquet"):
            summary, _ = exported(catalog, kind, kind)
            source = source_of(summary.ingest[0], summary)
            assert told(source.rows(), source.taxonomy) == expected
            assert summary.products == len(records)


def test_that_comparison_sees_an_apostrophe_too_many(tmp_path: Path):
    records = [product("1", title="=1")]
    summary, _ = exported(make_undecoded(tmp_path / "one.catalog", records, []), "csv")
    careless = [word for word in summary.ingest[0] if word != "--escaped"]
    source = source_of(careless, summary)
    assert [row["title"] for row in told(source.rows(), source.taxonomy)] == ["'=1"]


def test_python_s_csv_reads_the_cells_with_formulas_made_harmless(tmp_path: Path):
    _, out = exported(everything(tmp_path), "csv")
    with (out / "products.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        rows = list(reader)
    assert reader.fieldnames == [
        "product_id", "images", "title", "description", "level1", "level2", "level3", "attributes", "group", "split"
    ]  # fmt: skip
    assert rows[0]["product_id"] == "'=cmd|' /C calc'!A0"
    assert rows[0]["title"] == '\'=HYPERLINK("x")'
    assert rows[4]["title"] == "'-5 °C"
    assert [rows[0][level] for level in ("level1", "level2", "level3")] == ["'=SUM(A1)", "a/b", ""]
    assert rows[1]["attributes"] == "red wool"
    assert not any(cell[:1] in ("=", "+", "-", "@", "\t", "\r") for row in rows for cell in row.values())
    photos = [(out / name).read_bytes() for name in rows[0]["images"].split("|")]
    assert photos == [tiny(1), encodings()["png"], tiny(2)]
    assert [Path(name).suffix for name in rows[0]["images"].split("|")] == [".jpg", ".png", ".jpg"]
    assert rows[4]["images"] == ""


def test_pyarrow_reads_the_pictures_as_hugging_face_has_them(tmp_path: Path):
    _, out = exported(everything(tmp_path), "parquet")
    rows = parquet.read_table(out / "products.parquet").to_pylist()
    assert [picture["bytes"] for picture in rows[0]["images"]] == [tiny(1), encodings()["png"], tiny(2)]
    assert set(rows[0]["images"][0]) == {"bytes", "path"}
    assert rows[0]["title"] == '=HYPERLINK("x")'
    assert rows[1]["attributes"] == ["red", "wool"]
    assert rows[3]["level1"] is None
    assert rows[4]["images"] == []


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_titles_alone_are_a_table_too(tmp_path: Path, kind: str):
    catalog = make(
        tmp_path / "one.catalog", product("1", title="a"), product("2", title="b", category=("x",)), tree=[("x",)]
    )
    summary, out = exported(catalog, kind)
    assert (summary.products, summary.photos, summary.files) == (2, 0, 1)
    assert "--image" not in summary.ingest[0]
    assert not (out / "images").exists()
    assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_levels_keep_their_names_unless_a_column_has_them(tmp_path: Path, kind: str):
    for number, (names, columns) in enumerate(
        [
            (("top", "fine"), ["top", "fine"]),
            (("title", "fine"), ["level1", "level2"]),
            (("=a", "b"), ["level1", "level2"]),
        ]
    ):
        to = tmp_path / f"{number}.catalog"
        catalog = make(to, product("1", title="t", category=("a", "b")), tree=[("a", "b")], level_names=names)
        summary, _ = exported(catalog, kind, f"{kind}{number}")
        assert [
            summary.ingest[0][place + 1] for place, word in enumerate(summary.ingest[0]) if word == "--category"
        ] == columns
        assert summary.notes == ({} if columns == list(names) else {"level names that a column cannot have": 2})


def test_attributes_are_kept_apart_by_what_none_of_them_holds(tmp_path: Path):
    marks = {("red", "wool"): " ", ("dark red", "wool"): "|", ("a b|c", "d"): ";", ("a b|c;d", "e,f/g"): "\t"}
    for number, (attributes, mark) in enumerate(marks.items()):
        records = [product("1", attributes=attributes)]
        summary, _ = exported(make_undecoded(tmp_path / f"{number}.catalog", records, []), "csv", f"out{number}")
        assert summary.ingest[0][-2:] == ["--attributes-separator", mark]
        source = source_of(summary.ingest[0], summary)
        assert told(source.rows(), source.taxonomy)[0]["attributes"] == attributes
    records = [product("1", attributes=(" |;,/\t\x1f",))]
    with pytest.raises(CatalogError, match="parquet"):
        exported(make_undecoded(tmp_path / "x.catalog", records, []), "csv")


def test_cells_that_no_reader_takes_are_counted(tmp_path: Path):
    records = [product("1", title="x" * 131_072), product("2", title="x" * 131_073), product("3", title="a\0b")]
    summary, _ = exported(make_undecoded(tmp_path / "one.catalog", records, []), "csv")
    source = source_of(summary.ingest[0], summary)
    refused = [row.product_id for row in source.rows() if isinstance(row, ProductRecord)]
    assert refused == ["1"]
    assert list(summary.notes.values()) == [2]


def test_what_is_quarantined_or_never_arrived_is_counted(tmp_path: Path):
    catalog = make(tmp_path / "one.catalog", product("1", tiny(1), b"<html>", tiny(2)), tree=[])
    summary, _ = exported(catalog, "parquet")
    assert (summary.photos, summary.left_out) == (2, {"quarantined photos": 1})
    again = read_back(summary, tmp_path / "two.catalog")
    assert [row["sha256"] for row in images(again)] == [hashlib.sha256(tiny(n)).digest() for n in (1, 2)]
    assert [row["position"] for row in images(again)] == [0, 1]


def test_categories_without_products_are_counted(tmp_path: Path):
    catalog = make(
        tmp_path / "one.catalog", product("1", tiny(1), category=("a", "b")), tree=[("a", "b"), ("a", "c"), ("d",)]
    )
    for kind in ("csv", "parquet", "folder"):
        assert exported(catalog, kind, kind)[0].left_out == {"categories without products": 2}


@pytest.mark.parametrize(("kind", "bound", "value", "most"), [("csv", "_PHOTOS", 4, 6), ("parquet", "_BYTES", 1, 3)])
def test_blocks_stay_small_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, bound: str, value: int, most: int
):
    records = [product(str(number), *map(tiny, range(number % 4))) for number in range(40)]
    catalog = make_undecoded(tmp_path / "one.catalog", records, [])
    whole, _ = exported(catalog, kind, "whole")
    sizes: list[int] = []
    read = Catalog.image_bytes

    def watched(self: Catalog, rows: Any) -> list[bytes]:
        sizes.append(len(rows))
        return read(self, rows)

    monkeypatch.setattr(Catalog, "image_bytes", watched)
    monkeypatch.setattr(selection, bound, value)
    monkeypatch.setattr(parquet_export, "_ROWS", 7)
    small, out = exported(catalog, kind, "small")
    assert max(sizes) <= most  # a block is full with the product that fills it, of 3 photos at most
    assert sum(sizes) == small.photos == whole.photos == 60
    for summary in (whole, small):
        source = source_of(summary.ingest[0], summary)
        assert told(source.rows(), source.taxonomy) == told(records, source.taxonomy)
    if kind == "parquet":
        file = parquet.ParquetFile(out / "products.parquet")
        assert [file.metadata.row_group(number).num_rows for number in range(6)] == [7, 7, 7, 7, 7, 5]
