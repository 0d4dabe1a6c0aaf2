"""The photos that a network learns from, and those that it is held against."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shelfwise.backbones.products import filed_products, usable_images
from shelfwise.catalog import Catalog
from shelfwise.columns import Columns
from shelfwise.errors import CatalogError

Numbers = NDArray[np.integer[Any]]

_TENTH = 10
"""One product in so many is held out where there is no validation split."""


@dataclass(frozen=True, eq=False)
class Photos:
    """Photos of products whose category, or whose attributes, are known.

    row: (n,) rows in the image table; sha256: (n,) of their bytes; product: (n,) whose photo, ascending from 0;
    column: (p,) the category of each product, or (p, l) who has which attribute; product_ids: (p,).
    """

    catalog: Catalog
    row: NDArray[np.int64]
    sha256: NDArray[np.object_]
    product: NDArray[np.int64]
    column: NDArray[Any]
    product_ids: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def column_of_photo(self) -> NDArray[Any]:
        """The category of each photo, (n,), or its attributes, (n, l)."""
        return self.column[self.product]

    def pictures(self, photos: Numbers) -> list[bytes]:
        """Read the bytes of some photos; raises CatalogError, naming it, for one that is not what was imported."""
        pictures = self.catalog.image_bytes(self.row[photos])
        for place, picture in enumerate(pictures):
            if hashlib.sha256(picture).digest() != self.sha256[photos[place]]:
                name = self.image_ids(photos[place : place + 1])[0]
                raise CatalogError(
                    f"hash_mismatch: the photo {name} is not what was imported: type  shelfwise verify "
                    f"{shlex.quote(str(self.catalog.path))}  to find all such photos, and ingest them again"
                )
        return pictures

    def image_ids(self, photos: Numbers) -> list[str]:
        """Name some photos."""
        return self.catalog.image_ids([int(row) for row in self.row[photos]])

    def of_products(self, kept: NDArray[np.bool_]) -> Photos:
        """Return the photos of some products (p,)."""
        photo = kept[self.product]
        number = np.cumsum(kept) - 1
        return Photos(
            self.catalog, self.row[photo], self.sha256[photo], number[self.product[photo]], self.column[kept],
            self.product_ids[kept],
        )  # fmt: skip

    def digests(self, role: str) -> NDArray[np.uint64]:
        """Return for each photo, (n,), a number that its bytes, product, category and role decide."""
        told = [
            f"{role}\0{name}\0".encode() + column.tobytes()
            for name, column in zip(self.product_ids.tolist(), self.column, strict=True)
        ]
        each = zip(self.product.tolist(), self.sha256.tolist(), strict=True)
        numbers = [hashlib.blake2b(told[product] + digest, digest_size=8).digest() for product, digest in each]
        return np.frombuffer(b"".join(numbers), np.uint64)

    @property
    def picture_digest(self) -> str:
        """What makes these pictures these, in their order, whatever they show."""
        return hashlib.sha256(b"".join(self.sha256.tolist())).hexdigest()

    @property
    def digest(self) -> str:
        """What makes these photos these: products, categories and bytes, in their order."""
        told = hashlib.sha256()
        for name, column in zip(self.product_ids.tolist(), self.column, strict=True):
            told.update(f"{name}\0".encode() + column.tobytes())
        for product, digest in zip(self.product.tolist(), self.sha256.tolist(), strict=True):
            told.update(f"{product}\0".encode() + digest)
        return told.hexdigest()


def read_photos(catalog: Catalog, splits: Sequence[str], columns: Columns) -> Photos:
    """Read which photos the filed products of some splits have; raises CatalogError for a split that is not there.

    Products whose category is none of the columns are left out.
    """
    filed, _ = filed_products(catalog, splits)
    column = columns.of(filed.column("category").to_numpy())
    return photos_of(catalog, filed.filter(pa.array(column >= 0)), column[column >= 0])


def photos_of(catalog: Catalog, products: pa.Table, column: NDArray[Any]) -> Photos:
    """Read which photos products have; column: (p,) or (p, l) of theirs. Products without a usable photo are left out."""
    images = usable_images(catalog, products)
    used, product = np.unique(images.column("product").to_numpy(), return_inverse=True)
    return Photos(
        catalog, images.column("row").to_numpy(), np.array(images.column("sha256").to_pylist(), dtype=np.object_), product,
        column[used], products.column("product_id").to_numpy()[used],
    )  # fmt: skip


def held_apart(photos: Photos) -> tuple[Photos, Photos]:
    """Divide photos into those to learn from and about a tenth to be held against, by the hash of pictures.

    Products that share a picture byte for byte stay together, and no category loses all of its products. Raises CatalogError
    where nothing would be left on one side.
    """
    first = _same_picture_group(photos)
    digest = [hashlib.sha256(str(photos.product_ids[group]).encode()).digest()[0] for group in first]
    held = np.array([number % _TENTH == 0 for number in digest])
    while lost := set(photos.column) - set(photos.column[~held]):
        held &= ~np.isin(first, first[np.isin(photos.column, list(lost))])
    if not held.any() or held.all():
        raise CatalogError(
            "there are too few products to hold some apart: name a validation split val, see  shelfwise split"
        )
    return photos.of_products(~held), photos.of_products(held)


def _same_picture_group(photos: Photos) -> NDArray[np.int64]:
    """Return for each product (p,) the first product that it is linked with by equal pictures."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    p = len(photos.product_ids)
    _, picture = np.unique(photos.sha256, return_inverse=True)
    size = p + int(picture.max()) + 1
    links = coo_array((np.ones(len(picture), np.bool_), (photos.product, p + picture)), shape=(size, size))
    _, group = connected_components(links, directed=False)
    _, first, place = np.unique(group[:p], return_index=True, return_inverse=True)
    return np.asarray(first[place], dtype=np.int64)
