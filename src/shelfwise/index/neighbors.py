"""The nearest of many vectors, exactly, while they pass by in blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.integer[Any]]
Block = tuple[Numbers, Numbers, NDArray[np.float32]]


def nearest(
    queries: NDArray[np.float32], group: Numbers, blocks: Iterable[Block], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the numbers (s, k) of the vectors with the greatest cosine to each query, best first, and the cosines.

    queries: (s, d); group: (s,); blocks: (number (b,), group (b,), vectors (b, d)), each vector once. A vector of a query's
    own group is not its neighbor. Where there are fewer than k, -1 and a cosine of -inf. Equal cosines come in the order of
    their numbers. Memory is that of s k answers, a block, and its s b cosines.
    """
    numbers, cosines = np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -np.inf, np.float32)
    unit = _unit(queries)
    for number, of_group, vectors in blocks:
        found = unit @ _unit(vectors).T
        found[group[:, None] == of_group[None]] = -np.inf
        both = np.concatenate([cosines, found], axis=1)
        named = np.concatenate([numbers, np.broadcast_to(number, found.shape)], axis=1)
        named[np.isneginf(both)] = -1
        best = _best(both, named, k)
        cosines, numbers = (np.take_along_axis(values, best, axis=1) for values in (both, named))
    return numbers, cosines


def _best(cosines: NDArray[np.float32], numbers: NDArray[np.int64], k: int) -> NDArray[np.intp]:
    """Return the places (s, k) of the greatest, best first; those that tie with the last one are all looked at."""
    if cosines.shape[1] > 4 * k:
        last = -np.partition(-cosines, k - 1, axis=1)[:, k - 1 : k]
        enough = int((cosines >= last).sum(axis=1).max(initial=k))
        places = np.argpartition(-cosines, min(enough, cosines.shape[1]) - 1, axis=1)[:, :enough]
    else:
        places = np.broadcast_to(np.arange(cosines.shape[1]), cosines.shape)
    order = np.lexsort((np.take_along_axis(numbers, places, axis=1), -np.take_along_axis(cosines, places, axis=1)))
    return np.take_along_axis(places, order[:, :k], axis=1)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
