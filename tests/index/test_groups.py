from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shelfwise.index.groups import groups, look_alike_groups

Pairs = set[tuple[int, int]]


def grouped(n: int, pairs: Pairs, half: Pairs | None = None) -> list[int]:
    listed = sorted(pairs)
    i, j = (np.array([pair[side] for pair in listed], dtype=np.int64) for side in (0, 1))
    marks = None if half is None else np.array([pair in half for pair in listed], dtype=np.bool_)
    return groups(n, i, j, marks).tolist()


def members(group: list[int]) -> list[list[int]]:
    return [[p for p, g in enumerate(group) if g == number] for number in range(max(group, default=-1) + 1)]


def clique(*places: int) -> Pairs:
    return set(itertools.combinations(sorted(places), 2))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Pairs]:
    n = draw(st.integers(0, 14))
    possible = list(itertools.combinations(range(n), 2))
    return n, draw(st.sets(st.sampled_from(possible), max_size=60)) if possible else set()


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_every_two_members_of_a_group_are_a_pair_and_nobody_free_could_still_join(graph: tuple[int, Pairs]):
    n, pairs = graph
    group = grouped(n, pairs)
    found = members(group)
    assert all(clique(*places) <= pairs and len(places) > 1 for places in found)
    assert [places[0] for places in found] == sorted(places[0] for places in found)
    alone = [place for place in range(n) if group[place] < 0]
    assert not clique(*alone) & pairs
    assert not any(clique(place, *places) <= pairs for place in alone for places in found)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=25))
def test_with_the_pairs_of_half_the_distance_alone_no_two_members_are_farther_apart_than_the_whole(at: list[int]):
    """Points on a line; the pairs with the first point of each are all that is given of those that are equal."""
    first = {value: place for place, value in reversed(list(enumerate(at)))}
    shown = [place for place, value in enumerate(at) if first[value] == place]
    pairs = {(a, b) for a, b in clique(*shown) if abs(at[a] - at[b]) <= 4}
    pairs |= {(first[value], place) for place, value in enumerate(at) if first[value] != place}
    group = grouped(len(at), pairs, {(a, b) for a, b in pairs if abs(at[a] - at[b]) <= 2})
    for places in members(group):
        assert max(at[p] for p in places) - min(at[p] for p in places) <= 4
    for places in ([p for p, v in enumerate(at) if v == value] for value in first):
        assert len(places) < 3 or len([p for p in places if group[p] >= 0]) > 0


def test_a_chain_is_no_group():
    assert grouped(3, {(0, 1), (1, 2)}) == [0, 0, -1]


def test_the_place_with_most_partners_comes_first_and_equals_by_place():
    assert grouped(6, clique(1, 2, 3, 4) | {(0, 1), (4, 5)}) == [-1, 0, 0, 0, 0, -1]
    assert grouped(4, {(0, 1), (1, 2), (2, 3), (0, 3)}) == [0, 0, 1, 1]


def test_groups_are_numbered_by_their_first_members_and_those_alone_have_none():
    assert grouped(8, {(1, 6)} | clique(3, 4, 5)) == [-1, 0, -1, 1, 1, 1, 0, -1]
    assert grouped(0, set()) == []
    assert grouped(2, set()) == [-1, -1]


def test_copies_compared_with_the_first_alone_stay_one_group_if_they_are_close_enough_to_it():
    star = {(0, place) for place in range(1, 50)}
    assert grouped(50, star, star) == [0] * 50
    assert grouped(50, star, {(0, place) for place in range(1, 30)}) == [0] * 30 + [-1] * 20
    assert sorted(grouped(50, star)) == [-1] * 48 + [0] * 2


def test_a_component_of_ten_thousand_and_a_million_places_take_seconds():
    rng = np.random.default_rng(0)
    point = np.sort(rng.random(10_000))
    near = np.searchsorted(point, point + 0.01, side="right")
    large = [(np.full(stop - place - 1, place), np.arange(place + 1, stop)) for place, stop in enumerate(near)]
    i, j = (np.concatenate(side) for side in zip(*large, strict=True))
    couples = np.arange(10_000, 1_000_000, 4)
    i, j = (
        np.concatenate((i, couples, couples, couples + 1)),
        np.concatenate((j, couples + 1, couples + 2, couples + 2)),
    )
    started = time.process_time()
    group = groups(1_000_000, i, j)
    assert time.process_time() - started < 20
    size = np.bincount(group[group >= 0])
    assert (size[group[10_000::4]] == 3).all()
    assert (group[:10_000] >= 0).mean() > 0.99
    for number in np.unique(group[:10_000][group[:10_000] >= 0]):
        assert np.ptp(point[group[:10_000] == number]) <= 0.01


def looks(n: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(40, 210, (n, 32, 32, 3), dtype=np.uint8)


def noisy(look: NDArray[np.uint8], n: int, spread: float) -> NDArray[np.uint8]:
    rng = np.random.default_rng(n)
    return (look + rng.normal(0, spread, (n, 32, 32, 3))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("radius", [4, 6])
def test_no_two_pictures_of_a_group_differ_by_more_bits_or_correlate_less_than_asked(radius: int):
    rng = np.random.default_rng(radius)
    base, n = looks(6, 1), 600
    look, spread = rng.integers(6, size=n), rng.choice([1, 6, 10, 14], n)
    thumbnails = np.concatenate([noisy(base[k], 1, s) for k, s in zip(look, spread, strict=True)])
    hashes = np.uint64(2**63) * (look % 3).astype(np.uint64)  # three hashes, so that each has a crowd
    for _ in range(4):
        hashes ^= (np.uint64(1) << rng.integers(0, 64, n, dtype=np.uint64)) * (rng.random(n) < 0.3).astype(np.uint64)
    group = look_alike_groups(hashes, lambda places: thumbnails[places], radius, 0.95).tolist()
    correlation = np.corrcoef(thumbnails.reshape(n, -1).astype(np.float64))
    assert max(len(places) for places in members(group)) > 60
    for places in members(group):
        assert np.bitwise_count(hashes[places][:, None] ^ hashes[places]).max() <= radius
        assert correlation[np.ix_(places, places)].min() >= 0.95 - 1e-5
        assert len(set(look[places])) == 1


def test_a_placeholder_saved_five_thousand_times_is_one_group_and_others_with_its_hash_are_not_in_it():
    placeholder, other = looks(2, 2)
    thumbnails = np.concatenate([noisy(placeholder, 5000, 3), noisy(other, 1, 3)])
    hashes = np.zeros(5001, dtype=np.uint64)
    hashes[[70, 71, 4000]] = [1, 2, 3]
    group = look_alike_groups(hashes, lambda places: thumbnails[places], 4, 0.95)
    assert (group[:5000] == 0).all()
    assert group[5000] == -1
