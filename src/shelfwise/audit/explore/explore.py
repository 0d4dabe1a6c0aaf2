"""Everything that is counted over a catalog before anyone looks for faults."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.explore.attributes import Attributes, count_attributes
from shelfwise.audit.explore.colors import Colors
from shelfwise.audit.explore.samples import sample_photos
from shelfwise.audit.explore.shelves import Level, levels, tally
from shelfwise.audit.explore.sizes import Sizes, measure_sizes
from shelfwise.audit.explore.splits import Splits, compare_splits
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory

SAMPLES = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Exploration:
    """What a catalog holds, in memory that does not grow with its photos.

    levels: of the tree, from the top; unfiled: products without a category; photos_per_product: products by their number of
    usable photos, from 0; colors: None where the photos were not measured; samples: (c + 1, 8) random photo numbers of each
    category, and of products without one; -1 where there are no more.
    """

    levels: tuple[Level, ...]
    unfiled: int
    photos_per_product: NDArray[np.int64]
    attributes: Attributes
    sizes: Sizes
    colors: Colors | None
    splits: Splits
    samples: NDArray[np.int32]


def explore(catalog: Catalog, inventory: Inventory, colors: Colors | None = None, seed: int = 0) -> Exploration:
    """Count what a catalog holds; `colors` are filled by whoever goes through the photos' measures."""
    return Exploration(
        levels=levels(catalog.taxonomy, inventory),
        unfiled=int((inventory.category < 0).sum()),
        photos_per_product=np.bincount(tally(inventory.photo_product, inventory.products)),
        attributes=count_attributes(catalog, seed),
        sizes=measure_sizes(catalog),
        colors=colors if colors is not None and colors.photos else None,
        splits=compare_splits(inventory, colors),
        samples=sample_photos(inventory, SAMPLES, seed),
    )
