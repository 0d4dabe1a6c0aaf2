"""The nearest of many perceptual hashes, exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK_VALUES = 2**22


def nearest_hash(queries: NDArray[np.uint64], among: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return for each query (m,) the place of the hash among (n,) that differs in the fewest bits, and in how many.

    Of several as near, the first. Every pair is compared, in blocks: m n comparisons.
    """
    place, bits = np.empty(len(queries), np.int64), np.empty(len(queries), np.uint8)
    step = max(1, _BLOCK_VALUES // max(len(among), 1))
    for start in range(0, len(queries), step):
        block = slice(start, start + step)
        differing = np.bitwise_count(queries[block, None] ^ among[None])
        place[block] = differing.argmin(axis=1)
        bits[block] = np.take_along_axis(differing, place[block, None], axis=1)[:, 0]
    return place, bits
