from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shelfwise.errors import OptionError
from shelfwise.index import hamming
from shelfwise.index.hamming import pairs_within


def every_pair(hashes: list[int], radius: int) -> set[tuple[int, int]]:
    """Compare all with all; of equal hashes the first stands for the others."""
    first = {h: place for place, h in reversed(list(enumerate(hashes)))}
    close = {
        (i, j) for a, i in first.items() for b, j in first.items() if i < j and (a ^ b).bit_count() <= radius
    }  # fmt: skip
    return close | {(first[h], place) for place, h in enumerate(hashes) if first[h] != place}


def found(hashes: list[int], radius: int) -> list[tuple[int, int]]:
    i, j = pairs_within(np.array(hashes, dtype=np.uint64), radius)
    assert i.dtype == j.dtype == np.int64
    return list(zip(i.tolist(), j.tolist(), strict=True))


@st.composite
def crowded_hashes(draw: st.DrawFn) -> list[int]:
    """Draw hashes around a few centers, so that pairs at every distance occur."""
    centers = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3))
    flips = st.lists(st.integers(0, 63), max_size=10)
    rows = draw(st.lists(st.tuples(st.sampled_from(centers), flips), max_size=40))
    return [center ^ sum({1 << bit for bit in bits}) for center, bits in rows]


@settings(max_examples=150, deadline=None)
@given(crowded_hashes(), st.integers(0, 11))
def test_exactly_the_pairs_of_comparing_all_with_all_are_found_once_and_in_order(hashes: list[int], radius: int):
    assert found(hashes, radius) == sorted(every_pair(hashes, radius))


@pytest.mark.parametrize("radius", [0, 3, 4, 7, 8, 12, 15])
def test_pairs_at_the_radius_are_found_and_pairs_one_bit_further_are_not_wherever_the_bits_lie(radius: int):
    rng = np.random.default_rng(radius)
    hashes: list[int] = []
    for _ in range(60):
        center, other = (int(value) for value in rng.integers(2**63, size=2))
        at, beyond = (sum(1 << int(bit) for bit in rng.choice(64, k, replace=False)) for k in (radius, radius + 1))
        hashes += [center, center ^ at, other, other ^ beyond]
    assert found(hashes, radius) == [(place, place + 1) for place in range(0, 240, 4)]


def test_blocks_cut_anywhere_give_the_same_pairs(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(4)
    hashes = [int(h) for h in rng.integers(0, 2**16, 400, dtype=np.uint64)]  # three bands of all are equal
    whole = found(hashes, 5)
    assert whole == sorted(every_pair(hashes, 5))
    monkeypatch.setattr(hamming, "_BLOCK", 97)
    assert found(hashes, 5) == whole


def test_a_search_with_bands_that_must_be_equal_is_seen_to_miss_pairs(monkeypatch: pytest.MonkeyPatch):
    spread = 0b1 | 0b1 << 16 | 0b1 << 32 | 0b1 << 48
    assert found([0, spread], 4) == [(0, 1)]
    monkeypatch.setattr(hamming, "_changes", lambda bits: [0])  # noqa: ARG005
    assert found([0, spread], 4) == []


def test_fifteen_thousand_equal_hashes_among_others_stay_small():
    rng = np.random.default_rng(1)
    hashes: NDArray[np.uint64] = rng.integers(0, 2**64, 35_000, dtype=np.uint64)
    hashes[rng.choice(35_000, 15_000, replace=False)] = 0x8000_0000_0000_0000
    tracemalloc.start()
    i, j = pairs_within(hashes, 6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert int((hashes[i] == hashes[j]).sum()) == 14_999
    assert peak < 400e6


def test_no_hash_or_one_has_no_pairs():
    assert found([], 6) == found([7], 6) == []


@pytest.mark.parametrize("radius", [-1, 16])
def test_a_radius_that_cannot_be_searched_is_an_error(radius: int):
    with pytest.raises(OptionError, match="choose from 0 to 15"):
        pairs_within(np.zeros(2, dtype=np.uint64), radius)
