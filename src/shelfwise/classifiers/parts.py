"""Slices of feature vectors: what a member of a classifier looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Parts = tuple[tuple[int, int], ...]
"""(start, stop) of each slice; none stand for all features."""


def seen(x: NDArray[np.float32], parts: Parts) -> NDArray[np.float32]:
    """Return the parts of feature vectors (n, d), side by side."""
    return np.concatenate([x[:, start:stop] for start, stop in parts], axis=1) if parts else x


def width(parts: Parts, d: int) -> int:
    """Return how many of d features the parts are."""
    return sum(stop - start for start, stop in parts) if parts else d


def restored(values: list[list[int]], d: int) -> Parts:
    """Read parts of d features from a file; raises BundleError for others."""
    parts = tuple((int(start), int(stop)) for start, stop in values)
    if any(not 0 <= start < stop <= d for start, stop in parts):
        raise BundleError("bundle.json", f"a member looks at {parts} of {d} features")
    return parts


def placed(parts: Parts, slices: Parts) -> Parts:
    """Return where parts of a vector that is made of slices of a longer one lie in the longer one."""
    place: NDArray[Any] = np.concatenate([np.arange(start, stop) for start, stop in slices])
    wanted = np.concatenate([place[start:stop] for start, stop in parts]) if parts else place
    runs = np.split(wanted, np.flatnonzero(np.diff(wanted) != 1) + 1)
    return tuple((int(run[0]), int(run[-1]) + 1) for run in runs)
