"""The catalog as numbers against its tables read row by row."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shelfwise.catalog import Catalog, changing
from shelfwise.catalog.inventory import take_inventory

STATUSES = ("ok", "ok", "ok", "quarantined", "missing", "set_aside")


def written(path: Path, random: np.random.Generator, products: int) -> Path:
    """Write products with none to three photos of few distinct pictures, in several commits."""
    with changing(path, "make") as change:
        for start in range(0, products, 7):
            numbers = range(start, min(start + 7, products))
            change.append_products([product(number, random) for number in numbers])
            images = [image(number, place, random) for number in numbers for place in range(random.integers(4))]
            change.append_images(images)
    with changing(path, "remove") as change:
        change.delete_products([f"p{number}" for number in range(0, products, 5)])
    return path


def product(number: int, random: np.random.Generator) -> dict[str, Any]:
    one_of = [None, "", "a", "b", "c"]
    chosen = {name: one_of[random.integers(5)] for name in ("category", "split", "group")}
    return {"product_id": f"p{number}"} | chosen


def image(number: int, place: int, random: np.random.Generator) -> dict[str, Any]:
    status, picture = STATUSES[random.integers(6)], int(random.integers(12))
    seen = {"sha256": hashlib.sha256(bytes([picture])).digest(), "perceptual_hash": 2**64 - 1 - picture}
    row = {"image_id": f"p{number}#{place}", "product_id": f"p{number}", "position": place, "status": status}
    return row | (seen if status == "ok" else {})


@pytest.fixture(params=[0, 1, 40])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Catalog:
    return Catalog(written(tmp_path / "numbers.catalog", np.random.default_rng(3), request.param))


def named(names: tuple[str, ...], codes: np.ndarray) -> list[str | None]:
    return [None if code < 0 else names[code] for code in codes]


def test_products_have_their_category_split_and_group(catalog: Catalog):
    inventory, rows = take_inventory(catalog), catalog.products().to_pylist()
    assert inventory.products == len(rows)
    assert named(inventory.categories, inventory.category) == [row["category"] or None for row in rows]
    assert named(inventory.splits, inventory.split) == [row["split"] or None for row in rows]
    groups = [row["group"] or None for row in rows]
    assert (inventory.group >= 0).tolist() == [group is not None for group in groups]
    assert inventory.groups == len(set(groups) - {None})
    pairs = set(zip(groups, inventory.group.tolist(), strict=True))
    assert len(pairs) == len(set(groups))


def test_photos_have_their_product_and_their_picture(catalog: Catalog):
    inventory = take_inventory(catalog)
    images = catalog.images(["image_id", "product_id", "sha256", "perceptual_hash", "status"]).to_pylist()
    usable = [row for row, image in enumerate(images) if image["status"] == "ok"]
    assert inventory.photo_row.tolist() == usable
    assert catalog.product_ids(inventory.photo_product) == [images[row]["product_id"] for row in usable]
    assert catalog.image_ids(inventory.photo_row) == [images[row]["image_id"] for row in usable]
    pictures = [images[row]["sha256"] for row in usable]
    assert inventory.pictures == len(set(pictures))
    assert len(set(zip(pictures, inventory.photo_picture.tolist(), strict=True))) == len(set(pictures))
    firsts = [pictures.index(picture) for picture in dict.fromkeys(pictures)]
    assert inventory.first_photo.tolist() == firsts
    assert inventory.photo_picture[inventory.first_photo].tolist() == list(range(inventory.pictures))
    assert inventory.hashes.tolist() == [images[usable[first]]["perceptual_hash"] for first in firsts]
