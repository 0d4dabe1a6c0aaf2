"""The shelves while a person corrects them: every correction counts at once in what is said of the other products."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.features import FeatureLayout
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory
from shelfwise.progress import SILENT, Progress
from shelfwise.shelves.judge import Judged, filed_products, judge_learned, take_in
from shelfwise.shelves.left_out import Filed, Numbers, Rows, Shelves, learn, same_pictures
from shelfwise.shelves.vectors import Vectors
from shelfwise.statistics.corrected import CorrectedHead
from shelfwise.statistics.head import softmax

_KEPT_ROWS = 4096
"""Whitened rows that are kept for the next question: some 120 MB for 3,632 numbers each."""

_AT_ONCE = 256
"""Products that are judged together, with their groups."""


class LiveShelves:
    """What the shelves say of products, corrections included; vectors are read from the catalog as they are asked for.

    judged: the answers as they were given last. Products are rows of the product table, categories are numbers of the
    inventory; a number beyond those is a shelf that was empty.
    """

    def __init__(self, rows: Rows, filed: Filed, everything: Filed, judged: Judged, shelves: Shelves | None) -> None:
        self.judged = judged
        self._rows, self._groups = rows, everything
        self._head = _head(shelves, complete=len(everything) > len(filed)) if shelves else None
        self._place = np.full(len(judged.category), -1, np.int32)
        self._place[everything.product] = np.arange(len(everything))
        self._learned = np.zeros(len(judged.category), np.bool_)
        self._learned[filed.product] = shelves is not None
        self._aside = np.zeros(len(judged.category), np.bool_)
        self._whitened: dict[int, NDArray[np.float64]] = {}

    @classmethod
    def from_catalog(
        cls, catalog: Catalog, inventory: Inventory, layout: FeatureLayout, progress: Progress = SILENT
    ) -> LiveShelves:
        """Judge a catalog, and stay ready for corrections."""
        vectors = Vectors(catalog, inventory, layout)
        group = same_pictures(inventory.photo_product, inventory.photo_picture, inventory.products)
        with_vector = np.flatnonzero(vectors.has)
        everything = Filed.of(with_vector, inventory.category[with_vector], group[with_vector])
        return cls.of(vectors, filed_products(inventory, vectors), everything, inventory, progress)

    @classmethod
    def of(cls, rows: Rows, filed: Filed, everything: Filed, inventory: Inventory, progress: Progress) -> LiveShelves:
        """Judge products whose vectors come from anywhere; everything: those with a vector, filed or not."""
        if not filed.known().any():
            return cls(rows, filed, everything, Judged.nothing(inventory.category), None)
        shelves = learn(rows, filed, len(inventory.categories), progress)
        return cls(rows, filed, everything, judge_learned(rows, filed, shelves, inventory.category, progress), shelves)

    def move(self, product: int, category: int) -> None:
        """Put a product on another shelf, or on its first; one that was set aside stays aside."""
        old = int(self.judged.category[product])
        self.judged.category[product] = category
        if self._head is not None and self._learned[product]:
            self._head.move(self._row(self._head, product), old, category)
        self._learn(product)

    def forget(self, product: int) -> None:
        """Set a product aside: nothing is learned from it any more."""
        self._aside[product] = True
        if self._head is not None and self._learned[product]:
            self._head.forget(self._row(self._head, product), int(self.judged.category[product]))
            self._learned[product] = False

    def restore(self, product: int) -> None:
        """Take a product in again that was set aside, on the shelf where it is now."""
        self._aside[product] = False
        self._learn(product)

    def _learn(self, product: int) -> None:
        """Learn from a product that has a shelf and a vector, unless that was done."""
        able = self._place[product] >= 0 and self.judged.category[product] >= 0
        if self._head is not None and able and not self._learned[product] and not self._aside[product]:
            self._head.add(self._row(self._head, product), int(self.judged.category[product]))
            self._learned[product] = True

    def judge_again(self, products: Numbers) -> Judged:
        """Return the answers (k,) for some products as the shelves are now; `judged` holds them from then on.

        They are those of learning anew from the corrected shelves, at the penalty of the beginning; a product that was set
        aside is answered for as well.
        """
        asked = np.asarray(products)
        able = asked[(self._place[asked] >= 0) & (self.judged.category[asked] >= 0)]
        if self._head is not None:
            for start in range(0, len(able), _AT_ONCE):
                self._judge(self._head, able[start : start + _AT_ONCE])
        return self.judged.take(asked)

    def _judge(self, head: CorrectedHead, asked: Numbers) -> None:
        group = np.unique(self._groups.group[self._place[asked]])
        places = np.flatnonzero(np.isin(self._groups.group, group))
        products, group = self._groups.product[places], self._groups.group[places]
        column, learned = self.judged.category[products], self._learned[products]
        scores = head.left_out(self._q(head, products), column, group, learned)
        unknown = _alone(column, group, learned, head.counts)
        wanted = np.flatnonzero(np.isin(products, asked))
        take_in(self.judged, products[wanted], column[wanted], softmax(scores[wanted], self.judged.temperature))
        self.judged.own[products[wanted[unknown[wanted]]]] = np.nan

    def _row(self, head: CorrectedHead, product: int) -> NDArray[np.float64]:
        return np.asarray(self._q(head, np.array([product]))[0])

    def _q(self, head: CorrectedHead, products: Numbers) -> NDArray[np.float64]:
        """Return whitened rows; those asked for last are kept."""
        missing = [product for product in products.tolist() if product not in self._whitened]
        if missing:
            self._whitened.update(zip(missing, head.whiten(self._rows.read(np.array(missing))), strict=True))
        q = np.stack([self._whitened[product] for product in products.tolist()])
        for product in list(self._whitened)[: max(len(self._whitened) - _KEPT_ROWS, 0)]:
            del self._whitened[product]
        return q


def _head(shelves: Shelves, *, complete: bool) -> CorrectedHead:
    """Make the head; complete: products will come that were not learned from, so that all directions are needed."""
    spectrum = shelves.spectrum.completed() if complete else shelves.spectrum
    return CorrectedHead.of_spectrum(spectrum, shelves.statistics, shelves.penalty)


def _alone(
    column: NDArray[np.int32], group: NDArray[np.int64], learned: NDArray[np.bool_], counts: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell (m,) which rows have nothing on their shelf outside their group."""
    _, pair = np.unique(np.stack([group, column]), axis=1, return_inverse=True)
    return np.asarray(counts[column] <= np.bincount(pair, learned)[pair] + 0.5)
