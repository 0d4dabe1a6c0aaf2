"""Products' vectors, read from the catalog as they are asked for: no more of them in memory than were asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.features import FeatureLayout
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory, first_bytes, picture_digests

Numbers = NDArray[np.integer[Any]]


class Vectors:
    """The features of the embedded photos of a catalog, and of its products: the mean over their photos.

    d: length of a vector; has: (p,) which products have an embedded photo. Some 20 bytes a photo. Raises CatalogError when
    the embeddings are not what was written.
    """

    def __init__(self, catalog: Catalog, inventory: Inventory, layout: FeatureLayout) -> None:
        for spec in layout.specs:
            catalog.refuse_rotten_embeddings(spec.key)
        self._catalog, self._layout, self._picture = catalog, layout, inventory.photo_picture
        pictures = picture_digests(catalog, inventory)
        self._rows = [_places(pictures, _embedded(catalog, spec.key)) for spec in layout.specs]
        self.d = layout.dimension
        embedded = np.all([rows >= 0 for rows in self._rows], axis=0)
        photos = np.flatnonzero(embedded[inventory.photo_picture]).astype(np.int32)
        self._photos = photos[np.argsort(inventory.photo_product[photos], kind="stable")]
        count = np.bincount(inventory.photo_product[photos], minlength=inventory.products)
        self._start = np.concatenate([[0], np.cumsum(count)])
        self.has: NDArray[np.bool_] = count > 0

    def photos_of(self, products: Numbers) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the embedded photos of products, and for each the place in `products` of its product."""
        count = self._start[np.asarray(products) + 1] - self._start[products]
        place = np.repeat(np.arange(len(products)), count)
        within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        return self._photos[self._start[products][place] + within], place

    def photos(self, photos: Numbers) -> NDArray[np.float32]:
        """Read the features (k, d) of embedded photos, each distinct picture once."""
        pictures, place = np.unique(self._picture[photos], return_inverse=True)
        raw = [
            self._catalog.embedding_rows(spec.key, rows[pictures].astype(np.int64))
            for spec, rows in zip(self._layout.specs, self._rows, strict=True)
        ]
        return self._layout.features(raw)[place]

    def read(self, products: Numbers) -> NDArray[np.float32]:
        """Read the vectors (k, d) of products that have one."""
        photos, place = self.photos_of(products)
        x = np.zeros((len(products), self.d), dtype=np.float32)
        np.add.at(x, place, self.photos(photos))
        return x / np.bincount(place, minlength=len(products)).astype(np.float32)[:, None]


def _embedded(catalog: Catalog, key: str) -> NDArray[np.uint64]:
    chunks = [first_bytes(chunk) for chunk in catalog.embedded_pictures(key).chunks]
    return np.concatenate([np.empty(0, np.uint64), *chunks])


def _places(wanted: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Return where each wanted number stands among the known ones, -1 for one that does not."""
    if not len(known):
        return np.full(len(wanted), -1, np.int32)
    order = np.argsort(known, kind="stable")
    place = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)]
    return np.where(known[place] == wanted, place, -1).astype(np.int32)
