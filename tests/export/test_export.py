from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args, get_type_hints

import pyarrow as pa
import pytest
from round_trip import exported, make, product, products

from drawn_shop import lay_out, tiny
from shelfwise.catalog import Catalog, changing, schema
from shelfwise.errors import CatalogError, OptionError
from shelfwise.export import export
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import ExportOptions, IngestOptions

FORMATS = get_args(get_type_hints(ExportOptions)["format"])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three products with a photo each, in two splits."""
    records = [
        product(str(n), tiny(n), category=("a", "b"), title="t", split=s)
        for n, s in enumerate(("train", "test", "train"))
    ]
    return make(tmp_path_factory.mktemp("small") / "one.catalog", *records, tree=[("a", "b")])


@pytest.fixture
def catalog(small: Path, tmp_path: Path) -> Path:
    shutil.copytree(small, tmp_path / "one.catalog")
    return tmp_path / "one.catalog"


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_writes_a_new_folder_and_counts_its_files(catalog: Path, kind: str):
    summary, out = exported(catalog, kind)
    assert (summary.products, summary.photos, summary.format) == (3, 3, kind)
    assert summary.files == sum(path.is_file() for path in out.rglob("*"))
    assert summary.to_dict()["left_out"] == summary.left_out
    assert sorted(path.name for path in catalog.parent.iterdir()) == ["one.catalog", "out"]


@pytest.mark.parametrize("kind", FORMATS)
def test_some_splits_alone(catalog: Path, kind: str):
    assert exported(catalog, kind, split="train")[0].products == 2
    assert exported(catalog, kind, "other", split="test+train")[0].products == 3


def test_a_split_that_no_product_has_is_an_error_that_lists_those_there_are(catalog: Path):
    with pytest.raises(OptionError, match="--split train\\+val: no product has the split val; there are: test, train"):
        exported(catalog, "csv", split="train+val")


def test_what_exists_is_never_written_into(catalog: Path):
    for name in ("folder", "file", "link"):
        place = catalog.parent / name
        {"folder": place.mkdir, "file": place.touch, "link": lambda at=place: at.symlink_to("nowhere")}[name]()
        with pytest.raises(OptionError, match=f"--to .*{name} exists"):
            exported(catalog, "csv", name)
    assert not list((catalog.parent / "folder").iterdir())


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_that_fails_halfway_leaves_nothing(catalog: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    read = Catalog.image_bytes
    monkeypatch.setattr("shelfwise.export.selection._PHOTOS", 1)
    monkeypatch.setattr(Catalog, "image_bytes", lambda self, rows: [b"rotten" if rows[0] == 2 else read(self, rows)[0]])
    with pytest.raises(CatalogError, match="a photo of '2' is not what was imported"):
        exported(catalog, kind)
    assert [path.name for path in catalog.parent.iterdir()] == ["one.catalog"]


def test_a_photo_that_changed_in_its_place_is_noticed(tmp_path: Path):
    photos = lay_out(tmp_path / "photos", "a/1.jpg", "a/2.jpg")
    ingest(FolderSource(photos), tmp_path / "one.catalog", IngestOptions(in_place=True))
    assert exported(tmp_path / "one.catalog", "csv", "good")[0].photos == 2
    data = bytearray((photos / "a" / "2.jpg").read_bytes())
    data[-10] ^= 1
    (photos / "a" / "2.jpg").write_bytes(data)
    with pytest.raises(CatalogError, match=r"a photo of 'a/2\.jpg' is not what was imported"):
        exported(tmp_path / "one.catalog", "csv", "bad")


def test_a_catalog_without_products_and_a_folder_that_is_none_are_errors(tmp_path: Path):
    with changing(tmp_path / "empty.catalog", "make"):
        pass
    with pytest.raises(CatalogError, match="holds no products"):
        exported(tmp_path / "empty.catalog", "csv")
    with pytest.raises(CatalogError, match="is not a catalog"):
        export(tmp_path / "nothing", tmp_path / "out")


@pytest.mark.parametrize("kind", ["folder", "csv", "parquet", "cdiscount"])
def test_a_category_without_a_name_is_an_error_where_names_count(tmp_path: Path, kind: str):
    catalog = make(tmp_path / "one.catalog", product("1", tiny(1), category=("a", " ")), tree=[("a", " ")])
    with pytest.raises(CatalogError, match="the category 'a/ ' has no name"):
        exported(catalog, kind)


def test_products_keep_their_order_and_photos_theirs_whatever_the_order_of_the_tables(catalog: Path):
    opened = Catalog(catalog)
    with changing(catalog, "shuffle") as change:
        change.replace_products(opened.products().take(pa.array([2, 0, 1])))
        more = opened.images(schema.IMAGES.names).to_pylist()[0]
        change.append_images([more | {"image_id": "0#2", "position": 2}, more | {"image_id": "0#1", "position": 1}])
    summary, out = exported(catalog, "csv")
    lines = (out / "products.csv").read_text().splitlines()[1:]
    assert [line.split(",")[:2] for line in lines] == [
        ["2", "images/2.jpg"],
        ["0", "images/0#0.jpg|images/0#1.jpg|images/0#2.jpg"],
        ["1", "images/1.jpg"],
    ]
    assert summary.photos == 5
    assert [row["product_id"] for row in products(catalog)] == ["2", "0", "1"]


def test_quality_and_quarantined_rows_are_counted_as_left_out(catalog: Path):
    rows = Catalog(catalog).products().to_pylist()
    with changing(catalog, "mark") as change:
        change.replace_products(pa.Table.from_pylist([row | {"quality": "blurred"} for row in rows], schema.PRODUCTS))
        bad = {"source": "s", "stage": "row", "code": "row_columns"}
        change.replace_quarantine(pa.Table.from_pylist([bad], schema.QUARANTINE))
    assert exported(catalog, "parquet")[0].left_out == {"quality": 3, "quarantined rows": 1}


def test_progress_is_told_product_by_product(catalog: Path):
    class Told:
        def task(self, label: str, total: int | None) -> Told:
            self.label, self.total, self.done = label, total, 0
            return self

        def __enter__(self):
            return lambda steps: setattr(self, "done", self.done + steps)

        def __exit__(self, *_: object) -> None:
            pass

    told = Told()
    export(catalog, catalog.parent / "out", ExportOptions(format="cdiscount"), progress=told)
    assert (told.label, told.total, told.done) == ("export cdiscount out", 3, 3)
