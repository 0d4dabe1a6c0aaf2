from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawn_shop import run_python
from shelfwise.split.assign import Plan, Rows, assign

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def alone(n: int, categories: list[str | None] | None = None, first: int = 0) -> Rows:
    ids = [f"p{number}" for number in range(first, first + n)]
    return Rows(ids, [None] * n, np.arange(n), categories or [None] * n, [None] * n)


def test_shares_are_met_by_chance_for_products_that_are_alone():
    counts = Counter(assign(alone(20_000), Plan(shares=SHARES)))
    for name, share in SHARES.items():
        assert abs(counts[name] - 20_000 * share) < 4 * (20_000 * share * (1 - share)) ** 0.5


def test_units_of_many_products_meet_the_shares_too():
    rows = replace(alone(40_000), units=np.arange(40_000) // 10)
    counts = Counter(assign(rows, Plan(shares=SHARES)))
    assert abs(counts["test"] - 4_000) < 4 * 10 * (4_000 * 0.1 * 0.9) ** 0.5


def test_a_unit_is_never_torn_apart_and_another_seed_is_another_split():
    rows = replace(alone(300), units=np.arange(300) % 60)
    first, second = (assign(rows, Plan(shares=SHARES, seed=seed)) for seed in (0, 1))
    for split in (first, second):
        assert all(len({split[place] for place in range(unit, 300, 60)}) == 1 for unit in range(60))
    assert first != second


def test_the_split_of_a_group_is_that_of_its_name_whoever_is_in_it():
    def of_group(ids: list[str]) -> str:
        rows = Rows(ids, ["shoe 7"] * len(ids), np.zeros(len(ids), np.int64), [None] * len(ids), [None] * len(ids))
        return assign(rows, Plan(shares={"a": 0.5, "b": 0.5}))[0]

    assert {of_group([f"id {number}", f"other {number}"]) for number in range(40)} == {of_group(["x"])}
    names = {assign(alone(1, first=number), Plan(shares={"a": 0.5, "b": 0.5}))[0] for number in range(40)}
    assert names == {"a", "b"}


def test_what_has_a_split_keeps_it_and_the_others_follow_the_majority_of_their_unit():
    splits = ["val", "val", "test", None, "holdout", None, "train", "train", "test", "test", None]
    units = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
    rows = Rows([f"p{i}" for i in range(11)], [None] * 11, units, [None] * 11, splits)
    for plan in (Plan(shares=SHARES), Plan(shares=SHARES, stratify=True)):
        after = assign(rows, plan)
        assert [new for new, old in zip(after, splits, strict=True) if old] == [old for old in splits if old]
        assert (after[3], after[5]) == ("val", "holdout")
        assert after[10] in ("train", "test")
    ties = {
        assign(replace(rows, ids=[f"q{seed}-{i}" for i in range(11)]), Plan(shares=SHARES))[10] for seed in range(30)
    }
    assert ties == {"train", "test"}


def largest_remainders(n: int, shares: dict[str, Fraction]) -> list[int]:
    """Return the sizes in order of size, worked out in fractions: of equal remainders any may be rounded up."""
    exact = {name: n * share for name, share in shares.items()}
    left = n - sum(int(value) for value in exact.values())
    up = sorted(exact, key=lambda name: exact[name] - int(exact[name]), reverse=True)[:left]
    return sorted(int(exact[name]) + (name in up) for name in exact)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(0, 5))
def test_stratified_shares_are_exact_in_every_category(sizes: list[int], seed: int):
    categories = [f"c{place}" for place, size in enumerate(sizes) for _ in range(size)]
    after = assign(alone(len(categories), list(categories)), Plan(shares=SHARES, seed=seed, stratify=True))
    fractions = {"train": Fraction(8, 10), "val": Fraction(1, 10), "test": Fraction(1, 10)}
    for place, size in enumerate(sizes):
        counts = Counter(split for split, category in zip(after, categories, strict=True) if category == f"c{place}")
        assert sorted(counts[name] for name in SHARES) == largest_remainders(size, fractions)


def test_equal_remainders_do_not_always_favor_the_same_split():
    categories: list[str | None] = [f"c{place // 4}" for place in range(4_000)]
    counts = Counter(assign(alone(4_000, categories), Plan(shares=SHARES, stratify=True)))
    assert counts["train"] == 3_000
    assert 400 < counts["val"] < 600


def test_stratified_new_products_bring_the_shares_near_and_large_units_are_placed_first():
    rows = replace(alone(20, ["c"] * 20), splits=["train"] * 10 + [None] * 10)
    assert Counter(assign(rows, Plan(shares={"train": 0.5, "test": 0.5}, stratify=True))) == {"train": 10, "test": 10}
    units = np.array([0] * 8 + list(range(1, 13)))
    counts = Counter(assign(replace(alone(20, ["c"] * 20), units=units), Plan(shares=SHARES, stratify=True)))
    assert counts == {"train": 16, "val": 2, "test": 2}


def test_folds_are_shares_that_are_equal():
    folds = {f"fold-{number}": 0.25 for number in range(1, 5)}
    counts = Counter(assign(alone(403, ["c"] * 403), Plan(shares=folds, stratify=True)))
    assert sorted(counts.values()) == [100, 101, 101, 101]


def test_no_product_has_no_split():
    assert assign(alone(0), Plan(shares=SHARES)) == assign(alone(0), Plan(shares=SHARES, stratify=True)) == []


@pytest.mark.parametrize("stratify", [False, True])
def test_the_order_of_rows_and_the_process_do_not_matter(stratify: bool):
    rng = random.Random(3)
    categories: list[str | None] = [rng.choice(["a", "b", None]) for _ in range(200)]
    rows = replace(alone(200, categories), units=np.array([rng.randrange(120) for _ in range(200)]))
    plan = Plan(shares=SHARES, stratify=stratify)
    expected = dict(zip(rows.ids, assign(rows, plan), strict=True))
    for _ in range(10):
        order = rng.sample(range(200), 200)
        renumbered = rng.sample(range(1000), 120)
        shuffled = Rows(
            [rows.ids[p] for p in order], [None] * 200, np.array([renumbered[rows.units[p]] for p in order]),
            [categories[p] for p in order], [None] * 200,
        )  # fmt: skip
        assert dict(zip(shuffled.ids, assign(shuffled, plan), strict=True)) == expected


def test_the_places_are_pinned_so_that_no_release_moves_a_product():
    code = """
from hashlib import blake2b
def h(*words):
    return int.from_bytes(blake2b("\\0".join(words).encode(), digest_size=8).digest(), "big")
for seed in "07":
    print(*(next(name for name, end in (("train", .8), ("val", .9), ("test", 1)) if place < end)
        for i in range(50) for place in [h(seed, "place", str(h(seed, "product", f"p{i}"))) / 2**64]))
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    for seed, line in zip((0, 7), done.stdout.splitlines(), strict=True):
        assert assign(alone(50), Plan(shares=SHARES, seed=seed)) == line.split()


def test_units_of_several_categories_count_under_their_most_frequent_one():
    categories: list[str | None] = ["a", "a", "b", *["a"] * 3, *["b"] * 6]
    units = np.array([0, 0, 0, *range(1, 10)])
    after = assign(replace(alone(12, categories), units=units), Plan(shares={"x": 0.5, "y": 0.5}, stratify=True))
    under: dict[str, Counter[str]] = defaultdict(Counter)
    for place, split in enumerate(after):
        under["a" if place < 6 else "b"][split] += 1
    assert under == {"a": Counter(x=3, y=3), "b": Counter(x=3, y=3)}
