"""Say how sharp a picture's strongest edges are, whatever its contrast and however much of it is plain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# In each direction, edges are looked at where the slope is among the steepest fiftieth of the picture, found among the tenth that
# is steepest in any direction. Source: docs/experiments.md, sharpness.
_STEEPEST, _STEEP = 0.02, 0.1
# A slope (levels a pixel) that grain and the blocks of JPEG stay below in plain areas.
_LEAST_SLOPE = 2.0
# A direction counts when its edges are at least so steep, beside those of the direction with the steepest ones: what stands on a
# plain background may have none across.
_COMPARABLE = 0.25
# Quantiles are told from every seventh place: pictures that were shrunk have no such width, so all columns are looked at.
_EVERY = 7
_HALF = np.float32(0.5)
_AROUND = 3  # pixels along each side that have no slope after blurring
_DIRECTIONS = ((1.0, 0.0), (0.0, 1.0), (0.5**0.5, 0.5**0.5), (0.5**0.5, -(0.5**0.5)))


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Measure the sharpness in [0, 1] of luma (h, w): about 1 / (1 + s^2) for edges blurred by a Gaussian of s pixels.

    That is 1 - 1 / R^2, where R^2 is the energy of the slope at the steepest edges over what it is after blurring once more, by
    1 pixel; the least of four directions, since motion blurs but one. 1 for a picture without edges: it is not blurred but empty.
    Source: Zhuo and Sim 2011, "Defocus map estimation from a single image", equation 5; docs/experiments.md, sharpness.
    """
    if min(grey.shape) < 8:
        return 1.0
    across, down = _slopes(_blurred(grey))
    at = _steep_places(across, down)
    after = across[at], down[at]
    before = _slopes_at(grey, at)
    count = max(1, round(_STEEPEST * across.size))
    found = []
    for x, y in _DIRECTIONS:
        energy = np.square(x * after[0] + y * after[1])
        least = _largest(energy, count)
        steepest = energy >= least
        ratio = energy[steepest].sum() / max(np.square(x * before[0] + y * before[1])[steepest].sum(), 1e-9)
        found.append((least, float(ratio)))
    needed = max(_LEAST_SLOPE**2, _COMPARABLE**2 * max(least for least, _ in found))
    return max(0.0, 1 - max((ratio for least, ratio in found if least >= needed), default=0.0))


def _blurred(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Blur (h, w) to (h - 4, w - 4) by the binomial 1 4 6 4 1, which has a variance of 1, both ways: exactly, in 16 bits."""
    sums = grey.astype(np.uint16)
    for _ in range(4):
        sums = sums[:-1] + sums[1:]
    for _ in range(4):
        sums = sums[:, :-1] + sums[:, 1:]
    return sums.astype(np.float32)


def _slopes(sums: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the central differences of the blurred luma across and down, in levels a pixel, (h - 6, w - 6)."""
    per_level = np.float32(1 / 512)  # 256 for the weights, 2 for the distance
    return (sums[1:-1, 2:] - sums[1:-1, :-2]) * per_level, (sums[2:, 1:-1] - sums[:-2, 1:-1]) * per_level


def _steep_places(across: NDArray[np.float32], down: NDArray[np.float32]) -> tuple[NDArray[np.intp], ...]:
    """Return rows and columns of the steep places."""
    energy = across * across
    energy += down * down
    some = energy.ravel()[::_EVERY]
    least = _largest(some, max(1, round(_STEEP * len(some))))
    return np.divmod(np.flatnonzero(energy >= least), across.shape[1])


def _largest(values: NDArray[np.float32], count: int) -> float:
    """Return the least of the `count` largest values."""
    place = max(0, len(values) - count)
    return float(np.partition(values, place)[place])


def _slopes_at(
    grey: NDArray[np.uint8], at: tuple[NDArray[np.intp], ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the central differences of luma across and down at places of `_slopes`, in levels a pixel."""
    row, column = at[0] + _AROUND, at[1] + _AROUND
    level = grey.astype(np.float32)
    across = level[row, column + 1] - level[row, column - 1]
    down = level[row + 1, column] - level[row - 1, column]
    return across * _HALF, down * _HALF
