"""A symmetric matrix as its upper triangle, row by row: half the bytes, and nothing lost."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def packed(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper triangle (d (d + 1) / 2,) of a symmetric matrix (d, d)."""
    return np.concatenate([row[place:] for place, row in enumerate(matrix)])


def unpacked(triangle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric matrix (d, d) of an upper triangle; raises OptionError for a length that no triangle has."""
    d = (isqrt(8 * len(triangle) + 1) - 1) // 2
    if d * (d + 1) // 2 != len(triangle):
        raise OptionError(f"{len(triangle)} numbers are no upper triangle")
    matrix = np.zeros((d, d))
    start = 0
    for place, row in enumerate(matrix):
        row[place:] = triangle[start : start + d - place]
        start += d - place
    matrix += np.triu(matrix, 1).T
    return matrix
