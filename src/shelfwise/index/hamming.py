"""All pairs of 64-bit hashes within a Hamming radius, and all hashes within it of a new one: complete, not approximate."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import combinations, groupby
from math import ceil, comb

import numpy as np
from numpy.typing import NDArray

from shelfwise.engines.local import available_cores, map_ordered
from shelfwise.errors import OptionError

LARGEST_RADIUS = 15
# Nanoseconds: a hash under a key, a pair with equal keys, a pair where all are compared, a key however few the hashes.
# Source: docs/experiments.md, hashes within a radius. They decide how fast an answer comes, not what it is.
_HASH_NS, _PAIR_NS, _PLAIN_NS, _KEY_NS = 75, 7, 1, 200_000
# So many hashes keep two threads busy; with fewer they wait for one another.
_WORTH_THREADS = 2**15
# Hashes with one key that are compared side by side; more are searched by their other bits.
_RUN = 256
# Pairs compared together where all are compared with all: what fits in a core's cache.
_TILE = 2**17

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]
Pairs = tuple[Places, Places]


def pairs_within(hashes: Hashes, radius: int) -> Pairs:
    """Return the places i < j (m,) of all pairs of hashes (n,) that differ in at most `radius` bits, in order.

    Of equal hashes the first stands for the others, each of which is paired with it and nothing else: n equal ones give
    n - 1 pairs. Made for small radii: beyond 8 bits a million hashes take minutes. Raises OptionError for a radius
    outside 0 to LARGEST_RADIUS.
    Source: of b blocks of bits, radius differing bits leave b - radius untouched: Manku, Jain and Das Sarma 2007,
    "Detecting Near-Duplicates for Web Crawling", section 3.
    """
    _check(radius)
    distinct, first, group = np.unique(np.asarray(hashes, dtype=np.uint64), return_index=True, return_inverse=True)
    others = np.flatnonzero(first[group] != np.arange(len(group)))
    threads = available_cores() if len(distinct) >= _WORTH_THREADS else 1
    a, b = _distinct_pairs(distinct, radius, threads) if radius else _joined([])
    i, j = np.concatenate((first[a], first[group[others]])), np.concatenate((first[b], others))
    pairs = np.minimum(i, j).astype(np.uint64) << np.uint64(32) | np.maximum(i, j).astype(np.uint64)
    pairs.sort()
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(2**32 - 1)).astype(np.int64)


class HashIndex:
    """Hashes that new ones are compared with, all of them: a million take a millisecond, and there is nothing to build."""

    def __init__(self, hashes: Hashes) -> None:
        """Take hashes (n,); their places are their numbers."""
        self._hashes = np.array(hashes, dtype=np.uint64)
        self._count = len(self._hashes)

    def __len__(self) -> int:
        return self._count

    def add(self, hash_: int) -> int:
        """Take one more hash and return its place."""
        if self._count == len(self._hashes):
            self._hashes = np.concatenate((self._hashes, np.zeros(self._count + 1024, dtype=np.uint64)))
        self._hashes[self._count] = hash_
        self._count += 1
        return self._count - 1

    def within(self, hash_: int, radius: int) -> tuple[Places, NDArray[np.uint8]]:
        """Return the places (m,) of the hashes that differ from this one in at most `radius` bits, and in how many."""
        _, places, bits = self.within_each(np.array([hash_], dtype=np.uint64), radius)
        return places, bits

    def within_each(self, hashes: Hashes, radius: int) -> tuple[Places, Places, NDArray[np.uint8]]:
        """Return, for new hashes (k,), which is close to what: number of the new one, place, bits apart; all (m,), in order."""
        _check(radius)
        ours = self._hashes[: self._count]
        starts = range(0, len(ours), _TILE)
        search = partial(_near_tile, hashes, ours, radius)
        found = list(map_ordered(search, starts, available_cores())) if len(hashes) > 1 else [search(s) for s in starts]
        new, places = _joined(found)
        order = np.lexsort((places, new))
        new, places = new[order], places[order]
        return new, places, np.bitwise_count(hashes[new] ^ ours[places])


def _check(radius: int) -> None:
    if not 0 <= radius <= LARGEST_RADIUS:
        raise OptionError(f"a Hamming radius of {radius}: choose from 0 to {LARGEST_RADIUS}")


def _joined(found: list[Pairs]) -> Pairs:
    i, j = zip((np.empty(0, np.int64),) * 2, *found, strict=True)
    return np.concatenate(i), np.concatenate(j)


def _near_tile(new: Hashes, hashes: Hashes, radius: int, start: int) -> Pairs:
    """Compare new hashes with those from `start` on, one of the new after the other."""
    tile = hashes[start : start + _TILE]
    found = []
    for number, hash_ in enumerate(new):
        places = np.flatnonzero(np.bitwise_count(tile ^ hash_) <= radius)
        if len(places):
            found.append((np.full(len(places), number), places + start))
    return _joined(found)


def _distinct_pairs(hashes: Hashes, radius: int, threads: int = 1) -> Pairs:
    """Return the places of all close pairs of distinct hashes, each once."""
    words, bits = _without_constant_bits(hashes)
    count = _blocks(len(words), bits, radius)
    if count == radius:
        return _joined(list(_all_pairs(words, radius)))
    edges = [bits * block // count for block in range(count + 1)]
    search = partial(_agreeing_pairs, words, edges, radius)
    keys = combinations(range(count), count - radius)
    return _joined(list(map_ordered(search, keys, threads) if threads > 1 else map(search, keys)))


def _without_constant_bits(hashes: Hashes) -> tuple[Hashes, int]:
    """Push the bits in which hashes differ together, so that blocks are made of those alone; say how many they are."""
    if not len(hashes):
        return hashes, 0
    varying = int(np.bitwise_or.reduce(hashes ^ hashes[0]))
    words, bits = np.zeros_like(hashes), 0
    for varies, places in groupby(range(64), key=lambda place: varying >> place & 1):
        stretch = list(places)
        if varies:
            mask = np.uint64(2 ** len(stretch) - 1)
            words |= (hashes >> np.uint64(stretch[0]) & mask) << np.uint64(bits)
            bits += len(stretch)
    return words, bits


def _blocks(n: int, bits: int, radius: int) -> int:
    """Choose into how many blocks to cut n words; `radius` blocks leave none that must agree: all are compared with all."""
    cost_ns: dict[int, float] = {radius: n * n * _PLAIN_NS}
    for count in range(radius + 1, min(radius + 8, bits) + 1):
        key_bits = bits * (count - radius) / count
        if ceil(key_bits) + count + n.bit_length() > 64:
            break
        per_key_ns = _KEY_NS + n * _HASH_NS + n * n / 2 / 2**key_bits * _PAIR_NS
        cost_ns[count] = comb(count, radius) * per_key_ns
    return min(cost_ns, key=cost_ns.__getitem__)


def _agreeing_pairs(words: Hashes, edges: list[int], radius: int, agreed: tuple[int, ...]) -> Pairs:
    """Return the close pairs that agree on these blocks and on no other before the last of them."""
    key = np.zeros_like(words)
    for block in agreed:
        width = edges[block + 1] - edges[block]
        key <<= np.uint64(width)
        key |= words >> np.uint64(edges[block]) & np.uint64(2**width - 1)
    place_bits = np.uint64(len(words).bit_length())
    key <<= place_bits
    key |= np.arange(len(words), dtype=np.uint64)
    key.sort()
    order = (key & ((np.uint64(1) << place_bits) - np.uint64(1))).view(np.int64)
    key >>= place_bits
    i, j = _joined(list(_pairs_in_runs(words[order], key, radius)))
    i, j = order[i], order[j]
    differing = words[i] ^ words[j]
    fresh = np.ones(len(i), dtype=np.bool_)
    for block in set(range(agreed[-1])) - set(agreed):
        fresh &= differing & np.uint64(2 ** edges[block + 1] - 2 ** edges[block]) != 0
    return i[fresh], j[fresh]


def _pairs_in_runs(words: Hashes, keys: Hashes, radius: int) -> Iterator[Pairs]:
    """Yield the close pairs of words (n,) that have equal keys (n,), which are in order."""
    goes_on = np.append(keys[1:] == keys[:-1], False)
    for start, stop in _long_runs(keys):
        i, j = _distinct_pairs(words[start:stop], radius)
        yield i + start, j + start
        goes_on[start:stop] = False
    at, step = np.flatnonzero(goes_on), 1
    while len(at):
        close = at[np.bitwise_count(words[at] ^ words[at + step]) <= radius]
        yield close, close + step
        at = at[goes_on[at + step]]
        step += 1


def _long_runs(keys: Hashes) -> Iterator[tuple[int, int]]:
    """Yield where runs of more than _RUN equal keys start and stop."""
    inside = np.flatnonzero(keys[_RUN:] == keys[:-_RUN])
    cuts = np.flatnonzero(np.diff(inside) != 1)
    if len(inside):
        first, last = np.append(inside[0], inside[cuts + 1]), np.append(inside[cuts], inside[-1])
        yield from zip(first.tolist(), (last + _RUN + 1).tolist(), strict=True)


def _all_pairs(words: Hashes, radius: int) -> Iterator[Pairs]:
    """Yield the close pairs of all with all, in tiles."""
    rows = max(1, _TILE // max(1, len(words)))
    for start in range(0, len(words), rows):
        bits = np.bitwise_count(words[start : start + rows, None] ^ words[None, start:])
        i, j = np.nonzero(bits <= radius)
        upwards = i < j
        yield i[upwards] + start, j[upwards] + start
