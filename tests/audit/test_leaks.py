from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from drawn_faults import COPIES, compared, of_kind, products, sets

from drawn_shop import photo
from drawn_source import GivenSource, record
from shelfwise.audit.alike import Alike
from shelfwise.audit.findings import Found
from shelfwise.audit.leaks import find_leaks, leaked
from shelfwise.audit.placeholders import find_placeholders
from shelfwise.audit.repeats import find_repeats
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory
from shelfwise.index.bonds import Bonds
from shelfwise.ingest import ingest
from shelfwise.ingest.records import ProductRecord
from shelfwise.taxonomy import Node, Taxonomy


def leaks(to: Path, *rows: ProductRecord) -> tuple[Catalog, Alike, dict[str, Found]]:
    ingest(GivenSource(*rows), to / "shop.catalog")
    catalog, alike = compared(to / "shop.catalog")
    return catalog, alike, {found.kind: found for found in find_leaks(alike)}


def mug(number: int, how: str = "exact") -> bytes:
    return COPIES[how](photo("mug", 800 + number))


def test_a_picture_on_several_shelves_names_the_one_that_most_of_its_products_are_on(tmp_path: Path):
    rows = [record(f"a{n}", mug(1, how), category="a") for n, how in enumerate(["exact", "exact", "half size"])]
    rows += [record("b", mug(1, "quality 70"), category="b"), record("none", mug(1), category=None)]
    rows += [record("tie-a", mug(2), category="a"), record("tie-b", mug(2), category="b"), record("fine", mug(3))]
    catalog, alike, found = leaks(tmp_path, *rows)
    several = found["several_categories"]
    assert sets(catalog, several) == {frozenset(["a0", "a1", "a2", "b"]), frozenset(["tie-a", "tie-b"])}
    told = dict(
        zip(products(catalog, several), zip(several.score.tolist(), several.shelf.tolist(), strict=True), strict=True)
    )
    assert told == {
        "a0": (0.75, -1), "a1": (0.75, -1), "a2": (0.75, -1), "b": (0.75, alike.inventory.categories.index("a")),
        "tie-a": (0.5, -1), "tie-b": (0.5, -1),
    }  # fmt: skip
    assert several.facts == {"looks": 2, "photos": 6, "products": 6}


def test_products_bound_across_splits_are_listed_and_test_rows_that_were_learned_from_are_told(tmp_path: Path):
    rows = [
        record("same-1", mug(1), split="train"), record("same-2", mug(1), split="test"),
        record("near-1", mug(2), split="train"), record("near-2", mug(2, "half size"), split="val"),
        record("group-1", mug(3), split="train", group="g"), record("group-2", mug(4), split="test", group="g"),
        record("untaught-1", mug(5), split="val"), record("untaught-2", mug(5), split="test"),
        record("inside-1", mug(6), split="train"), record("inside-2", mug(6), split="train"),
        record("no-split", mug(1)), record("alone", mug(7), split="test"),
    ]  # fmt: skip
    catalog, alike, found = leaks(tmp_path, *rows)
    across = found["across_splits"]
    assert sets(catalog, across) == {
        frozenset([f"{name}-1", f"{name}-2"]) for name in ("same", "near", "group", "untaught")
    }  # fmt: skip
    score = dict(zip(products(catalog, across), across.score.tolist(), strict=True))
    assert {name for name, value in score.items() if value < 1} == {"near-1", "near-2"}
    assert across.facts == {
        "pairs": {"group": 1, "same_picture": 2, "look_alike": 1},
        "products": {"group": 2, "same_picture": 4, "look_alike": 2},
        "into": "train",
        "leaked": {"train": 0, "test": 2, "val": 1},
        "of": {"train": 5, "test": 4, "val": 2},
    }
    photo_of = dict(zip(products(catalog, across), across.photo.tolist(), strict=True))
    assert photo_of["group-1"] == photo_of["group-2"] == -1
    assert photo_of["near-2"] >= 0
    taught = np.flatnonzero(leaked(alike.inventory, alike.bonds))
    assert set(catalog.product_ids(taught)) == {"same-2", "near-2", "group-2"}
    assert not leaked(alike.inventory, alike.bonds, learn="nowhere").any()


def test_groups_without_a_picture_in_common_are_listed(tmp_path: Path):
    rows = [
        record("x1", mug(1), group="x"), record("x2", photo("boot", 1), group="x"),
        record("y1", mug(2), group="y"), record("y2", mug(2, "quality 70"), group="y"), record("y3", mug(3), group="y"),
        record("z1", mug(4), mug(5), group="z"), record("z2", mug(5), mug(6), group="z"), record("alone", mug(7), group="w"),
    ]  # fmt: skip
    catalog, _, found = leaks(tmp_path, *rows)
    differs = found["group_differs"]
    assert sets(catalog, differs) == {frozenset(["x1", "x2"])}
    assert differs.score[0] == 0
    assert differs.score[1] > 0.2
    assert differs.facts == {"groups": 3, "differ": 1, "products": 2}


@pytest.mark.parametrize("seed", range(10))
def test_leaked_rows_and_pairs_are_those_of_comparing_all_with_all(seed: int):
    rng = np.random.default_rng(seed)
    p, m, n = 30, 40, 60
    picture = np.unique(rng.integers(m, size=n), return_index=True, return_inverse=True)
    inventory = Inventory(
        photo_row=np.arange(n), photo_product=rng.integers(p, size=n), photo_picture=picture[2], first_photo=picture[1],
        hashes=rng.integers(2**63, size=len(picture[0])).astype(np.uint64), category=np.zeros(p, np.int32),
        split=rng.integers(-1, 3, p), group=rng.integers(-1, 25, p), categories=("a",), splits=("train", "val", "test"),
        groups=25,
    )  # fmt: skip
    alike_pairs = {tuple(sorted(rng.choice(inventory.pictures, 2, replace=False).tolist())) for _ in range(6)}
    i, j = np.array(sorted(alike_pairs)).T
    bonds = Bonds.of(inventory, Taxonomy([Node("a", "a", None)]), (i, j))
    shows = [set(inventory.photo_picture[inventory.photo_product == product].tolist()) for product in range(p)]
    split, group = inventory.split, inventory.group
    expected, across = np.zeros(p, np.bool_), set[tuple[int, int]]()
    for one, other in combinations(range(p), 2):
        alike = any(a == b or (min(a, b), max(a, b)) in alike_pairs for a in shows[one] for b in shows[other])
        if not (alike or (group[one] == group[other] >= 0)) or min(split[one], split[other]) < 0:
            continue
        across |= {(one, other)} if split[one] != split[other] else set()
        for learned, tested in ((one, other), (other, one)):
            expected[tested] |= split[learned] == 0 and split[tested] > 0
    assert leaked(inventory, bonds).tolist() == expected.tolist()
    assert expected.any()
    looks = np.arange(inventory.pictures, dtype=np.int32)
    found = Alike(inventory, bonds, looks, len(looks), np.zeros(len(looks), np.bool_))
    listed = of_kind(find_leaks(found), "across_splits").product.tolist()
    assert sorted(listed) == sorted({product for pair in across for product in pair})


@pytest.mark.parametrize("photos", [(), (b"no picture",)])
def test_a_catalog_without_a_usable_photo_has_nothing_to_find(tmp_path: Path, photos: tuple[bytes, ...]):
    rows = [record(name, *photos, group="g", split=split) for name, split in (("a", "train"), ("b", "train"))]
    catalog, alike, found = leaks(tmp_path, *rows)
    parts = [*found.values(), *find_repeats(catalog, alike), *find_placeholders(alike)]
    assert [len(part) for part in parts] == [0] * len(parts)


def test_a_placeholder_binds_no_splits_and_is_on_no_wrong_shelf(tmp_path: Path):
    rows = [
        record(f"{shelf}{n}", mug(1), category=shelf, split=("train", "test")[n % 2])
        for n in range(3)
        for shelf in "abc"
    ]
    _, alike, found = leaks(tmp_path, *rows)
    assert alike.bonds.placeholders.tolist() == [True]
    assert [len(found[kind]) for kind in ("several_categories", "across_splits")] == [0, 0]
    assert not leaked(alike.inventory, alike.bonds).any()
