"""Check one new picture against a whole catalog, without comparing the catalog's own pictures again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.alike import SAME_PHOTO
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory
from shelfwise.images.decode import decode
from shelfwise.images.hashes import perceptual_hash
from shelfwise.index.hamming import HashIndex
from shelfwise.index.look_alikes import thumbnail
from shelfwise.options import AuditOptions


@dataclass(frozen=True, eq=False)
class SameAs:
    """The products, rows of the product table, that show a picture: exact, byte for byte; near, saved in another way."""

    exact: NDArray[np.int32]
    near: NDArray[np.int32]


def same_as(
    catalog: Catalog, inventory: Inventory, index: HashIndex, data: bytes, radius: int = AuditOptions.radius
) -> SameAs:
    """Find the products that show this picture file; index: the hashes of the inventory's pictures.

    Raises ImageError for bytes that are no picture.
    """
    pictures, _ = index.within(perceptual_hash(decode(data).pixels), radius)
    stored = catalog.image_bytes(inventory.photo_row[inventory.first_photo[pictures]])
    exact = np.array([other == data for other in stored], dtype=np.bool_)
    ours = thumbnail(data)
    near = np.array([_correlation(ours, thumbnail(other)) >= SAME_PHOTO for other in stored], dtype=np.bool_) & ~exact
    return SameAs(*(_products(inventory, pictures[chosen]) for chosen in (exact, near)))


def _products(inventory: Inventory, pictures: NDArray[np.int64]) -> NDArray[np.int32]:
    shown = np.isin(inventory.photo_picture, pictures)
    return np.unique(inventory.photo_product[shown])


def _correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the correlation of two thumbnails; 0 where one is of one color."""
    a, b = (side.ravel() - side.mean() for side in (one, other))
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else 0.0
