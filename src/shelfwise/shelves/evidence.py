"""What speaks for another shelf: the photos nearest to a suspect, on the suggested shelf and on its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.features import FeatureLayout
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory
from shelfwise.index.neighbors import Block, nearest
from shelfwise.progress import SILENT, Progress
from shelfwise.shelves.left_out import Numbers, same_pictures
from shelfwise.shelves.rank import Suspects
from shelfwise.shelves.vectors import Vectors

_BLOCK_PHOTOS = 2048


@dataclass(frozen=True, eq=False)
class Evidence:
    """The k nearest photos of s suspects on either shelf, nearest first, without the suspect's own and copies of them.

    own_photo, shelf_photo: (s, k) photos of the inventory on the own and on the suggested shelf, -1 where there are fewer;
    own_similarity, shelf_similarity: (s, k) cosines, -inf beside a -1.
    """

    own_photo: NDArray[np.int64]
    own_similarity: NDArray[np.float32]
    shelf_photo: NDArray[np.int64]
    shelf_similarity: NDArray[np.float32]

    @property
    def neighbors(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k nearest photos (s, k) of both shelves together, and their similarity."""
        photo, similarity, order = self._together()
        return np.take_along_axis(photo, order, axis=1), np.take_along_axis(similarity, order, axis=1)

    @property
    def on_suggested(self) -> NDArray[np.int64]:
        """How many (s,) of `neighbors` stand on the suggested shelf."""
        k, (photo, _, order) = self.own_photo.shape[1], self._together()
        return np.asarray(((order < k) & (np.take_along_axis(photo, order, axis=1) >= 0)).sum(axis=1))

    def _together(self) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.intp]]:
        photo = np.concatenate([self.shelf_photo, self.own_photo], axis=1)
        similarity = np.concatenate([self.shelf_similarity, self.own_similarity], axis=1)
        order = np.argsort(-similarity, axis=1, kind="stable")[:, : self.own_photo.shape[1]]
        return photo, similarity, order


def evidence(
    catalog: Catalog, inventory: Inventory, layout: FeatureLayout, suspects: Suspects, k: int = 5,
    progress: Progress = SILENT,
) -> Evidence:  # fmt: skip
    """Find the nearest photos of suspects; only the photos of their shelves are read, shelf by shelf."""
    vectors = Vectors(catalog, inventory, layout)
    group = same_pictures(inventory.photo_product, inventory.photo_picture, inventory.products)
    queries = vectors.read(suspects.product)
    sides = {side: _Side.empty(len(suspects), k) for side in ("category", "shelf")}
    wanted = np.unique(np.concatenate([suspects.category, suspects.shelf]))
    with progress.task("find the nearest photos", len(wanted)) as advance:
        for shelf in wanted.tolist():
            asking = {side: np.flatnonzero(getattr(suspects, side) == shelf) for side in sides}
            rows = np.concatenate(list(asking.values()))
            blocks = _photos_on(shelf, inventory, vectors, group)
            found = nearest(queries[rows], group[suspects.product[rows]], blocks, k)
            past = len(asking["category"])
            sides["category"].put(asking["category"], found[0][:past], found[1][:past])
            sides["shelf"].put(asking["shelf"], found[0][past:], found[1][past:])
            advance(1)
    own, other = sides["category"], sides["shelf"]
    return Evidence(own.photo, own.similarity, other.photo, other.similarity)


@dataclass(frozen=True, eq=False)
class _Side:
    photo: NDArray[np.int64]
    similarity: NDArray[np.float32]

    @classmethod
    def empty(cls, s: int, k: int) -> _Side:
        return cls(np.full((s, k), -1, np.int64), np.full((s, k), -np.inf, np.float32))

    def put(self, rows: Numbers, photo: NDArray[np.int64], similarity: NDArray[np.float32]) -> None:
        self.photo[rows], self.similarity[rows] = photo, similarity


def _photos_on(shelf: int, inventory: Inventory, vectors: Vectors, group: NDArray[np.int64]) -> Iterator[Block]:
    products = np.flatnonzero((inventory.category == shelf) & vectors.has)
    photos = np.sort(vectors.photos_of(products)[0])
    for start in range(0, len(photos), _BLOCK_PHOTOS):
        block = photos[start : start + _BLOCK_PHOTOS]
        yield block, group[inventory.photo_product[block]], vectors.photos(block)
