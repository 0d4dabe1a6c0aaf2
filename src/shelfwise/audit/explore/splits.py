"""Train against test: what one split holds and another does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.explore.colors import Colors
from shelfwise.audit.explore.shelves import tally
from shelfwise.catalog.inventory import Inventory


@dataclass(frozen=True, eq=False)
class Splits:
    """s splits by name: products, photos (s,), products of each category (s, c), mean of each color channel (s, 4) or None.

    light: grey, red, green, blue from 0 dark to 1 light.
    """

    names: tuple[str, ...]
    products: NDArray[np.int64]
    photos: NDArray[np.int64]
    by_category: NDArray[np.int64]
    light: NDArray[np.float64] | None

    @property
    def compared(self) -> tuple[int, int] | None:
        """The two splits that are set against each other: train and test where they are, otherwise the largest two."""
        by_name = {name: number for number, name in enumerate(self.names)}
        if {"train", "test"} <= by_name.keys():
            return by_name["train"], by_name["test"]
        largest = np.argsort(-self.products, kind="stable")[:2].tolist()
        return (largest[0], largest[1]) if len(largest) == 2 else None

    def share_differences(self, first: int, second: int) -> NDArray[np.float64]:
        """Return how much larger the share of each category (c,) is in the second split than in the first."""
        of_filed = self.by_category / np.maximum(1, self.by_category.sum(axis=1, keepdims=True))
        return np.asarray(of_filed[second] - of_filed[first])

    def only_in(self, first: int, second: int) -> NDArray[np.int64]:
        """Return the numbers of the categories that the first split holds and the second does not."""
        return np.flatnonzero((self.by_category[first] > 0) & (self.by_category[second] == 0))


def compare_splits(inventory: Inventory, colors: Colors | None) -> Splits:
    """Count what every split holds."""
    s, c = len(inventory.splits), len(inventory.categories)
    both = (inventory.split >= 0) & (inventory.category >= 0)
    cells = inventory.split[both].astype(np.int64) * c + inventory.category[both]
    return Splits(
        names=inventory.splits,
        products=tally(inventory.split, s),
        photos=tally(inventory.split[inventory.photo_product], s),
        by_category=np.bincount(cells, minlength=s * c).reshape(s, c),
        light=colors.split_means() if colors is not None and colors.photos else None,
    )
