"""Pictures that stand under several categories: one of the labels is wrong, or the picture shows no product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.catalog.store import Catalog


@dataclass(frozen=True, slots=True)
class LabelConflict:
    """One picture, the images that show it, and their categories."""

    sha256: str
    images: tuple[str, ...]
    categories: tuple[str, ...]


def label_conflicts(catalog: Catalog) -> list[LabelConflict]:
    """List the pictures (equal bytes) whose products are filed under more than one category.

    Two passes over the tables, with 28 bytes a photo in memory: the first finds candidates by 8 bytes of their digests.
    """
    category_of = _Categories(catalog)
    digests, categories = [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
    for _, owners, pictures in _usable(catalog):
        digests.append(np.array([_short(picture) for picture in pictures], np.uint64))
        categories.append(category_of(owners))
    candidates = _spread(np.concatenate(digests), np.concatenate(categories))
    if not candidates:
        return []
    shown: dict[bytes, list[tuple[str, str]]] = {}
    for images, owners, pictures in _usable(catalog):
        for image, picture, code in zip(images, pictures, category_of(owners), strict=True):
            if code >= 0 and _short(picture) in candidates:
                shown.setdefault(picture, []).append((image, category_of.names[code]))
    conflicts = [
        LabelConflict(picture.hex(), tuple(image for image, _ in pairs), tuple(sorted({name for _, name in pairs})))
        for picture, pairs in shown.items()
    ]
    return [conflict for conflict in conflicts if len(conflict.categories) > 1]


class _Categories:
    """The category of a product as a number, -1 for none, found by a hash of its id."""

    def __init__(self, catalog: Catalog) -> None:
        self.names: list[str] = []
        places: dict[str, int] = {}
        ids, codes = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
        for batch in catalog.batches("products", ["product_id", "category"]):
            ids.append(_hashes(batch.column("product_id").to_pylist()))
            named = batch.column("category").to_pylist()
            codes.append(
                np.array([-1 if name is None else places.setdefault(name, len(places)) for name in named], np.int32)
            )
        self.names = list(places)
        unordered = np.concatenate(ids)
        order = np.argsort(unordered, kind="stable")
        self._ids, self._codes = unordered[order], np.concatenate(codes)[order]

    def __call__(self, product_ids: list[str]) -> NDArray[np.int32]:
        """Return the numbers of the categories of products."""
        return self._codes[np.searchsorted(self._ids, _hashes(product_ids))]


def _hashes(texts: list[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def _short(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big")


def _usable(catalog: Catalog) -> Iterator[tuple[list[str], list[str], list[bytes]]]:
    """Go through image ids, product ids and digests of the photos with status ok."""
    for batch in catalog.batches("images", ["image_id", "product_id", "sha256", "status"]):
        ok = batch.filter(pc.equal(batch.column("status"), "ok"))
        yield tuple(ok.column(name).to_pylist() for name in ("image_id", "product_id", "sha256"))


def _spread(digests: NDArray[np.uint64], categories: NDArray[np.int32]) -> set[int]:
    """Return the digests that stand with more than one category."""
    filed = categories >= 0
    digests, categories = digests[filed], categories[filed]
    order = np.lexsort((categories, digests))
    digests, categories = digests[order], categories[order]
    differs = (digests[1:] == digests[:-1]) & (categories[1:] != categories[:-1])
    return set(digests[1:][differs].tolist())
