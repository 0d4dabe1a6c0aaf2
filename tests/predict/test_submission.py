"""Submissions: the answers of evaluate and of the bundle itself, in the layout of the contest."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from drawn_shop import shelfwise, write
from shelfwise.backbones.products import read_products
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError, OptionError
from shelfwise.predict.submission import submit


def test_each_product_gets_the_answer_of_the_bundle(embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path):
    summary = submit(drawn_bundle, embedded_catalog, tmp_path / "s.csv", "test")
    bundle, catalog = Bundle.load(drawn_bundle), Catalog(embedded_catalog)
    data = read_products(catalog, bundle.layout, ["test"])
    answers = bundle.probabilities(data.photos, data.product).argmax(axis=1)
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["_id", "category_id"]
    assert rows[1:] == [
        [name, bundle.categories[column]] for name, column in zip(data.product_ids, answers, strict=True)
    ]
    assert (summary.products, summary.photos, summary.unanswered) == (len(data), len(data), 0)


def test_products_without_a_category_are_answered_and_those_without_a_photo_are_counted(
    drawn_bundle: Path, embedded_catalog: Path, tmp_path: Path
):
    photo = next((embedded_catalog.parent / "photos" / "test").rglob("*.jpg")).read_bytes()
    write(tmp_path / "photos" / "1.jpg", photo)
    write(tmp_path / "photos" / "2.jpg", photo[: len(photo) // 2])
    catalog = tmp_path / "x.catalog"
    shelfwise("ingest", "folder", tmp_path / "photos", "--to", catalog, "--max-bad", 100)
    with pytest.raises(CatalogError, match="embed"):
        submit(drawn_bundle, catalog, tmp_path / "s.csv")
    assert shelfwise("embed", catalog, "--backbone", "lite0@96", "--precision", "fp32").returncode == 0
    done = shelfwise("predict", drawn_bundle, catalog, "--submission", tmp_path / "s.csv")
    assert done.returncode == 0, done.stderr
    assert "1 products without a usable photo, e.g. 2.jpg" in " ".join(done.stdout.split())
    assert (tmp_path / "s.csv").read_text().splitlines()[1].startswith("1.jpg,")


def test_what_cannot_be_answered_is_said(drawn_bundle: Path, embedded_catalog: Path, tmp_path: Path):
    with pytest.raises(CatalogError, match="no split autumn; it has: test, train, val"):
        submit(drawn_bundle, embedded_catalog, tmp_path / "s.csv", "autumn")
    (tmp_path / "s.csv").touch()
    with pytest.raises(OptionError, match="exists already"):
        submit(drawn_bundle, embedded_catalog, tmp_path / "s.csv")
    done = shelfwise("predict", drawn_bundle, "x", "y", "--submission", tmp_path / "t.csv")
    assert (done.returncode, "one catalog" in done.stderr) == (2, True)
    done = shelfwise("predict", drawn_bundle, "x", "--split", "test")
    assert (done.returncode, "--split test is for --submission" in done.stderr) == (2, True)
