"""Pictures that stand under several categories: one of the labels is wrong, or the picture shows no product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shelfwise.catalog.inventory import take_inventory
from shelfwise.catalog.store import Catalog


@dataclass(frozen=True, slots=True)
class LabelConflict:
    """One picture, the images that show it, and their categories."""

    sha256: str
    images: tuple[str, ...]
    categories: tuple[str, ...]


def label_conflicts(catalog: Catalog) -> list[LabelConflict]:
    """List the pictures (equal bytes) whose products are filed under more than one category, in the order of the photos."""
    inventory = take_inventory(catalog)
    category = inventory.category[inventory.photo_product]
    filed = np.flatnonzero(category >= 0)
    pairs = np.unique(np.stack((inventory.photo_picture[filed], category[filed])), axis=1)
    several = np.bincount(pairs[0], minlength=inventory.pictures) > 1
    photos = filed[several[inventory.photo_picture[filed]]]
    shown: dict[str, list[tuple[str, str]]] = {}
    named = _named(catalog, inventory.photo_row[photos])
    for (image, digest), number in zip(named, category[photos].tolist(), strict=True):
        shown.setdefault(digest, []).append((image, inventory.categories[number]))
    return [
        LabelConflict(digest, tuple(image for image, _ in told), tuple(sorted({name for _, name in told})))
        for digest, told in shown.items()
    ]


def _named(catalog: Catalog, rows: NDArray[np.int32]) -> list[tuple[str, str]]:
    """Read the image ids and the sha256 of ascending rows of the image table."""
    named: list[tuple[str, str]] = []
    start = 0
    for batch in catalog.batches("images", ["image_id", "sha256"]):
        first, last = np.searchsorted(rows, (start, start + len(batch)))
        part = batch.take(pa.array(rows[first:last] - start))
        digests = [digest.hex() for digest in part.column("sha256").to_pylist()]
        named += zip(part.column("image_id").to_pylist(), digests, strict=True)
        start += len(batch)
    return named
