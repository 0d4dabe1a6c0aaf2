"""Measure a catalog's photos once, keep what came out by picture, and go through it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory, first_bytes, picture_digests
from shelfwise.engines import available_cores
from shelfwise.engines.missing import compute_missing, missing_vectors, usable_photos
from shelfwise.images.measures import WIDTH, measure
from shelfwise.progress import SILENT, Progress

# Under this key the measures are kept like embeddings; it changes when what is measured does, so that old ones are not read.
KEY = "measures-1"
TABLE = f"embeddings__{KEY}"
_AT_ONCE, _BLOCK = 8, 8192

Block = tuple[NDArray[np.int32], NDArray[np.float32]]


def measure_pictures(catalog: Catalog, threads: int = 0, progress: Progress = SILENT) -> int:
    """Measure the pictures of usable photos that were not measured yet, and return how many; threads: 0 takes all cores.

    Stopped at any moment, it goes on where it was. Raises CatalogError for a photo that is not there any more, or is not
    what was imported, CatalogBusyError while another run measures this catalog.
    """
    with catalog.embedding_writer(KEY):
        photos = usable_photos(catalog)
        places = missing_vectors(catalog, KEY, photos).places
        if len(places):
            with progress.task("measure photos", len(places)) as advance:
                workers = threads or available_cores()
                compute_missing(
                    catalog, KEY, photos, places, _measured, batch=_AT_ONCE, threads=workers, advance=advance
                )
    return len(places)


def _measured(pictures: list[bytes]) -> NDArray[np.float32]:
    return np.stack([measure(picture) for picture in pictures])


def blocks(catalog: Catalog, inventory: Inventory) -> Iterator[Block]:
    """Go through the stored measures: numbers (b,) of pictures in the inventory and their values (b, WIDTH).

    Every measured picture comes once, in the order in which it was measured; values are those of `images.measures`.
    """
    if TABLE not in catalog.versions:
        return
    digests = picture_digests(catalog, inventory)
    order = np.argsort(digests).astype(np.int32)
    ascending = digests[order]
    for batch in catalog.batches(TABLE, ["sha256", "vector"], _BLOCK):
        stored = first_bytes(batch.column("sha256"))
        place = np.searchsorted(ascending, stored).clip(max=max(0, len(ascending) - 1))
        known = ascending[place] == stored if len(ascending) else np.zeros(len(stored), bool)
        values = np.asarray(batch.column("vector").flatten()).reshape(-1, WIDTH)
        yield order[place[known]], values[known].astype(np.float32)
