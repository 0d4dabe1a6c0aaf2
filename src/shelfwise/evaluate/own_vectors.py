"""Vectors of a network that only the bundle has: computed for a split before it is answered."""

from __future__ import annotations

import numpy as np

from shelfwise.backbones.products import filed_products, usable_images
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.engines import available_cores
from shelfwise.engines.missing import UsablePhotos, compute_missing, missing_vectors, usable_photos
from shelfwise.progress import Progress

_BATCH = 8


def compute_own_vectors(bundle: Bundle, catalog: Catalog, split: str, progress: Progress) -> None:
    """Compute and store the vectors of a split's photos that are not there yet, by the networks that the bundle carries."""
    own = [extractor for extractor in bundle.extractors if extractor.spec.card.name in bundle.weights]
    if not own:
        return
    filed, _ = filed_products(catalog, [split])
    rows = usable_images(catalog, filed).column("row").to_numpy()
    photos = usable_photos(catalog)
    kept = np.isin(photos.row, rows)
    photos = UsablePhotos(photos.row[kept], photos.digest[kept])
    for extractor in own:
        key = extractor.spec.key
        with catalog.embedding_writer(key):
            places = missing_vectors(catalog, key, photos).places
            if len(places):
                with progress.task(f"embed {split} with {extractor.spec}", len(places)) as advance:
                    compute_missing(
                        catalog, key, photos, places, extractor.vectors_of,
                        batch=_BATCH, threads=available_cores(), advance=advance,
                    )  # fmt: skip
