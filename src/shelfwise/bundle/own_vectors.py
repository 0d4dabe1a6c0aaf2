"""Vectors of a network that only the bundle has: computed for products before they are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shelfwise.backbones.products import usable_images
from shelfwise.bundle.model import Bundle
from shelfwise.catalog import Catalog
from shelfwise.engines import available_cores
from shelfwise.engines.missing import UsablePhotos, compute_missing, missing_vectors, usable_photos
from shelfwise.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 8


def compute_own_vectors(bundle: Bundle, catalog: Catalog, products: pa.Table, what: str, progress: Progress) -> None:
    """Compute and store the vectors of products' photos that are not there yet, by the networks that the bundle carries.

    products: with the column product_id; what: they are called in the progress.
    """
    own = [extractor for extractor in bundle.extractors if extractor.spec.card.name in bundle.weights]
    if not own:
        return
    rows = usable_images(catalog, products).column("row").to_numpy()
    photos = usable_photos(catalog)
    kept = np.isin(photos.row, rows)
    photos = UsablePhotos(photos.row[kept], photos.digest[kept])
    for extractor in own:
        key = extractor.spec.key
        with catalog.embedding_writer(key):
            places = missing_vectors(catalog, key, photos).places
            if len(places):
                with progress.task(f"embed {what} with {extractor.spec}", len(places)) as advance:
                    compute_missing(
                        catalog, key, photos, places, extractor.vectors_of,
                        batch=_BATCH, threads=available_cores(), advance=advance,
                    )  # fmt: skip
