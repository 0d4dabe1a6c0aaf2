"""What `show` tells of a catalog, compared with what is known to be in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drawn_shop import tiny
from drawn_source import GivenSource, record
from shelfwise.formats.rows import BadRow
from shelfwise.images.draw import encode_jpeg
from shelfwise.ingest import ingest
from shelfwise.show import show


def test_counts_tree_sizes_sample_and_history_are_told(tmp_path: Path):
    wide = encode_jpeg(np.full((10, 30, 3), 77, np.uint8), 90)
    to = tmp_path / "x.catalog"
    rows = [
        record("1", tiny(1), tiny(2), category="food/fruit", split="train", title="One"),
        record("2", tiny(1), category="toys/fruit", split="test"),
        record("3", wide, category="food/fruit"),
        record("4", category=None),
        BadRow("line 9", "row_columns", "too many fields", "a,b,c"),
    ]
    ingest(GivenSource(*rows), to)
    ingest(GivenSource(record("5", b"", category="food/fruit"), path=Path("more.csv")), to)
    said = show(to)
    assert (said.counts.products, said.counts.photos, said.counts.images, said.counts.quarantined) == (5, 5, 4, 1)
    assert said.counts.products_by_split == {"none": 3, "test": 1, "train": 1}
    assert said.tree == [
        {"level": "level1", "categories": 2, "different_names": 2},
        {"level": "level2", "categories": 2, "different_names": 1},
    ]
    assert [(shelf["category"], shelf["products"]) for shelf in said.shelves] == [("food/fruit", 3), ("toys/fruit", 1)]
    assert said.unfiled == 1
    assert said.photos_per_product == {0: 1, 1: 3, 2: 1}
    assert said.sizes["longer_side_px"] == {"smallest": 8, "median": 8, "largest": 30}
    assert said.sizes["most_common"][0] == {"width": 8, "height": 8, "photos": 3}
    assert said.quarantined_rows == {"row_columns": 1}
    assert [conflict["categories"] for conflict in said.label_conflicts] == [("food/fruit", "toys/fruit")]
    assert sorted(row["product_id"] for row in said.sample) == ["1", "2", "3", "4", "5"]
    assert [entry["version"] for entry in said.history] == [1, 2]
    assert said.size_bytes == sum(file.stat().st_size for file in to.rglob("*") if file.is_file())


def test_the_sample_does_not_depend_on_the_order_of_the_products(tmp_path: Path):
    ids = [str(number) for number in range(30)]
    for name, order in (("a", ids), ("b", ids[::-1])):
        ingest(GivenSource(*(record(product_id) for product_id in order)), tmp_path / name)
    one, other = ({row["product_id"] for row in show(tmp_path / name).sample} for name in ("a", "b"))
    assert one == other
    assert len(one) == 5


def test_a_catalog_without_a_product_is_shown_with_its_quarantine(tmp_path: Path):
    ingest(GivenSource(BadRow("line 2", "row_columns", "too few fields", "a")), tmp_path / "x.catalog")
    said = show(tmp_path / "x.catalog")
    assert (said.counts.products, said.sample, said.shelves, said.photos_per_product) == (0, [], [], {})
    assert said.quarantined_rows == {"row_columns": 1}


def test_pictures_under_several_categories_are_all_counted_though_only_some_are_listed(tmp_path: Path):
    rows = [record(f"{number}-{shelf}", tiny(number), category=shelf) for number in range(23) for shelf in "ab"]
    ingest(GivenSource(*rows), tmp_path / "x.catalog")
    said = show(tmp_path / "x.catalog")
    assert (said.conflicting_pictures, len(said.label_conflicts)) == (23, 20)
