from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_faults import Faults, blanks, compared, of_kind, plant, products, sets, size_table
from numpy.typing import NDArray

from drawn_shop import photo, shelf, tiny
from drawn_source import GivenSource, record
from shelfwise.audit.alike import Alike
from shelfwise.audit.leaks import find_leaks
from shelfwise.audit.placeholders import blank_pictures, find_placeholders
from shelfwise.audit.repeats import find_repeats
from shelfwise.catalog import Catalog
from shelfwise.demo.plant import draw_shop
from shelfwise.images.draw import KINDS, encode_jpeg
from shelfwise.images.measures import measure
from shelfwise.index.bonds import Bonds, incidence
from shelfwise.ingest import FolderSource, ingest
from shelfwise.ingest.records import ProductRecord
from shelfwise.progress import SILENT
from shelfwise.statistics.spread import Shelves


def placeholders(to: Path, *rows: ProductRecord) -> tuple[Catalog, Alike]:
    ingest(GivenSource(*rows), to / "shop.catalog")
    return compared(to / "shop.catalog")


def test_planted_placeholders_and_blank_pictures_are_found_and_no_useful_repeat_is_among_them(tmp_path: Path):
    faults = plant(((shelf(kind), photo(kind, 400 + n)) for n in range(10) for kind in KINDS), ["quality 70"], every=5)
    catalog, alike = placeholders(tmp_path, *faults.rows)
    found = find_placeholders(alike)
    assert sets(catalog, of_kind(found, "placeholder")) == set(map(frozenset, faults.placeholders))
    assert set(products(catalog, of_kind(found, "blank"))) == faults.blank
    assert len(faults.useful) >= 10
    useful = of_kind(find_repeats(catalog, alike), "useful_repeat")
    assert set(products(catalog, useful)) == faults.useful
    told = of_kind(found, "placeholder").facts["sets"]
    assert [(one["products"], one["categories"]) for one in told] == [(12, 12), (12, 12), (6, 6)]
    assert len(of_kind(find_leaks(alike), "several_categories")) == 0


@pytest.mark.slow
def test_the_placeholder_of_the_demo_is_found_and_nothing_else(tmp_path: Path):
    planted = draw_shop(tmp_path / "photos", SILENT)
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "shop.catalog")
    catalog, alike = compared(tmp_path / "shop.catalog")
    card, blank = find_placeholders(alike)
    assert set(products(catalog, card)) == planted.placeholders
    assert len(blank) == 0
    exact = of_kind(find_repeats(catalog, alike), "exact_repeat")
    assert set(products(catalog, exact)) == planted.repeats


@pytest.mark.parametrize("copies", [2, 3])
def test_a_product_on_two_or_three_shelves_is_a_conflict_and_no_placeholder(tmp_path: Path, copies: int):
    rows = [record(f"{kind}-{n}", photo(kind, n, 96), category=shelf(kind)) for kind in KINDS for n in range(4)]
    copied = [record(f"copy-{kind}", photo("mug", 50), category=shelf(kind)) for kind in KINDS[::4][:copies]]
    catalog, alike = placeholders(tmp_path, *rows, *copied)
    assert len(of_kind(find_placeholders(alike), "placeholder")) == 0
    several = of_kind(find_leaks(alike), "several_categories")
    assert sets(catalog, several) == {frozenset(row.product_id for row in copied)}


def test_blank_pictures_are_told_from_pale_ones_by_what_is_on_them():
    rng = np.random.default_rng(0)
    pale = np.full((200, 200, 3), 250, np.uint8)
    pale[80:120, 80:120] = 225
    speck = np.full((200, 200, 3), 255, np.uint8)
    speck[90:112, 90:112] = rng.integers(0, 255, (22, 22, 3))
    pictures = [data for _, data in blanks()]
    others = [encode_jpeg(pale), encode_jpeg(speck), size_table(0), *(photo(kind, 3) for kind in KINDS)]
    values = np.stack([measure(data) for data in pictures + others])
    order = rng.permutation(len(values))
    blank = blank_pictures([(order[:5], values[order[:5]]), (order[5:], values[order[5:]])], len(values) + 1)
    assert blank.tolist() == [True] * len(pictures) + [False] * (len(others) + 1)


def by_looking_at_each(
    shown: NDArray[np.bool_], pairs: set[tuple[int, int]], category: NDArray[np.integer]
) -> list[bool]:
    """Tell placeholders of a flat tree by the rule, picture for picture, with the chance of drawing simulated."""
    m, rng = shown.shape[1], np.random.default_rng(0)
    near = [{k, *(b for a, b in pairs if a == k), *(a for a, b in pairs if b == k)} for k in range(m)]
    filed = category[category >= 0]
    spread = []
    for look in near:
        held = category[shown[:, sorted(look)].any(axis=1)]
        held = held[held >= 0]
        count = np.bincount(held, minlength=1)
        enough = (count > 0).sum() >= 3 and len(held) - count.max() >= 4
        spread.append(bool(enough and entropy(held) >= 0.5 * chance(len(held), filed, rng)))
    return [any(spread[other] for other in look) for look in near]


def entropy(categories: NDArray[np.integer]) -> float:
    share = np.bincount(categories)[np.unique(categories)] / len(categories)
    return float(-(share * np.log(share)).sum())


def chance(draws: int, filed: NDArray[np.integer], rng: np.random.Generator) -> float:
    return float(np.mean([entropy(rng.choice(filed, draws)) for _ in range(400)]))


@pytest.mark.parametrize("seed", range(8))
def test_placeholders_are_those_of_looking_at_each_picture_and_its_likes(seed: int):
    rng = np.random.default_rng(seed)
    p, m, c = 80, 25, 7
    category = rng.integers(-1, c, p)
    shown = rng.random((p, m)) < rng.choice([0.01, 0.03, 0.08, 0.3], m)
    concentrated = rng.random(m) < 0.4
    shown[:, concentrated] &= (category < 2)[:, None]
    pairs = {tuple(sorted(rng.choice(m, 2, replace=False).tolist())) for _ in range(12)}
    i, j = np.array(sorted(pairs)).T
    product, picture = np.nonzero(shown)
    none = np.empty(0, np.int64)
    size = np.bincount(category[category >= 0], minlength=c)
    shelves = Shelves(np.arange(c, dtype=np.int32)[:, None], size)
    bonds = Bonds(incidence(none, none, (p, 0)), incidence(product, picture, (p, m)), (i, j), category, shelves)
    expected = by_looking_at_each(shown, pairs, category)  # type: ignore[arg-type]
    assert bonds.placeholders.tolist() == expected
    assert 0 < sum(expected) < m


def test_a_catalog_without_categories_or_photos_has_no_placeholder(tmp_path: Path):
    _, alike = placeholders(tmp_path, *(record(str(n), tiny(1), category=None) for n in range(30)))
    assert [len(found) for found in find_placeholders(alike)] == [0, 0]
    faults = Faults()
    faults.add("broken", "a", b"no picture")
    _, alike = placeholders(tmp_path / "broken", *faults.rows)
    assert [len(found) for found in find_placeholders(alike)] == [0, 0]
