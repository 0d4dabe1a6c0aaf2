"""Which pictures of a catalog show the same: its hashes compared, and confirmed by pixels that are read from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory
from shelfwise.engines import available_cores, map_ordered
from shelfwise.index.look_alikes import CORRELATION, RADIUS, correlated, thumbnail
from shelfwise.progress import SILENT, Progress

_PHOTOS_AT_ONCE = 64

Places = NDArray[np.int64]
NO_PAIRS = (np.empty(0, dtype=np.int64),) * 2


def same_pictures(
    catalog: Catalog, inventory: Inventory, radius: int = RADIUS, *, threads: int = 0, progress: Progress = SILENT
) -> tuple[Places, Places, NDArray[np.float32]]:
    """Return the pictures i < j (m,) of an inventory that look alike, and how correlated their thumbnails are.

    These are all pairs within `radius` bits that are correlated by CORRELATION (see `index.look_alikes`).

    threads: cores to decode with, 0 takes all. Only pictures that are close to another are decoded.
    """
    rows = inventory.photo_row[inventory.first_photo]

    def of_some(some: NDArray[np.int32]) -> NDArray[np.uint8]:
        return np.stack([thumbnail(data) for data in catalog.image_bytes(some)])

    def thumbnails(places: Places) -> NDArray[np.uint8]:
        wanted, done = rows[places], []
        parts = np.split(wanted, range(_PHOTOS_AT_ONCE, len(wanted), _PHOTOS_AT_ONCE))
        for part in map_ordered(of_some, parts, threads or available_cores()):
            done.append(part)
            advance(len(part))
        return np.concatenate(done)

    with progress.task("compare pictures", None) as advance:
        return correlated(inventory.hashes, thumbnails, radius, CORRELATION)
