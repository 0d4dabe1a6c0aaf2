"""Random photos of every category."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalog.inventory import Inventory


def sample_photos(inventory: Inventory, each: int, seed: int = 0) -> NDArray[np.int32]:
    """Draw photos of every category, and of no category in the last row: (c + 1, each) photo numbers, -1 where there are no more.

    Of different products where they suffice.
    """
    c = len(inventory.categories)
    shuffled = np.random.default_rng(seed).permutation(inventory.photos).astype(np.int32)
    category = inventory.category[inventory.photo_product[shuffled]]
    category = np.where(category < 0, c, category)
    again = np.ones(len(shuffled), bool)
    again[np.unique(inventory.photo_product[shuffled], return_index=True)[1]] = False
    order = np.lexsort((again, category))
    sorted_category = category[order]
    first = np.searchsorted(sorted_category, np.arange(c + 1))
    place = np.arange(len(order)) - first[sorted_category]
    drawn = np.full((c + 1, each), -1, np.int32)
    wanted = place < each
    drawn[sorted_category[wanted], place[wanted]] = shuffled[order[wanted]]
    return drawn
