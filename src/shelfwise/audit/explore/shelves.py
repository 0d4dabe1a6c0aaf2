"""How full the shelves are, level by level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalog.inventory import Inventory
from shelfwise.taxonomy import Taxonomy

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Level:
    """One level of the tree: c categories by id with their products and usable photos (c,), empty ones included.

    of_category: for each number in the inventory's categories, the place of its category here.
    """

    name: str
    nodes: tuple[str, ...]
    products: Counts
    photos: Counts
    of_category: NDArray[np.int32]

    @property
    def fullest_first(self) -> NDArray[np.int64]:
        """Places of the categories, the one with the most products first; equal ones in tree order."""
        return np.argsort(-self.products, kind="stable")

    @property
    def half(self) -> int:
        """How many of the fullest categories hold at least half of the products."""
        held = np.cumsum(np.sort(self.products)[::-1])
        return int(np.searchsorted(2 * held, held[-1])) + 1 if held.size and held[-1] else 0

    def below(self, products: int) -> int:
        """Count the categories with at least one product and fewer than so many."""
        return int(((self.products > 0) & (self.products < products)).sum())

    @property
    def empty(self) -> int:
        """Number of categories without a product."""
        return int((self.products == 0).sum())


def levels(taxonomy: Taxonomy, inventory: Inventory) -> tuple[Level, ...]:
    """Count products and photos of every category, on every level of the tree."""
    filed = inventory.categories
    every = (*taxonomy.leaves, *(category for category in filed if taxonomy.children(category)))
    products = tally(inventory.category, len(filed))
    photos = tally(inventory.category[inventory.photo_product], len(filed))
    found = []
    for level, name in enumerate(taxonomy.level_names):
        nodes, _ = taxonomy.level(every, level)
        place = {node: at for at, node in enumerate(nodes)}
        own = np.array([place[taxonomy.ancestor(category, level)] for category in filed], np.int32)
        found.append(Level(name, nodes, _sums(own, products, len(nodes)), _sums(own, photos, len(nodes)), own))
    return tuple(found)


def tally(numbers: NDArray[Any], size: int) -> Counts:
    """Count how often each number below `size` occurs; negative ones are left out."""
    return np.bincount(numbers[numbers >= 0], minlength=size).astype(np.int64)


def _sums(place: NDArray[np.int32], counts: Counts, size: int) -> Counts:
    return np.bincount(place, counts, minlength=size).astype(np.int64)
