from __future__ import annotations

from itertools import product
from math import log

import numpy as np
import pytest
from numpy.typing import NDArray

from shelfwise.statistics.spread import Shelves, Spread, spread
from shelfwise.taxonomy import Node, Taxonomy


def flat(*sizes: int) -> Shelves:
    return Shelves(np.arange(len(sizes), dtype=np.int32)[:, None], np.array(sizes))


def of_one(categories: list[int] | NDArray[np.integer], shelves: Shelves) -> Spread:
    category = np.asarray(categories, dtype=np.int32)
    return spread(np.zeros(len(category), np.int32), category, 1, shelves)


def entropy(categories: NDArray[np.integer]) -> float:
    share = np.bincount(categories) / len(categories)
    return float(-sum(s * log(s) for s in share if s))


def mean_of_all_draws(draws: int, sizes: tuple[int, ...]) -> float:
    """Go through every outcome of the draws, with its probability."""
    share = [size / sum(sizes) for size in sizes]
    outcomes = product(range(len(sizes)), repeat=draws)
    return sum(float(np.prod([share[c] for c in outcome])) * entropy(np.array(outcome)) for outcome in outcomes)


@pytest.mark.parametrize(("draws", "sizes"), [(2, (1, 1)), (5, (7, 2, 1)), (6, (1, 50, 3, 9)), (3, (10**6, 1, 0, 5))])
def test_the_share_of_chance_is_the_entropy_over_its_mean_in_all_draws(draws: int, sizes: tuple[int, ...]):
    drawn = np.arange(draws) % 2
    assert of_one(drawn, flat(*sizes)).share[0] == pytest.approx(
        entropy(drawn) / mean_of_all_draws(draws, sizes), rel=1e-6
    )


def test_many_draws_are_as_spread_as_simulated_ones():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 10**6, 500) // rng.integers(1, 1000, 500) + 1
    shares = [
        of_one(rng.choice(500, 15_000, p=sizes / sizes.sum()), flat(*sizes)).share[0] for _ in range(20)
    ]  # fmt: skip
    assert np.mean(shares) == pytest.approx(1, abs=0.002)


def test_counts_are_those_of_products_with_a_category():
    found = spread(np.array([0, 0, 0, 2, 2]), np.array([4, 4, 1, -1, 3]), 3, flat(9, 9, 9, 9, 9))
    assert (found.products.tolist(), found.categories.tolist(), found.outside.tolist()) == (
        [3, 0, 1],
        [2, 0, 1],
        [1, 0, 0],
    )
    assert found.share[1:].tolist() == [0, 0]


TREE = Taxonomy([
    Node(top, top, None) for top in "ABC"
] + [Node(f"{top}{leaf}", leaf, top) for top in "ABC" for leaf in "1234"])  # fmt: skip


def test_siblings_are_less_spread_than_categories_of_several_branches():
    shelves = Shelves.of(TREE, TREE.leaves, np.repeat(np.arange(12), 40))
    assert shelves.filed.tolist() == [40] * 12
    siblings, cousins = (of_one(np.resize(leaves, 30), shelves) for leaves in ([0, 1, 2], [0, 4, 8]))
    assert siblings.categories == cousins.categories == 3
    tops, leaves = (mean_of_simulated(30, n) for n in (3, 12))
    assert siblings.share[0] == pytest.approx(log(3) / (tops + leaves), rel=0.01)
    assert cousins.share[0] == pytest.approx(2 * log(3) / (tops + leaves), rel=0.01)
    assert (siblings.everywhere[0], cousins.everywhere[0]) == (False, True)


def mean_of_simulated(draws: int, categories: int) -> float:
    rng = np.random.default_rng(1)
    return float(np.mean([entropy(rng.integers(categories, size=draws)) for _ in range(3000)]))


@pytest.mark.parametrize(
    ("counts", "placeholder"),
    [
        ([1] * 6, True),  # the demo's: six products, six shelves
        ([1, 1], False),  # one of two is on the wrong shelf
        ([1, 1, 1], False),  # two of three are
        ([1, 1, 1, 1], False),
        ([1, 1, 1, 1, 1], True),
        ([15], False),  # listed often
        ([12, 1, 1, 1], False),  # and misfiled three times
        ([20, 3, 3], False),
        ([15, 15], False),  # two kinds of product with one table of sizes
        ([10, 10, 10], True),
    ],
)
def test_few_products_are_judged_with_care(counts: list[int], placeholder: bool):
    shelves = Shelves.of(TREE, TREE.leaves, np.repeat(np.arange(12), 40))
    # one category of each branch in turn
    of_branches = np.arange(12).reshape(3, 4).T.ravel()
    assert of_one(np.repeat(of_branches[: len(counts)], counts), shelves).everywhere[0] == placeholder


def cdiscount(rng: np.random.Generator) -> Shelves:
    """Draw a tree like Cdiscount's: 49, 483 and 5,270 categories, of which 134 hold half of 7 million products."""
    middle = rng.integers(49, size=483)
    of_leaf = rng.integers(483, size=5270)
    sizes = np.exp(rng.normal(0, 1.8, 5270))
    largest = np.argsort(-sizes)[:134]
    rest = np.setdiff1d(np.arange(5270), largest)
    sizes[largest] *= 3.5e6 / sizes[largest].sum()
    sizes[rest] *= 3.5e6 / sizes[rest].sum()
    above = np.stack([middle[of_leaf], of_leaf, np.arange(5270)], axis=1).astype(np.int32)
    return Shelves(above, np.maximum(sizes.astype(np.int64), 1))


def over(rng: np.random.Generator, products: int, categories: int, weights: str, shelves: Shelves) -> NDArray[np.int64]:
    """Put products on so many categories, at least one on each: even, by size, or ever fewer."""
    by_size = shelves.filed / shelves.filed.sum()
    chosen = rng.choice(5270, categories, replace=False, p=by_size if weights == "by size" else None)
    odds = {"even": np.ones(categories), "by size": by_size[chosen], "zipf": 1 / np.arange(1, categories + 1)}[weights]
    rest = rng.choice(chosen, products - categories, p=odds / odds.sum())
    return np.concatenate((chosen, rest))


@pytest.mark.parametrize("weights", ["even", "by size", "zipf"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_placeholders_that_were_counted_at_cdiscount_are_told_from_its_useful_repeats(weights: str, seed: int):
    """Source: reference system R4, "Duplicates"."""
    rng = np.random.default_rng(seed)
    shelves = cdiscount(rng)
    assert np.sort(shelves.filed)[-134:].sum() / shelves.filed.sum() == pytest.approx(0.5, abs=0.01)
    placeholders = [over(rng, *counts, weights, shelves) for counts in ((15_013, 429), (1_907, 260), (828, 139))]
    covers = int(np.argmax(shelves.filed))
    useful = [np.full(16_000, covers)] * 3
    parent = shelves.above[covers, 1]
    siblings = np.flatnonzero(shelves.above[:, 1] == parent)[:3]
    useful.append(np.resize(siblings, 16_000))  # the covers of three brands
    useful.append(np.concatenate((np.full(15_500, covers), rng.integers(5270, size=500))))  # some misfiled
    sets = placeholders + useful
    found = spread(np.repeat(np.arange(len(sets)), [len(s) for s in sets]), np.concatenate(sets), len(sets), shelves)
    assert found.everywhere.tolist() == [True] * 3 + [False] * 5
    assert found.categories[:3].tolist() == [429, 260, 139]
    print(weights, seed, found.share.round(3))
