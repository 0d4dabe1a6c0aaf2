"""How large the photos are, and in which formats."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.catalog import Catalog

BINS_PER_OCTAVE = 4
# Of a side: 1 to 65,536 pixels.
_BINS = 16 * BINS_PER_OCTAVE


@dataclass(frozen=True, eq=False)
class Sizes:
    """Sizes of the usable photos.

    histogram: (64, 64) photos by width and height, a quarter of an octave a bin: bin b holds sides from 2^(b/4) pixels; median:
    width and height of half of the photos at least; common: (width, height, photos), the most frequent first; different: how
    many sizes there are; megapixels: photos by powers of two, place 10 holds those from 1 to 2 megapixels; formats: photos by
    format.
    """

    histogram: NDArray[np.int64]
    median: tuple[int, int]
    common: tuple[tuple[int, int, int], ...]
    different: int
    megapixels: NDArray[np.int64]
    formats: tuple[tuple[str, int], ...]


def measure_sizes(catalog: Catalog, common: int = 8) -> Sizes:
    """Count the sizes of the usable photos, holding four bytes a photo."""
    packed = [np.empty(0, np.uint32)]
    formats: Counter[str] = Counter()
    for batch in catalog.batches("images", ["width", "height", "format", "status"]):
        usable = batch.filter(pc.equal(batch.column("status"), "ok"))
        width, height = (usable.column(name).to_numpy(zero_copy_only=False) for name in ("width", "height"))
        packed.append(np.asarray(width, np.uint32) << np.uint32(16) | np.asarray(height, np.uint32))
        for row in pc.value_counts(usable.column("format")).to_pylist():
            formats[row["values"] or "unknown"] += row["counts"]
    sizes, photos = np.unique(np.concatenate(packed), return_counts=True)
    width, height = (sizes >> np.uint32(16)).astype(np.int64), (sizes & np.uint32(0xFFFF)).astype(np.int64)
    order = np.argsort(-photos, kind="stable")[:common]
    histogram = np.zeros((_BINS, _BINS), np.int64)
    np.add.at(histogram, (_bin(width), _bin(height)), photos)
    millions = np.log2(np.maximum(width * height, 1) / 1e6)
    return Sizes(
        histogram=histogram, median=(_median(width, photos), _median(height, photos)),
        common=tuple((int(width[at]), int(height[at]), int(photos[at])) for at in order), different=len(sizes),
        megapixels=np.bincount(np.clip(np.floor(millions) + 10, 0, 20).astype(int), photos, 21).astype(np.int64),
        formats=tuple(formats.most_common()),
    )  # fmt: skip


def _bin(side: NDArray[np.int64]) -> NDArray[np.int64]:
    places = np.floor(BINS_PER_OCTAVE * np.log2(np.maximum(side, 1)) + 1e-9)
    return np.clip(places, 0, _BINS - 1).astype(np.int64)


def _median(values: NDArray[np.int64], times: NDArray[np.int64]) -> int:
    if not len(values):
        return 0
    order = np.argsort(values)
    held = np.cumsum(times[order])
    return int(values[order][np.searchsorted(2 * held, held[-1])])
