"""All pairs of 64-bit hashes within a Hamming radius: complete, not approximate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import OptionError

_BANDS, _BAND_BITS = 4, 16
LARGEST_RADIUS = 15
# Candidate pairs looked at together: some 100 MB.
_BLOCK = 2**21


def pairs_within(hashes: NDArray[np.uint64], radius: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places i < j (m,) of all pairs of hashes (n,) that differ in at most `radius` bits, in order.

    Of equal hashes the first stands for the others, each of which is paired with it and nothing else: n equal ones give
    n - 1 pairs. Of four bands of 16 bits, one differs in at most radius // 4 bits: each is looked up with all such
    changes. Raises OptionError for a radius outside 0 to LARGEST_RADIUS.
    Source: pigeonhole on bands, Norouzi, Punjani and Fleet 2012, "Fast Search in Hamming Space with Multi-Index Hashing".
    """
    if not 0 <= radius <= LARGEST_RADIUS:
        raise OptionError(f"a Hamming radius of {radius}: choose from 0 to {LARGEST_RADIUS}")
    distinct, first, group = np.unique(np.asarray(hashes, dtype=np.uint64), return_index=True, return_inverse=True)
    others = np.flatnonzero(first[group] != np.arange(len(group)))
    found = [(first[group[others]], others)]
    found += [(first[i], first[j]) for i, j in _distinct_pairs(distinct, radius)]
    i, j = (np.concatenate(side).astype(np.int64) for side in zip(*found, strict=True))
    lower, upper = np.minimum(i, j), np.maximum(i, j)
    order = np.lexsort((upper, lower))
    return lower[order], upper[order]


def _distinct_pairs(hashes: NDArray[np.uint64], radius: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the pairs of distinct hashes, each at the first band that is close enough."""
    bands = hashes.view(np.uint16).reshape(-1, _BANDS)
    close = radius // _BANDS
    for band in range(_BANDS):
        for i, j in _candidates(bands[:, band].astype(np.int64), _changes(close)):
            near = np.bitwise_count(hashes[i] ^ hashes[j]) <= radius
            i, j = i[near], j[near]
            earlier = np.bitwise_count(bands[i, :band] ^ bands[j, :band]) <= close
            fresh = ~earlier.any(axis=1)
            yield i[fresh], j[fresh]


def _changes(bits: int) -> list[int]:
    """List all values of a band with at most so many bits set."""
    places = range(_BAND_BITS)
    return [sum(1 << place for place in chosen) for k in range(bits + 1) for chosen in combinations(places, k)]


def _candidates(values: NDArray[np.int64], changes: list[int]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield, in blocks, the pairs i < j whose values (n,) differ by one of the changes."""
    order = np.argsort(values, kind="stable")
    starts = np.concatenate(([0], np.cumsum(np.bincount(values, minlength=1 << _BAND_BITS))))
    for change in changes:
        first = starts[values ^ change]
        count = starts[(values ^ change) + 1] - first
        ends = np.cumsum(count)
        cuts = np.searchsorted(ends, np.arange(_BLOCK, ends[-1] if len(ends) else 0, _BLOCK))
        for rows in np.split(np.arange(len(values)), cuts):
            i = np.repeat(rows, count[rows])
            within = np.arange(len(i)) - np.repeat(np.cumsum(count[rows]) - count[rows], count[rows])
            j = order[np.repeat(first[rows], count[rows]) + within]
            upwards = i < j
            yield i[upwards], j[upwards]
