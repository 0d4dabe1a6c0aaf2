"""What a catalog holds: every count against one made by hand or by a loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from drawn_catalogs import PRODUCTS, known_catalog

from shelfwise.audit.explore import Colors, Exploration, explore
from shelfwise.audit.measures import blocks, measure_pictures
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory, take_inventory
from shelfwise.ingest import ingest
from shelfwise.ingest.table import TableSource
from shelfwise.options import TableOptions

Explored = tuple[Catalog, Inventory, Exploration]


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Explored:
    path = known_catalog(tmp_path_factory.mktemp("known"))
    measure_pictures(Catalog(path))
    catalog = Catalog(path)
    inventory = take_inventory(catalog)
    colors = Colors(inventory)
    for pictures, values in blocks(catalog, inventory):
        colors.add(pictures, values)
    return catalog, inventory, explore(catalog, inventory, colors)


def counts(catalog: Catalog, exploration: Exploration, level: int) -> dict[str, tuple[int, int]]:
    of = exploration.levels[level]
    return {
        " > ".join(catalog.taxonomy.names(node)): (int(products), int(photos))
        for node, products, photos in zip(of.nodes, of.products, of.photos, strict=True)
    }


def test_products_and_photos_are_counted_on_every_level(explored: Explored) -> None:
    catalog, _, exploration = explored
    assert counts(catalog, exploration, 0) == {"Food": (6, 7), "Toys": (3, 3)}
    assert counts(catalog, exploration, 1) == {
        "Food > Apple": (4, 5), "Food > Pear": (1, 1), "Toys > Car": (2, 2), "Toys > Doll": (1, 1), "Food": (1, 1),
    }  # fmt: skip
    assert exploration.unfiled == 1


def test_head_and_tail_are_told(explored: Explored) -> None:
    level = explored[2].levels[1]
    assert level.products[level.fullest_first].tolist() == [4, 2, 1, 1, 1]
    # 9 filed products: 4 are less than half of them, 4 + 2 are more.
    assert level.half == 2
    assert (level.below(100), level.below(2), level.empty) == (5, 3, 0)


def test_an_empty_category_is_counted_as_empty(tmp_path: Path) -> None:
    catalog = Catalog(known_catalog(tmp_path))
    inventory = take_inventory(catalog)
    without = np.where(inventory.category == inventory.category[4], -1, inventory.category).astype(np.int32)
    level = explore(catalog, replace(inventory, category=without)).levels[1]
    assert level.empty == 1


def test_photos_per_product_are_counted(explored: Explored) -> None:
    assert explored[2].photos_per_product.tolist() == [0, 9, 1]


def test_attributes_and_their_pairs_are_those_of_a_loop(explored: Explored) -> None:
    carried = [set(attributes.split()) for _, _, attributes, _, _ in PRODUCTS]
    single = Counter(name for names in carried for name in names)
    paired = Counter(frozenset(pair) for names in carried for pair in combinations(sorted(names), 2))
    found = explored[2].attributes
    assert dict(zip(found.names, found.products.tolist(), strict=True)) == single
    assert found.products.tolist() == sorted(single.values(), reverse=True)
    assert {frozenset((found.names[a], found.names[b])): times for a, b, times in found.pairs(99)} == paired
    assert np.diag(found.together).tolist() == found.products.tolist()
    assert dict(enumerate(found.per_product.tolist())) == {
        0: 3,
        **{n: sum(len(c) == n for c in carried) for n in (1, 2, 3)},
    }


def test_sample_products_of_an_attribute_carry_it(explored: Explored) -> None:
    found = explored[2].attributes
    for name, rows, products in zip(found.names, found.samples, found.products, strict=True):
        drawn = rows[rows >= 0].tolist()
        assert len(drawn) == len(set(drawn)) == min(6, products)
        assert all(name in PRODUCTS[row][2].split() for row in drawn)


def test_sizes_are_counted(explored: Explored) -> None:
    sizes = explored[2].sizes
    assert sizes.common == ((64, 64, 8), (32, 32, 1), (64, 48, 1), (300, 100, 1))
    assert (sizes.different, sizes.median, sizes.formats) == (4, (64, 64), (("PNG", 11),))
    # A quarter of an octave a bin: 64 = 2^6 is in bin 24, 300 in floor(4 log2 300) = 32, 100 in floor(4 log2 100) = 26.
    assert sizes.histogram[24, 24] == 8
    assert sizes.histogram[32, 26] == 1
    assert sizes.histogram.sum() == sizes.megapixels.sum() == 11
    # 300 x 100 is 0.03 megapixels, between 2^-6 and 2^-5.
    assert sizes.megapixels[10 - 6] == 1


def test_colors_are_those_of_the_photos_counted_one_by_one(explored: Explored) -> None:
    catalog, inventory, exploration = explored
    colors = exploration.colors
    assert colors is not None
    apple = next(
        number for number, node in enumerate(inventory.categories) if catalog.taxonomy.names(node) == ("Food", "Apple")
    )
    red = np.zeros(16)
    for _, category, _, _, photos in PRODUCTS:
        for photo in photos if category == "Food > Apple" else ():
            red[photo[2] // 16] += 1
    assert colors.by_category[apple, 16:32] == pytest.approx(red)
    assert colors.categories[apple] == 5
    assert colors.photos == 11
    assert colors.mean.reshape(4, 16).sum(axis=1) == pytest.approx(np.ones(4))


def test_a_picture_that_several_products_show_counts_for_each() -> None:
    inventory = drawn_inventory(photos=6, pictures=2)
    colors = Colors(inventory)
    values = np.zeros((2, 70), np.float32)
    values[0, 6], values[1, 7] = 1, 1
    colors.add(np.array([1, 0]), values)
    shown = np.bincount(inventory.photo_picture)
    assert (colors.all[0], colors.all[1], colors.photos) == (shown[1], shown[0], 6)


def drawn_inventory(photos: int, pictures: int, categories: int = 3) -> Inventory:
    random = np.random.default_rng(7)
    picture = np.concatenate([np.arange(pictures), random.integers(0, pictures, photos - pictures)]).astype(np.int32)
    none = np.full(photos, -1, np.int32)
    return Inventory(
        photo_row=np.arange(photos, dtype=np.int32), photo_product=np.arange(photos, dtype=np.int32), photo_picture=picture,
        first_photo=np.unique(picture, return_index=True)[1].astype(np.int32), hashes=np.zeros(pictures, np.uint64),
        category=random.integers(-1, categories, photos).astype(np.int32), split=none, group=none,
        categories=tuple("abcdefgh"[:categories]), splits=(), groups=0,
    )  # fmt: skip


def test_samples_are_of_their_category_and_the_same_every_time(explored: Explored) -> None:
    catalog, inventory, exploration = explored
    assert exploration.samples.shape == (len(inventory.categories) + 1, 8)
    for number, photos in enumerate(exploration.samples):
        products = inventory.photo_product[photos[photos >= 0]]
        category = number if number < len(inventory.categories) else -1
        assert (inventory.category[products] == category).all()
        assert len(products) == (inventory.category[inventory.photo_product] == category).sum()
    again = explore(catalog, inventory)
    assert np.array_equal(again.samples, exploration.samples)
    assert not np.array_equal(explore(catalog, inventory, seed=1).samples, exploration.samples)


def test_samples_show_different_products_first(explored: Explored) -> None:
    _, inventory, exploration = explored
    apples = exploration.samples[inventory.category[0]]
    products = inventory.photo_product[apples[apples >= 0]].tolist()
    assert sorted(products[:4]) == [0, 1, 2, 3]
    assert products[4] == 1


def test_splits_are_set_against_each_other(explored: Explored) -> None:
    catalog, inventory, exploration = explored
    splits = exploration.splits
    assert dict(zip(splits.names, splits.products.tolist(), strict=True)) == {"train": 6, "test": 3, "val": 1}
    assert splits.compared == (splits.names.index("train"), splits.names.index("test"))
    names = [" > ".join(catalog.taxonomy.names(node)) for node in inventory.categories]
    differences = dict(zip(names, splits.share_differences(*splits.compared).tolist(), strict=True))
    # Five filed products of train, three of test.
    assert differences["Food > Apple"] == pytest.approx(2 / 3 - 2 / 5)
    assert differences["Toys > Car"] == pytest.approx(-2 / 5)
    first, second = splits.compared
    assert {names[number] for number in splits.only_in(first, second)} == {"Food", "Toys > Car"}
    assert {names[number] for number in splits.only_in(second, first)} == {"Food > Pear"}
    assert splits.light is not None
    # The photos of test are green (200, 210) and nearly white (250): bins of 16 levels with centers (b + 0.5) / 16.
    assert splits.light[second, 1:] == pytest.approx(np.array([(0.5 + 0.5 + 15.5), (12.5 + 13.5 + 15.5), 16.5]) / 48)


def test_a_catalog_without_anything_can_be_explored(tmp_path: Path) -> None:
    (tmp_path / "titles.csv").write_text("id,title\nx,Lamp\n", encoding="utf-8")
    ingest(
        TableSource(tmp_path / "titles.csv", TableOptions(id="id", title="title", incomplete=True)),
        tmp_path / "t.catalog",
    )
    catalog = Catalog(tmp_path / "t.catalog")
    exploration = explore(catalog, take_inventory(catalog))
    assert exploration.levels == ()
    assert exploration.photos_per_product.tolist() == [1]
    assert exploration.splits.compared is None
