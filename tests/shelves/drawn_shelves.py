"""Seeded products on shelves, in memory: what tests of the wrong shelves ask about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalog.inventory import Inventory
from shelfwise.shelves.left_out import Filed, same_pictures
from shelfwise.taxonomy import Node, Taxonomy

TREE = Taxonomy(
    [
        Node("food", "Food", None),
        Node("fruit", "Fruit", "food"),
        Node("apple", "Apple", "fruit"),
        Node("pear", "Pear", "fruit"),
        Node("milk", "Milk", "food"),
        Node("toys", "Toys", None),
        Node("ball", "Ball", "toys"),
    ]
)
SHELVES = ("apple", "pear", "milk", "ball")


@dataclass(frozen=True)
class InMemory:
    """Vectors that stand in for those of a catalog."""

    x: NDArray[np.float32]

    @property
    def d(self) -> int:
        return self.x.shape[1]

    def read(self, products: NDArray) -> NDArray[np.float32]:
        return self.x[products]


@dataclass(frozen=True)
class DrawnShelves:
    """Products (p,) around the center of their true shelf, each with one photo; picture: (p,) which picture they show."""

    rows: InMemory
    category: NDArray[np.int32]
    true: NDArray[np.int32]
    picture: NDArray[np.int32]

    @property
    def group(self) -> NDArray[np.int64]:
        return same_pictures(np.arange(len(self.category)), self.picture, len(self.category))

    @property
    def filed(self) -> Filed:
        products = np.flatnonzero(self.category >= 0)
        return Filed.of(products, self.category[products], self.group[products])

    @property
    def inventory(self) -> Inventory:
        p = len(self.category)
        product, none = np.arange(p, dtype=np.int32), np.full(p, -1, np.int32)
        _, first, picture = np.unique(self.picture, return_index=True, return_inverse=True)
        return Inventory(
            photo_row=product, photo_product=product, photo_picture=picture.astype(np.int32),
            first_photo=first.astype(np.int32), hashes=np.zeros(len(first), np.uint64), category=self.category,
            split=none, group=none, categories=SHELVES, splits=(), groups=0,
        )  # fmt: skip


def draw_shelves(p: int = 120, d: int = 10, *, seed: int = 0, moved: int = 0, shared: int = 0) -> DrawnShelves:
    """Draw products; the last `moved` stand on another shelf; the first `shared` show the picture of the product before."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, len(SHELVES), p).astype(np.int32)
    x = 2 * rng.standard_normal((len(SHELVES), d))[true] + rng.standard_normal((p, d))
    category, picture = true.copy(), np.arange(p, dtype=np.int32)
    category[p - moved :] = (category[p - moved :] + rng.integers(1, len(SHELVES), moved)) % len(SHELVES)
    for product in range(1, 2 * shared, 2):
        picture[product], x[product] = picture[product - 1], x[product - 1]
    return DrawnShelves(InMemory(x.astype(np.float32)), category, true, picture)
