"""All that the ridge head needs to know about the rows: sums that add up, and can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from shelfwise.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

BLOCK_BYTES = 32 * 2**20
_COUNT_SLACK = 1e-9


class CategorySums:
    """Sums over rows x of d numbers, each in one of c categories, with weight w: enough where a `Spectrum` is at hand.

    sums: sum of w x per category, (d, c). counts: sum of w per category, (c,). All float64.
    """

    def __init__(self, d: int, categories: int) -> None:
        self.sums: NDArray[np.float64] = np.zeros((d, categories))
        self.counts: NDArray[np.float64] = np.zeros(categories)

    @property
    def d(self) -> int:
        """Length of a row."""
        return int(self.sums.shape[0])

    @property
    def categories(self) -> int:
        """Number of categories, those without rows included."""
        return int(self.sums.shape[1])

    @property
    def weight(self) -> float:
        """Sum of all weights: the number of rows where none were given."""
        return float(self.counts.sum())

    @property
    def total(self) -> NDArray[np.float64]:
        """Weighted sum of all rows, (d,)."""
        return np.asarray(self.sums.sum(axis=1))

    def add(self, x: ArrayLike, column: ArrayLike, weight: ArrayLike | None = None) -> None:
        """Add rows.

        x: (n, d), accumulated in float64 in blocks of about 32 MiB; column: (n,) integers in [0, c); weight: (n,),
        finite and not negative, 1 where absent. Raises OptionError, with nothing added, for anything else.
        """
        self._accumulate(*self._checked(x, column, weight), sign=1)

    def _checked(
        self, x: ArrayLike, column: ArrayLike, weight: ArrayLike | None
    ) -> tuple[NDArray[np.floating], NDArray[np.intp], NDArray[np.float64]]:
        rows = np.asarray(x)
        if rows.ndim != 2 or rows.shape[1] != self.d:
            raise OptionError(f"rows of shape {rows.shape} where (n, {self.d}) is needed")
        if not np.isfinite(rows).all():
            bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
            raise OptionError(f"{len(bad)} rows hold NaN or infinity, the first is row {bad[0]}")
        return rows, category_columns(column, len(rows), self.categories), row_weights(weight, len(rows))

    def _accumulate(
        self, x: NDArray[np.floating], column: NDArray[np.intp], weight: NDArray[np.float64], *, sign: int
    ) -> None:
        step = max(BLOCK_BYTES // (8 * max(self.d, 1)), 1)
        for start in range(0, len(x), step):
            part = slice(start, start + step)
            self._accumulate_block(x[part].astype(np.float64), column[part], weight[part], sign)
        self.counts += sign * np.bincount(column, weight, self.categories)

    def _accumulate_block(
        self, rows: NDArray[np.float64], column: NDArray[np.intp], weight: NDArray[np.float64], sign: int
    ) -> None:
        present, sums = category_sums(rows, column, weight)
        self.sums[:, present] += sign * sums.T


class SufficientStatistics(CategorySums):
    """The sums per category and the Gram matrix of the rows.

    gram: sum of w x xᵀ, (d, d), float64, so memory is 8 (d² + d c) bytes however many rows were added.
    """

    def __init__(self, d: int, categories: int) -> None:
        super().__init__(d, categories)
        self.gram: NDArray[np.float64] = np.zeros((d, d))

    def remove(self, x: ArrayLike, column: ArrayLike, weight: ArrayLike | None = None) -> None:
        """Take rows back that were added with the same weights; the sums are then what they were but for rounding.

        Raises OptionError, with nothing removed, when a category holds less weight than is taken from it.
        """
        rows, columns, weights = self._checked(x, column, weight)
        left = self.counts - np.bincount(columns, weights, self.categories)
        short = np.flatnonzero(left < -_COUNT_SLACK * np.maximum(self.counts, 1))
        if len(short):
            raise OptionError(f"more rows of category column {short[0]} to remove than were added")
        self._accumulate(rows, columns, weights, sign=-1)

    def merge(self, other: SufficientStatistics) -> SufficientStatistics:
        """Return the statistics of both sets of rows together; raises OptionError where the shapes differ."""
        if self.sums.shape != other.sums.shape:
            raise OptionError(f"statistics of shape (d, c) {self.sums.shape} and {other.sums.shape} do not add up")
        merged = SufficientStatistics(*self.sums.shape)
        merged.gram, merged.sums = self.gram + other.gram, self.sums + other.sums
        merged.counts = self.counts + other.counts
        return merged

    def grouped(self, column_of: ArrayLike, groups: int) -> SufficientStatistics:
        """Return the same rows counted by other categories: category j goes to column column_of[j] of `groups`.

        column_of: (c,) integers in [0, groups); several may meet in one (levels of the tree, merged categories), and a
        column that none goes to stays empty (new categories).
        """
        target = category_columns(column_of, self.categories, groups)
        indicator = csr_array((np.ones(len(target)), (target, np.arange(len(target)))), shape=(groups, len(target)))
        coarser = SufficientStatistics(self.d, groups)
        coarser.gram = self.gram.copy()
        coarser.sums = np.ascontiguousarray((indicator @ self.sums.T).T)
        coarser.counts = indicator @ self.counts
        return coarser

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the sums by name, ready for safetensors."""
        return {"gram": self.gram, "sums": self.sums, "counts": self.counts}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, ArrayLike]) -> SufficientStatistics:
        """Build the statistics from what `to_arrays` gave; raises OptionError where an array is missing or misfit."""
        try:
            gram, sums, counts = (np.array(arrays[name], dtype=np.float64) for name in ("gram", "sums", "counts"))
        except KeyError as missing:
            raise OptionError(f"the statistics lack the array {missing}") from None
        if sums.ndim != 2 or gram.shape != (sums.shape[0],) * 2 or counts.shape != sums.shape[1:]:
            raise OptionError(f"statistics whose shapes do not fit: {gram.shape}, {sums.shape}, {counts.shape}")
        statistics = cls(*sums.shape)
        statistics.gram, statistics.sums, statistics.counts = gram, sums, counts
        return statistics

    def _accumulate_block(
        self, rows: NDArray[np.float64], column: NDArray[np.intp], weight: NDArray[np.float64], sign: int
    ) -> None:
        super()._accumulate_block(rows, column, weight, sign)
        rows *= np.sqrt(weight)[:, None]
        self.gram += sign * (rows.T @ rows)


def row_weights(weight: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Return one float64 weight per row, 1 where none are given; raises OptionError unless finite and not negative."""
    weights = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    if weights.shape != (n,) or not (np.isfinite(weights) & (weights >= 0)).all():
        raise OptionError(f"weights must be {n} finite numbers, none negative")
    return weights


def category_columns(column: ArrayLike, n: int, categories: int) -> NDArray[np.intp]:
    """Return category columns (n,) as indices; raises OptionError unless they are integers in [0, categories)."""
    columns = np.asarray(column)
    if columns.shape != (n,) or (n and columns.dtype.kind not in "iu"):
        raise OptionError(f"category columns of shape {columns.shape}, {columns.dtype} where {n} integers are needed")
    if n and not 0 <= columns.min() <= columns.max() < categories:
        raise OptionError(
            f"category columns {columns.min()} to {columns.max()} where there are {categories} categories"
        )
    return columns.astype(np.intp)


def category_sums(
    x: NDArray[np.float64], column: NDArray[np.intp], weight: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the columns that occur, (u,), and for each the weighted sum of its rows: (u, d)."""
    present, place = np.unique(column, return_inverse=True)
    indicator = csr_array((weight, (place, np.arange(len(x)))), shape=(len(present), len(x)))
    return present, np.asarray(indicator @ x)
