"""What a bundle keeps so that it can be changed without learning anew: sums of its products, and which these are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.errors import OptionError
from shelfwise.statistics.sufficient import SufficientStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Numbers = NDArray[np.integer[Any]]

_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Learned:
    """What a ridge head was learned from: rows, one a product or one a photo of it.

    statistics: of the rows (d, c columns); penalty: dimensionless; product_ids (p,) text, column (p,) int32, rows (p,) int32
    how many each product has, digest (p,) uint64 of them, see `digests`. Where rows x (n, d) are given, product (n,) says
    whose each is, ascending from 0 without gaps; absent: each product has one.
    """

    statistics: SufficientStatistics
    penalty: float
    product_ids: NDArray[np.object_]
    column: NDArray[np.int32]
    rows: NDArray[np.int32]
    digest: NDArray[np.uint64]

    @classmethod
    def of(
        cls,
        product_ids: NDArray[np.object_],
        x: NDArray[np.float32],
        column: Numbers,
        categories: int,
        penalty: float,
        product: Numbers | None = None,
    ) -> Learned:
        """Make it of all products, rows x (n, d)."""
        statistics = SufficientStatistics(x.shape[1], categories)
        nothing = np.empty(0, np.int32)
        start = cls(statistics, penalty, np.empty(0, np.object_), nothing, nothing, np.empty(0, np.uint64))
        return start.added(np.asarray(product_ids, np.object_), x, column, product)

    def __len__(self) -> int:
        return len(self.product_ids)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {product: place for place, product in enumerate(self.product_ids)}

    def places(self, product_ids: Sequence[str] | NDArray[np.object_]) -> NDArray[np.int64]:
        """Return the place of each product, -1 for one that was never learned."""
        return np.array([self._place.get(product, -1) for product in product_ids], dtype=np.int64)

    def added(
        self, product_ids: NDArray[np.object_], x: NDArray[np.float32], column: Numbers, product: Numbers | None = None
    ) -> Learned:
        """Add products; raises OptionError where one was learned before, or is given twice."""
        known = product_ids[self.places(product_ids) >= 0]
        if len(known):
            raise OptionError(f"{listed(known)} learned before: remove it first where it is to be learned anew")
        if len(set(product_ids)) < len(product_ids):
            raise OptionError("a product is to be added twice")
        product = np.arange(len(x)) if product is None else product
        statistics = self._copied()
        statistics.add(x, column[product])
        rows = np.bincount(product, minlength=len(product_ids)).astype(np.int32)
        return Learned(
            statistics, self.penalty, np.concatenate([self.product_ids, product_ids]),
            np.concatenate([self.column, np.asarray(column, np.int32)]), np.concatenate([self.rows, rows]),
            np.concatenate([self.digest, digests(x, product)]),
        )  # fmt: skip

    def removed(
        self, product_ids: NDArray[np.object_], x: NDArray[np.float32], product: Numbers | None = None
    ) -> Learned:
        """Take products away, given the rows (m, d) that they were learned with; raises OptionError for others."""
        places = self.checked(product_ids, x, product)
        if len(places) == len(self):
            raise OptionError("no product would be left to have learned from")
        statistics = self._copied()
        statistics.remove(x, np.repeat(self.column[places], self.rows[places]))
        rest = np.delete(np.arange(len(self)), places)
        return Learned(
            statistics, self.penalty, self.product_ids[rest], self.column[rest], self.rows[rest], self.digest[rest]
        )

    def moved(
        self, product_ids: NDArray[np.object_], x: NDArray[np.float32], column: Numbers, product: Numbers | None = None
    ) -> Learned:
        """Put products into other columns, given the rows (m, d) that they were learned with."""
        places = self.checked(product_ids, x, product)
        statistics = self._copied()
        old, new = (np.repeat(of_product, self.rows[places]) for of_product in (self.column[places], column))
        for row, of_one in enumerate(x.astype(np.float64)):
            statistics.sums[:, old[row]] -= of_one
            statistics.sums[:, new[row]] += of_one
        statistics.counts += np.bincount(new, minlength=statistics.categories)
        statistics.counts -= np.bincount(old, minlength=statistics.categories)
        moved = self.column.copy()
        moved[places] = column
        return Learned(statistics, self.penalty, self.product_ids, moved, self.rows, self.digest)

    def regrouped(self, column_of: Numbers, categories: int) -> Learned:
        """Give the products of each column (c,) another of `categories` columns; -1 is for columns without products."""
        column_of = np.asarray(column_of, dtype=np.int64)
        kept = np.flatnonzero(column_of >= 0)
        if (self.statistics.counts[column_of < 0] > 0.5).any():
            raise OptionError("a column that holds products cannot go")
        first = kept[np.unique(column_of[kept], return_index=True)[1]]
        statistics = SufficientStatistics(0, categories)
        statistics.gram, statistics.sums = self.statistics.gram, np.zeros((self.statistics.d, categories))
        statistics.sums[:, column_of[first]] = self.statistics.sums[:, first]
        for merged in np.setdiff1d(kept, first):
            statistics.sums[:, column_of[merged]] += self.statistics.sums[:, merged]
        statistics.counts = np.bincount(column_of[kept], self.statistics.counts[kept], categories).astype(np.float64)
        column = column_of[self.column].astype(np.int32)
        return Learned(statistics, self.penalty, self.product_ids, column, self.rows, self.digest)

    def checked(
        self, product_ids: NDArray[np.object_], x: NDArray[np.float32], product: Numbers | None = None
    ) -> NDArray[np.int64]:
        """Return the places of products; raises OptionError where one was never learned, or looked otherwise then."""
        places = self.places(product_ids)
        if (places < 0).any():
            raise OptionError(f"{listed(product_ids[places < 0])} never learned, and cannot be taken out")
        if len(set(product_ids)) < len(product_ids):
            raise OptionError("a product is to be taken out twice")
        changed = product_ids[self.digest[places] != digests(x, product)]
        if len(changed):
            raise OptionError(
                f"{listed(changed)} learned with other photos than the catalog holds now, so that the sums cannot be taken "
                "back: bring these photos back, or learn anew with  shelfwise train"
            )
        return places

    def _copied(self) -> SufficientStatistics:
        return SufficientStatistics.from_arrays(self.statistics.to_arrays())


def digests(x: NDArray[np.float32], product: Numbers | None = None) -> NDArray[np.uint64]:
    """Return 8 bytes (p,) that tell products apart: the blake2b of the float32 numbers of their rows x (n, d), in order."""
    rows = np.ascontiguousarray(x, dtype="<f4")
    starts = np.arange(len(rows)) if product is None else np.flatnonzero(np.diff(product, prepend=-1))
    of_products = np.split(rows, starts[1:]) if len(rows) else []
    each = b"".join(hashlib.blake2b(one.tobytes(), digest_size=8).digest() for one in of_products)
    return np.frombuffer(each, dtype="<u8").astype(np.uint64)


def listed(product_ids: Sequence[str] | NDArray[np.object_]) -> str:
    """Name products as the subject of a sentence that goes on with a participle."""
    shown = ", ".join(repr(str(product)) for product in product_ids[:_SHOWN])
    if len(product_ids) == 1:
        return f"the product {shown} was"
    return f"{len(product_ids):,} products ({shown}{', ...' if len(product_ids) > _SHOWN else ''}) were"
