"""What the head would say of training rows had it not learned from them, without learning again.

With whitened rows q = [1 / sqrt(N), z / sqrt(eigenvalue + alpha)], z a row in the coordinates of the eigenvectors, the
scores are Q C with C = Qᵀ W Y, and leaving out the rows g at a fixed alpha gives exactly

    y - scores = (I - Qg Qgᵀ Wg)⁻¹ (y - Qg C)        for a small group,
    scores = Qg (I - Qgᵀ Wg Qg)⁻¹ (C - Qgᵀ Wg Yg)    for a large one (the same by Woodbury's identity).

Intercept and weighted mean follow, as the first coordinate carries them.
Source: Sherman-Morrison-Woodbury on (Gc + alpha I); Cook and Weisberg, Residuals and Influence in Regression (1982),
chapters 2 (one row) and 3 (groups), whose argument holds for ridge because every refit has the same alpha.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve

from shelfwise.errors import OptionError
from shelfwise.statistics.ridge import Spectrum, spectral_sums
from shelfwise.statistics.sufficient import (
    BLOCK_BYTES,
    CategorySums,
    category_columns,
    category_sums,
    row_weights,
)
from shelfwise.statistics.whitening import Whitening, Whole

if TYPE_CHECKING:
    from collections.abc import Iterator

Block = tuple[NDArray[np.intp], NDArray[np.floating]]

LARGEST_SMALL_GROUP = 1024
"""Rows up to which a group is solved as a square of its own size: 8 MiB in float64."""

_FLOAT32_AMPLIFICATION = 16
"""Growth of rounding errors up to which a block's scores are computed in float32: about 1e-6 is left then."""

_NOTHING = 1e-9
"""Share of the weight that is rounding."""


@dataclass(frozen=True)
class Groups:
    """Rows ordered so that groups are whole and groups of one size follow one another.

    order: (n,) rows; sizes and starts: one per group, places in `order`.
    """

    order: NDArray[np.intp]
    sizes: NDArray[np.intp]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, group_of: NDArray[np.intp]) -> Groups:
        """Order rows by the size of their group, then by group; group_of: (n,) integers from 0."""
        count = np.bincount(group_of)
        order = np.lexsort((group_of, count[group_of]))
        sizes = np.sort(count[count > 0])
        return cls(order, sizes, np.cumsum(sizes) - sizes)

    def blocks(self, row_bytes: int) -> Iterator[NDArray[np.intp]]:
        """Yield rows as (k, m): k groups of m rows each, some BLOCK_BYTES with their (m, m) squares unless k is 1."""
        for size in np.unique(self.sizes):
            first, past = np.searchsorted(self.sizes, [size, size + 1])
            step = max(BLOCK_BYTES // (int(size) * (row_bytes + 8 * int(size))), 1)
            for group in range(first, past, step):
                last = min(group + step, past) - 1
                yield self.rows(group, last).reshape(-1, size)

    def rows(self, first: int, last: int) -> NDArray[np.intp]:
        """Return the rows of the groups `first` to `last`, both included."""
        return self.order[self.starts[first] : self.starts[last] + self.sizes[last]]


class LeaveOut:
    """Training rows and the groups in which they are left out.

    x: (n, d), column: (n,), weight: (n,) as they were added; they may be part of the rows behind the statistics as long
    as each group among them is whole. group: (n,), equal values mean the same group; where absent each row is left out
    alone. Raises OptionError when a group holds all the weight, or spectrum and statistics are not of the same rows.
    """

    def __init__(
        self,
        spectrum: Spectrum,
        statistics: CategorySums,
        x: NDArray[np.floating],
        column: NDArray[np.integer],
        group: ArrayLike | None = None,
        weight: ArrayLike | None = None,
    ) -> None:
        self._whole = Whole(spectrum, spectral_sums(spectrum, statistics), statistics.counts)
        self._ask_about(x, column, group, weight)

    @classmethod
    def of_coordinates(
        cls,
        spectrum: Spectrum,
        z: NDArray[np.float64],
        column: NDArray[np.integer],
        categories: int,
        group: ArrayLike | None = None,
    ) -> LeaveOut:
        """Make it of the very rows that the spectrum was made of, by their coordinates (n, r): nothing is projected."""
        sums = CategorySums(z.shape[1], categories)
        sums.add(z, column)
        left = cls.__new__(cls)
        left._whole = Whole(spectrum, sums.sums, sums.counts)
        left._ask_about(z, column, group, None)
        left._projected = True
        return left

    def about(
        self,
        x: NDArray[np.floating],
        column: NDArray[np.integer],
        group: ArrayLike | None = None,
        weight: ArrayLike | None = None,
    ) -> LeaveOut:
        """Return the same for other rows behind the statistics, so that rows can be asked about in parts.

        What was computed of the statistics, and of them at the penalty asked for last, is not computed again.
        """
        other = copy(self)
        other._ask_about(x, column, group, weight)
        return other

    def _ask_about(
        self,
        x: NDArray[np.floating],
        column: NDArray[np.integer],
        group: ArrayLike | None,
        weight: ArrayLike | None,
    ) -> None:
        self.column = category_columns(column, len(x), len(self._whole.counts))
        self._x, self._projected = x, False
        self._put_in_groups(_group_numbers(group, len(x)))
        self._weight = row_weights(weight, len(x))
        self._row_bytes = 8 * sum(self._whole.sums.shape) + 8
        self._refuse_whole()

    def scores(self, penalty: float) -> Iterator[Block]:
        """Yield (rows, scores) in blocks: what the head says of each row when it did not learn from the row's group.

        rows: (m,) indices into x, each comes once, in no particular order; scores: (m, c), float32 or float64, some 32
        MiB. They equal those of refits at the same alpha. A category whose rows are all in one group scores 0 there:
        nothing is left to know it by, see `known`.
        """
        whitening = self._whole.whitening(penalty)
        for rows in self._groups.blocks(self._row_bytes):
            if rows.shape[1] <= LARGEST_SMALL_GROUP:
                yield rows.ravel(), self._small_groups(whitening, rows)
            else:
                yield from self._large_group(whitening, rows.ravel())

    @property
    def known(self) -> NDArray[np.bool_]:
        """Tell (n,) which rows have rows of their category outside their group: only those can be answered right."""
        _, pair = np.unique(self._group_of * len(self._whole.counts) + self.column, return_inverse=True)
        inside = np.bincount(pair, self._weight)[pair]
        counts = self._whole.counts[self.column]
        return np.asarray(counts - inside > _NOTHING * counts)

    def sample(self, rows: int, seed: int) -> LeaveOut:
        """Return whole groups drawn at random until they hold `rows` rows."""
        groups = np.random.default_rng(seed).permutation(len(self._groups.sizes))
        drawn = groups[: np.searchsorted(np.cumsum(self._groups.sizes[groups]), rows) + 1]
        places = [self._groups.rows(group, group) for group in np.sort(drawn)]
        return self.part(np.concatenate([np.empty(0, np.intp), *places]))

    def regrouped(self, group: ArrayLike) -> LeaveOut:
        """Return it for the same rows, left out in other groups (n,)."""
        other = copy(self)
        other._put_in_groups(_group_numbers(group, len(self.column)))
        other._refuse_whole()
        return other

    def part(self, rows: NDArray[np.integer]) -> LeaveOut:
        """Return it for some of the rows, projected once for many penalties; rows: (m,), whole groups."""
        part = copy(self)
        part.column, part._weight = self.column[rows], self._weight[rows]
        part._put_in_groups(self._group_of[rows])
        part._x, part._projected = self._rotate(rows), True
        return part

    def _put_in_groups(self, group_of: NDArray[np.intp]) -> None:
        self._group_of = group_of
        self._groups = Groups.of(group_of)

    def _rotate(self, rows: NDArray[np.integer]) -> NDArray[np.float64]:
        x = self._x[rows]
        return x.astype(np.float64, copy=False) if self._projected else self._whole.spectrum.project(x)

    def _small_groups(self, whitening: Whitening, rows: NDArray[np.intp]) -> NDArray[np.floating]:
        """Return scores (k m, c) of k groups of m rows, each left out whole."""
        flat = rows.ravel()
        q = whitening.whiten(self._rotate(flat))
        grouped = q.reshape(*rows.shape, -1)
        hat = (grouped @ grouped.swapaxes(1, 2)) * self._weight[rows][:, None, :]
        inverse = np.linalg.inv(np.eye(rows.shape[1]) - hat)
        if np.abs(inverse).sum(axis=2).max() <= _FLOAT32_AMPLIFICATION:
            excess: NDArray[np.floating] = q.astype(np.float32) @ whitening.coefficients32
        else:
            excess = q @ whitening.coefficients
        true = np.arange(len(flat)), self.column[flat]
        excess[true] -= 1
        scores: NDArray[np.floating] = inverse.astype(excess.dtype) @ excess.reshape(*rows.shape, -1)
        scores = scores.reshape(excess.shape)
        scores[true] += 1
        return scores

    def _large_group(self, whitening: Whitening, rows: NDArray[np.intp]) -> Iterator[Block]:
        """Yield the scores of one group left out, taking its rows off the head instead of solving among them."""
        parts = np.array_split(rows, -(-len(rows) * self._row_bytes // BLOCK_BYTES))
        left = np.eye(len(whitening.coefficients))
        coefficients = whitening.coefficients.copy()
        for part in parts:
            q = whitening.whiten(self._rotate(part))
            left -= q.T @ (q * self._weight[part][:, None])
            present, sums = category_sums(q, self.column[part], self._weight[part])
            coefficients[:, present] -= sums.T
        coefficients = solve(left, coefficients, assume_a="pos", overwrite_a=True, check_finite=False)
        for part in parts:
            yield part, whitening.whiten(self._rotate(part)) @ coefficients

    def _refuse_whole(self) -> None:
        if not len(self._groups.sizes):
            return
        heaviest = np.add.reduceat(self._weight[self._groups.order], self._groups.starts).max()
        if heaviest >= self._whole.spectrum.weight * (1 - _NOTHING):
            raise OptionError("one group holds all rows: leaving it out leaves nothing to learn from")


def left_out_scores(
    spectrum: Spectrum,
    statistics: CategorySums,
    penalty: float,
    x: NDArray[np.floating],
    column: NDArray[np.integer],
    group: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> Iterator[Block]:
    """Yield (rows, scores) of all rows as `LeaveOut.scores` does; arguments and errors as for `LeaveOut`."""
    return LeaveOut(spectrum, statistics, x, column, group, weight).scores(penalty)


def _group_numbers(group: ArrayLike | None, n: int) -> NDArray[np.intp]:
    labels = np.arange(n) if group is None else np.asarray(group)
    if labels.shape != (n,):
        raise OptionError(f"groups of shape {labels.shape} for {n} rows")
    return np.unique(labels, return_inverse=True)[1]
