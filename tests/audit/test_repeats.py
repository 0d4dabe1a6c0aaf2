from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from drawn_faults import COPIES, Faults, compared, of_kind, plant, products, sets

from drawn_shop import photo, shelf
from drawn_source import GivenSource, record
from shelfwise.audit.alike import LISTED_OFTEN, Alike
from shelfwise.audit.findings import Found
from shelfwise.audit.listed_twice import listed_twice
from shelfwise.audit.repeats import find_repeats
from shelfwise.audit.same_as import same_as
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory, take_inventory
from shelfwise.errors import ImageError
from shelfwise.images.draw import KINDS
from shelfwise.index.bonds import Bonds
from shelfwise.index.hamming import HashIndex
from shelfwise.ingest import GrocerySource, ingest
from shelfwise.ingest.records import ProductRecord
from shelfwise.taxonomy import Node, Taxonomy


def repeats(to: Path, *rows: ProductRecord) -> tuple[Catalog, dict[str, Found]]:
    ingest(GivenSource(*rows), to / "shop.catalog")
    catalog, alike = compared(to / "shop.catalog")
    return catalog, {found.kind: found for found in find_repeats(catalog, alike)}


def twice(catalog: Catalog, found: dict[str, Found]) -> dict[str, str]:
    """Products that are listed twice, with the one that stays."""
    one = found["listed_twice"]
    return dict(zip(products(catalog, one), catalog.product_ids(one.kept), strict=True))


def again(kind: str, number: int, how: str = "exact", side_px: int = 128) -> bytes:
    return COPIES[how](photo(kind, 700 + number, side_px))


@pytest.fixture(scope="module")
def faults() -> Faults:
    kinds = ["exact", "quality 70", "half size", "PNG"]
    return plant(((shelf(kind), photo(kind, 400 + n)) for n in range(8) for kind in KINDS), kinds, every=2)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, faults: Faults) -> Path:
    catalog = tmp_path_factory.mktemp("planted") / "shop.catalog"
    ingest(GivenSource(*faults.rows), catalog)
    return catalog


def test_planted_copies_are_found_and_nothing_else(faults: Faults, planted: Path):
    catalog, alike = compared(planted)
    found = {each.kind: each for each in find_repeats(catalog, alike)}
    exact = {frozenset(pair) for pair in faults.copies["exact"]}
    near = {frozenset(pair) for kind in ("quality 70", "half size", "PNG") for pair in faults.copies[kind]}
    assert sets(catalog, found["exact_repeat"]) == exact
    assert sets(catalog, found["near_repeat"]) == near
    assert set(products(catalog, found["useful_repeat"])) == faults.useful
    assert len(faults.useful) >= 5
    assert {frozenset(pair) for pair in twice(catalog, found).items()} == exact | near


def test_of_a_product_listed_twice_the_larger_picture_stays(tmp_path: Path):
    half, whole = again("mug", 1, "half size"), again("mug", 1)
    catalog, found = repeats(tmp_path, record("half", half), record("whole", whole), record("other", again("boot", 1)))
    assert twice(catalog, found) == {"half": "whole"}
    near = found["near_repeat"]
    assert products(catalog, near) == ["whole", "half"]
    assert catalog.product_ids(near.kept[1:]) == ["whole"]
    assert near.kept[0] == -1
    assert near.score[0] == 1
    assert near.score[1] >= 1 - 4 / 64


def test_one_shared_picture_of_several_is_a_repeat_and_no_product_listed_twice(tmp_path: Path):
    shared = again("mug", 2)
    catalog, found = repeats(
        tmp_path,
        record("a", shared, again("mug", 3)),
        record("b", shared, again("mug", 4)),
        record("c", again("mug", 5)),
    )
    assert sets(catalog, found["exact_repeat"]) == {frozenset("ab")}
    assert found["exact_repeat"].kept.tolist() == [-1, -1]
    assert len(found["listed_twice"]) == 0


def test_a_product_with_fewer_photos_of_another_is_listed_twice(tmp_path: Path):
    one, two = again("mug", 6), again("mug", 7)
    catalog, found = repeats(
        tmp_path, record("few", again("mug", 7, "quality 70")), record("all", one, two), record("both", one, two)
    )
    assert twice(catalog, found) == {"few": "all", "both": "all"}
    assert found["listed_twice"].score.tolist() == [0.5, 1]


def test_the_same_picture_twice_in_one_product_leaves_one(tmp_path: Path):
    data = again("boot", 8)
    catalog, found = repeats(tmp_path, record("a", data, again("boot", 9), data), record("b", again("boot", 10)))
    exact = found["exact_repeat"]
    assert catalog.image_ids(exact.photo) == ["a#0", "a#2"]
    assert exact.kept.tolist() == [-1, exact.product[1]]
    assert len(found["listed_twice"]) == 0


@pytest.mark.parametrize("other", [{"category": "b"}, {"split": "test"}])
def test_repeats_on_another_shelf_or_in_another_split_are_left_to_people(tmp_path: Path, other: dict[str, str]):
    data = again("boot", 11)
    catalog, found = repeats(tmp_path, record("a", data), record("b", data, **other), record("c", again("boot", 12)))
    assert sets(catalog, found["exact_repeat"]) == {frozenset("ab")}
    assert found["exact_repeat"].kept.tolist() == [-1, -1]
    assert len(found["listed_twice"]) == 0


def test_a_table_of_sizes_is_useful_and_a_photo_listed_six_times_is_not(tmp_path: Path):
    table, often = again("plate", 13), again("plate", 14)
    rows = [record(f"own-{n}", again("plate", 20 + n), table) for n in range(6)]
    rows += [record(f"often-{n}", often) for n in range(6)]
    catalog, found = repeats(tmp_path, *rows)
    assert sets(catalog, found["useful_repeat"]) == {frozenset(f"own-{n}" for n in range(6))}
    assert set(found["useful_repeat"].kept.tolist()) == {-1}
    assert twice(catalog, found) == {f"often-{n}": "often-0" for n in range(1, 6)}


def test_a_picture_that_is_all_that_far_too_many_products_show_is_never_merged(tmp_path: Path):
    data = again("plate", 15)
    rows = [record(str(n), data) for n in range(LISTED_OFTEN + 1)]
    _, found = repeats(tmp_path, *rows, record("other", again("plate", 16), category="b"))
    assert {kind: len(each) for kind, each in found.items()} == {
        "exact_repeat": 0, "near_repeat": 0, "listed_twice": 0, "useful_repeat": LISTED_OFTEN + 1,
    }  # fmt: skip


def drawn_numbers(seed: int) -> tuple[Alike, np.ndarray]:
    """Draw products of few looks, in two categories and two splits, and the sizes of their photos."""
    rng = np.random.default_rng(seed)
    p, m, n = 40, 30, 90
    picture = rng.integers(m, size=n)
    distinct, first, number = np.unique(picture, return_index=True, return_inverse=True)
    inventory = Inventory(
        photo_row=np.arange(n), photo_product=rng.integers(p, size=n), photo_picture=number, first_photo=first,
        hashes=rng.integers(2**63, size=len(distinct)).astype(np.uint64), category=rng.integers(-1, 2, p),
        split=rng.integers(2, size=p), group=np.full(p, -1), categories=("a", "b"), splits=("x", "y"), groups=0,
    )  # fmt: skip
    pairs = (np.empty(0, np.int64),) * 2
    bonds = Bonds.of(inventory, Taxonomy([Node("a", "a", None), Node("b", "b", None)]), pairs)
    look = rng.integers(12, size=len(distinct)).astype(np.int32)
    return Alike(inventory, bonds, look, 12, np.zeros(len(distinct), np.bool_)), rng.integers(1, 4, n).astype(
        np.float32
    )


@pytest.mark.parametrize("seed", range(20))
def test_products_listed_twice_are_those_of_comparing_all_with_all(seed: int):
    alike, area = drawn_numbers(seed)
    inventory = alike.inventory
    shows = [set(alike.photo_look[inventory.photo_product == p].tolist()) for p in range(inventory.products)]
    size = [area[inventory.photo_product == p].max(initial=0) for p in range(inventory.products)]
    order = sorted(range(inventory.products), key=lambda p: (-len(shows[p]), -size[p], p))
    useful = set(np.flatnonzero(alike.useful).tolist())
    expected = np.full(inventory.products, -1)
    for place, p in enumerate(order):
        for other in order[:place]:
            here = inventory.category[p] == inventory.category[other] and inventory.split[p] == inventory.split[other]
            if here and shows[p] <= shows[other] and shows[p] - useful:
                expected[p] = other
                break
    into, share = listed_twice(alike, area)
    assert into.tolist() == expected.tolist()
    assert all(
        into[into[p]] == -1 and share[p] == len(shows[p]) / len(shows[into[p]]) for p in np.flatnonzero(into >= 0)
    )


@pytest.mark.parametrize("seed", range(20))
def test_of_every_look_a_photo_stays_and_each_product_keeps_all_or_nothing(seed: int, monkeypatch: pytest.MonkeyPatch):
    alike, area = drawn_numbers(seed)
    monkeypatch.setattr("shelfwise.audit.repeats._areas", lambda *_: area)
    inventory = alike.inventory
    goes = np.zeros(inventory.photos, np.bool_)
    for found in find_repeats(cast(Catalog, None), alike):
        goes[found.photo[(found.kept >= 0) & (found.photo >= 0)]] = True
    assert goes.any()
    assert set(alike.photo_look[~goes].tolist()) == set(alike.photo_look.tolist())
    into, _ = listed_twice(alike, area)
    for product in range(inventory.products):
        photos = inventory.photo_product == product
        if into[product] >= 0:
            assert goes[photos].all()
        else:
            assert set(alike.photo_look[photos & ~goes]) == set(alike.photo_look[photos])


def test_a_new_picture_is_found_in_a_catalog_however_it_was_saved(planted: Path, faults: Faults):
    catalog = Catalog(planted)
    inventory = take_inventory(catalog)
    index = HashIndex(inventory.hashes)
    for kind, pairs in faults.copies.items():
        one, copy = pairs[0]
        photo_row = inventory.photo_row[inventory.photo_product == catalog_row(catalog, copy)][:1]
        found = same_as(catalog, inventory, index, catalog.image_bytes(photo_row)[0])
        assert set(catalog.product_ids(found.exact)) == ({one, copy} if kind == "exact" else {copy})
        assert set(catalog.product_ids(found.near)) == (set() if kind == "exact" else {one})
    stranger = same_as(catalog, inventory, index, photo("mug", 999))
    assert (len(stranger.exact), len(stranger.near)) == (0, 0)
    with pytest.raises(ImageError):
        same_as(catalog, inventory, index, b"no picture")


def catalog_row(catalog: Catalog, product_id: str) -> int:
    return catalog.products(["product_id"]).column(0).to_pylist().index(product_id)


@pytest.mark.slow
def test_planted_copies_of_grocery_photos_are_found_and_bursts_are_hardly_taken_for_them(tmp_path: Path, grocery: Path):
    photos = [row for row in GrocerySource(grocery).rows() if row.split == "train"]
    kinds = ["exact", "quality 70", "half size"]
    faults = plant(((row.category, row.photos[0].data.read_bytes()) for row in photos), kinds, every=2)
    ingest(GivenSource(*faults.rows), tmp_path / "shop.catalog")
    catalog, alike = compared(tmp_path / "shop.catalog")
    found = {each.kind: each for each in find_repeats(catalog, alike)}
    pairs = {
        frozenset(pair)
        for kind in ("exact_repeat", "near_repeat") for one in sets(catalog, found[kind]) for pair in combinations(one, 2)
    }  # fmt: skip
    recall = {kind: np.mean([frozenset(pair) in pairs for pair in planted]) for kind, planted in faults.copies.items()}
    assert recall["exact"] == 1
    assert min(recall.values()) >= 0.99
    known = {frozenset(pair) for planted in faults.copies.values() for pair in planted}
    assert len(pairs - known) <= 0.01 * len(pairs)
    assert set(products(catalog, of_kind(found.values(), "useful_repeat"))) == faults.useful
