"""How light the photos are and of which colors: over all, by category, by split."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalog.inventory import Inventory

CHANNELS = ("grey", "red", "green", "blue")
BINS = 16
_WIDTH = len(CHANNELS) * BINS


class Colors:
    """Sums of the photos' histograms: memory of 64 numbers a category and 8 bytes a photo.

    by_category: (c, 64), by_split: (s, 64) sums over photos of 16 bins each of grey, red, green and blue; categories, splits:
    photos in each sum. Photos without category or split count in `all` alone.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._photos = np.argsort(inventory.photo_picture, kind="stable").astype(np.int32)
        self._first = np.searchsorted(inventory.photo_picture[self._photos], np.arange(inventory.pictures + 1))
        c, s = len(inventory.categories), len(inventory.splits)
        self.all, self.photos = np.zeros(_WIDTH), 0
        self.by_category, self.categories = np.zeros((c, _WIDTH)), np.zeros(c, np.int64)
        self.by_split, self.splits = np.zeros((s, _WIDTH)), np.zeros(s, np.int64)

    def add(self, pictures: NDArray[Any], values: NDArray[Any]) -> None:
        """Add the measures (b, K) of pictures (b,): their last 64 columns, for every photo that shows the picture."""
        times = np.diff(self._first)[pictures]
        of = np.repeat(np.arange(len(pictures)), times)
        start = np.repeat(self._first[pictures], times)
        photos = self._photos[start + np.arange(len(of)) - np.repeat(np.cumsum(times) - times, times)]
        histograms = np.asarray(values[:, -_WIDTH:], np.float64)[of]
        product = self._inventory.photo_product[photos]
        self.all += histograms.sum(axis=0)
        self.photos += len(photos)
        _add(self.by_category, self.categories, self._inventory.category[product], histograms)
        _add(self.by_split, self.splits, self._inventory.split[product], histograms)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Histogram (64,) of the average photo."""
        return np.asarray(self.all / max(1, self.photos))

    def split_means(self) -> NDArray[np.float64]:
        """Return the mean of each channel (s, 4), 0 dark to 1 light, of the photos of each split."""
        centers = (np.arange(BINS) + 0.5) / BINS
        sums = self.by_split.reshape(-1, len(CHANNELS), BINS) @ centers
        return np.asarray(sums / np.maximum(1, self.splits)[:, None])


def _add(
    sums: NDArray[np.float64], counts: NDArray[np.int64], number: NDArray[np.int32], histograms: NDArray[np.float64]
) -> None:
    known = number >= 0
    np.add.at(sums, number[known], histograms[known])
    counts += np.bincount(number[known], minlength=len(counts))
