from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shelfwise.errors import OptionError
from shelfwise.index import hamming
from shelfwise.index.hamming import HashIndex, pairs_within


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


@pytest.mark.parametrize("more", [1, 2, 3])
@settings(max_examples=60, deadline=None)
@given(hashes=crowded_hashes(), radius=st.integers(1, 5))
def test_cut_into_any_number_of_blocks_the_same_pairs_are_found(more: int, hashes: list[int], radius: int):
    with pytest.MonkeyPatch.context() as patch:  # so few hashes would otherwise be compared all with all
        patch.setattr(hamming, "_blocks", lambda n, bits, radius: min(radius + more, max(bits, radius)))  # noqa: ARG005
        patch.setattr(hamming, "_RUN", 8)
        assert found(hashes, radius) == sorted(every_pair(hashes, radius))


@pytest.mark.parametrize("radius", [1, 2, 3, 4, 5, 6, 7])
def test_thousands_of_hashes_give_the_pairs_of_comparing_all_with_all(radius: int):
    rng = np.random.default_rng(radius)
    centers = rng.integers(0, 2**64, 700, dtype=np.uint64)
    hashes = rng.permutation(np.unique(np.concatenate([centers ^ flips(rng, 700, radius + 1) for _ in range(9)])))
    assert hamming._blocks(len(hashes), 64, radius) > radius
    i, j = pairs_within(hashes, radius)
    assert len(i) > 1000
    assert np.array_equal(np.stack((i, j)), comparing_all(hashes, radius))


def flips(rng: np.random.Generator, n: int, most: int) -> NDArray[np.uint64]:
    """Draw words (n,) with at most so many bits set."""
    words = np.zeros(n, dtype=np.uint64)
    for _ in range(most):
        words |= (np.uint64(1) << rng.integers(0, 64, n, dtype=np.uint64)) * rng.integers(0, 2, n, dtype=np.uint64)
    return words


def comparing_all(hashes: NDArray[np.uint64], radius: int) -> NDArray[np.int64]:
    return np.stack(np.nonzero(np.triu(np.bitwise_count(hashes[:, None] ^ hashes[None, :]) <= radius, 1)))


@pytest.mark.parametrize(
    ("name", "mask", "steady"),
    [
        ("all but the top 20 bits are equal", 0xFFFF_F000_0000_0000, 0),
        ("every fourth bit varies", 0x1111_1111_1111_1111, 2**63),
        ("one byte of four varies, and a few hashes share nothing", 0x00FF_00FF_0000_0000, 1),
    ],
)
def test_hashes_of_pictures_with_little_on_them_are_searched_by_the_bits_that_vary(name: str, mask: int, steady: int):
    rng = np.random.default_rng(len(name))
    hashes: NDArray[np.uint64] = rng.integers(0, 2**64, 6000, dtype=np.uint64) & np.uint64(mask) | np.uint64(steady)
    hashes[::50] = rng.integers(0, 2**64, 120, dtype=np.uint64)
    distinct = np.unique(hashes)
    i, j = pairs_within(distinct, 2)
    assert np.array_equal(np.stack((i, j)), comparing_all(distinct, 2))


def test_tiles_and_runs_cut_anywhere_give_the_same_pairs(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(4)
    hashes = [int(h) for h in rng.integers(0, 2**16, 400, dtype=np.uint64)]
    whole = found(hashes, 5)
    assert whole == sorted(every_pair(hashes, 5))
    monkeypatch.setattr(hamming, "_TILE", 97)
    assert found(hashes, 5) == whole
    monkeypatch.setattr(hamming, "_blocks", lambda n, bits, radius: min(radius + 1, max(bits, radius)))  # noqa: ARG005
    for run in (30, 60):
        monkeypatch.setattr(hamming, "_RUN", run)
        assert found(hashes, 5) == whole


def test_a_search_under_one_key_alone_is_seen_to_miss_pairs(monkeypatch: pytest.MonkeyPatch):
    hashes = [0, 0b1 | 0b1 << 16 | 0b1 << 32 | 0b1 << 48, 2**64 - 1]
    monkeypatch.setattr(hamming, "_blocks", lambda n, bits, radius: 6)  # noqa: ARG005
    assert found(hashes, 4) == [(0, 1)]
    monkeypatch.setattr(hamming, "combinations", lambda blocks, k: [tuple(range(k))])  # noqa: ARG005
    assert found(hashes, 4) == []


@pytest.mark.slow
def test_a_million_hashes_take_seconds_and_little_memory():
    rng = np.random.default_rng(2)
    hashes: NDArray[np.uint64] = rng.integers(0, 2**64, 1_000_000, dtype=np.uint64)
    copies = rng.permutation(1_000_000)[:200_000].reshape(2, -1)
    hashes[copies[0]] = hashes[copies[1]] ^ flips(rng, 100_000, 4)
    tracemalloc.start()
    i, j = pairs_within(hashes, 4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (np.bitwise_count(hashes[i] ^ hashes[j]) <= 4).all()
    planted = set(zip(np.minimum(*copies).tolist(), np.maximum(*copies).tolist(), strict=True))
    assert (
        set(zip(i.tolist(), j.tolist(), strict=True)) == planted
    )  # two of random hashes are so close once in 50 such sets
    assert peak < 300e6


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


def test_the_index_finds_what_comparing_with_every_hash_finds_also_after_more_came():
    rng = np.random.default_rng(5)
    center = np.uint64(0x0123_4567_89AB_CDEF)
    hashes = center ^ flips(rng, 3000, 12)
    index = HashIndex(hashes[:1000])
    for place in range(1000, 3000):
        assert index.add(int(hashes[place])) == place
    assert len(index) == 3000
    for radius in (0, 3, 15):
        places, bits = index.within(int(hashes[7]), radius)
        expected = [(p, (int(h) ^ int(hashes[7])).bit_count()) for p, h in enumerate(hashes.tolist())]
        assert list(zip(places.tolist(), bits.tolist(), strict=True)) == [e for e in expected if e[1] <= radius]


def test_many_new_hashes_are_compared_like_one_after_the_other(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hamming, "_TILE", 700)
    rng = np.random.default_rng(6)
    hashes, new = (np.uint64(99) ^ flips(rng, n, 8) for n in (3000, 40))
    index = HashIndex(hashes)
    numbers, places, bits = index.within_each(new, 4)
    alone = [(number, *pair) for number, h in enumerate(new) for pair in zip(*index.within(int(h), 4), strict=True)]
    assert list(zip(numbers, places, bits, strict=True)) == alone
    assert len(alone) > 100


def test_an_empty_index_finds_nothing_until_something_comes():
    index = HashIndex(np.array([], dtype=np.uint64))
    assert [len(side) for side in index.within(5, 4)] == [0, 0]
    assert index.add(5) == 0
    assert [side.tolist() for side in index.within(4, 1)] == [[0], [1]]


def test_the_index_does_not_change_what_it_was_given():
    given_hashes = np.arange(3, dtype=np.uint64)
    index = HashIndex(given_hashes)
    given_hashes[:] = 77
    assert index.within(1, 0)[0].tolist() == [1]
