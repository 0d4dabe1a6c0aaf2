from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from drawn_files import jpeg
from drawn_shop import write
from shelfwise.audit.findings import KINDS, Found
from shelfwise.audit.measures import blocks, measure_pictures
from shelfwise.audit.quality import CHECKS, Poor, find_poor
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory, take_inventory
from shelfwise.images.draw import KINDS as DRAWN
from shelfwise.images.draw import draw_product
from shelfwise.images.measures import NAMES, WIDTH
from shelfwise.ingest import FolderSource, ingest


def degraded(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """What makes a photo poor, by the kind that it should be found as."""
    image = Image.fromarray(pixels)
    height, width = pixels.shape[:2]
    banded = pixels.copy()
    banded[: height // 6] = banded[-(height // 6) :] = (20, 20, 60)
    return {
        "blurred": np.asarray(image.filter(ImageFilter.GaussianBlur(3 * max(height, width) / 256))),
        "dark": (pixels * 0.15).astype(np.uint8),
        "low_information": np.full_like(pixels, 200),
        "odd_aspect": np.asarray(image.resize((width, height // 4))),
        "tiny": np.asarray(image.resize((64, 64))),
        "framed": banded,
    }


def numbers(pictures: int, photo_picture: list[int]) -> Inventory:
    """An inventory in which every photo is a product of its own."""
    n = len(photo_picture)
    shown = np.array(photo_picture, np.int32)
    first = np.array([photo_picture.index(picture) for picture in range(pictures)], np.int32)
    none = np.full(n, -1, np.int32)
    return Inventory(
        photo_row=np.arange(n, dtype=np.int32), photo_product=np.arange(n, dtype=np.int32)[::-1].copy(), photo_picture=shown,
        first_photo=first, hashes=np.zeros(pictures, np.uint64), category=none, split=none, group=none, categories=(),
        splits=(), groups=0,
    )  # fmt: skip


def good(pictures: int) -> np.ndarray:
    """Measures of pictures that nothing is wrong with."""
    values = np.ones((pictures, WIDTH), np.float32)
    values[:, NAMES.index("side_px")] = 900
    return values


def kinds(found: list[Found]) -> dict[str, Found]:
    return {one.kind: one for one in found}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.kind)
def test_what_is_below_its_threshold_is_found_the_worst_first_for_every_photo_that_shows_it(check) -> None:
    inventory = numbers(4, [0, 1, 2, 1, 3, 0])
    values, place = good(4), NAMES.index(check.measure)
    values[1, place], values[3, place], values[2, place] = np.float32([0.9, 0.5, 1.0]) * np.float32(check.threshold)
    found = kinds(find_poor(inventory, [(np.arange(4, dtype=np.int32), values)]))
    assert [kind for kind, one in found.items() if len(one)] == [check.kind]
    one = found[check.kind]
    assert one.photo.tolist() == [4, 1, 3] and one.set.tolist() == [0, 1, 1]
    assert one.product.tolist() == [1, 4, 2]  # the products are numbered from the last photo on
    np.testing.assert_allclose(one.score, np.array([0.5, 0.9, 0.9]) * check.threshold, rtol=1e-6)
    assert (one.facts["photos"], one.facts["found"], one.facts["threshold"]) == (6, 3, check.threshold)
    assert check.kind in KINDS and one.facts["source"]


def test_the_histogram_of_each_measure_counts_photos_and_parts_of_any_size_give_the_same() -> None:
    rng = np.random.default_rng(3)
    shown = [*range(300), *rng.integers(0, 300, 200).tolist()]
    inventory, values = numbers(300, shown), rng.random((300, WIDTH)).astype(np.float32)
    values[:, NAMES.index("side_px")] *= 3000
    whole = find_poor(inventory, [(np.arange(300, dtype=np.int32), values)])
    order = rng.permutation(300).astype(np.int32)
    poor = Poor(inventory)
    for part in np.array_split(order, 7):
        poor.add(part, values[part])
    for check, one, other in zip(CHECKS, whole, poor.found(), strict=True):
        scores = values[shown, NAMES.index(check.measure)]
        expected, _ = np.histogram(scores.clip(0, check.top), 40, (0, check.top))
        assert one.facts["histogram"]["photos"] == expected.tolist()
        assert one.facts == other.facts and len(one) == (scores < check.threshold).sum()
        np.testing.assert_array_equal(one.photo, other.photo)
        np.testing.assert_array_equal(one.set, other.set)
        assert (np.diff(one.score) >= 0).all()


def test_a_catalog_without_photos_has_no_poor_ones() -> None:
    found = find_poor(numbers(0, []), [])
    assert [one.kind for one in found] == [check.kind for check in CHECKS]
    assert all(len(one) == 0 and one.facts["photos"] == 0 for one in found)


def test_planted_faults_are_found_in_a_catalog_and_good_drawn_photos_are_not(tmp_path: Path) -> None:
    planted: dict[str, set[str]] = {}
    for seed, drawn in enumerate(DRAWN):
        pixels = draw_product(drawn, seed, 200)
        write(tmp_path / "photos" / drawn / "good.jpg", jpeg(pixels))
        for kind, poor in degraded(pixels).items():
            write(tmp_path / "photos" / drawn / f"{kind}.jpg", jpeg(poor))
            planted.setdefault(kind, set()).add(f"{drawn}/{kind}.jpg#0")
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "poor.catalog")
    catalog = Catalog(tmp_path / "poor.catalog")
    measure_pictures(catalog)
    inventory = take_inventory(catalog)
    found = kinds(find_poor(inventory, blocks(catalog, inventory)))
    for kind, expected in planted.items():
        ids = set(catalog.image_ids(inventory.photo_row[found[kind].photo]))
        assert expected <= ids, kind
        assert not any("good.jpg" in image for image in ids), kind
    assert not any("good.jpg" in image for image in catalog.image_ids(inventory.photo_row[found["bright"].photo]))


def test_photos_of_products_on_white_are_not_poor(grocery: Path, tmp_path: Path) -> None:
    """Grocery's iconic pictures: packshots of a leek, of milk cartons, of boxes."""
    for path in sorted((grocery / "dataset" / "iconic-images-and-descriptions").rglob("*.jpg")):
        write(tmp_path / "photos" / path.parent.name / path.name, path.read_bytes())
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "iconic.catalog")
    catalog = Catalog(tmp_path / "iconic.catalog")
    assert measure_pictures(catalog) == 81
    inventory = take_inventory(catalog)
    assert {one.kind: len(one) for one in find_poor(inventory, blocks(catalog, inventory))} == dict.fromkeys(
        (check.kind for check in CHECKS), 0
    )
