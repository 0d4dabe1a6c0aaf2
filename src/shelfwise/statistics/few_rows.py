"""Few rows of many numbers left out: one Cholesky factor of the n x n matrix per penalty instead of a decomposition.

With the centred rows X, K = X Xᵀ and P = (K + alpha I)⁻¹ - 1 1ᵀ / (n alpha), alpha P Y are the residuals of the head that
learned from all, and leaving out the rows g at that alpha gives exactly  y - scores = Pgg⁻¹ (P Y)g. As K 1 = 0, P is also
(K + k 1 1ᵀ / n + alpha I)⁻¹ - 1 1ᵀ / (n (alpha + k)) for any k, which keeps its precision at a small alpha.
Source: Cawley and Talbot, Fast exact leave-one-out cross-validation of sparse least-squares support vector machines
(2004), section 3; for groups An, Liu, Venkatesh, Fast cross-validation algorithms for least squares support vector machine
and kernel ridge regression (2007), theorem 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky
from scipy.linalg.lapack import dtrtri

from shelfwise.statistics.calibration import fit_temperature
from shelfwise.statistics.leave_out import Groups
from shelfwise.statistics.penalty import GRID, unexplained
from shelfwise.statistics.sufficient import category_sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_START = 8
"""Place in GRID of 0.1, where the best penalty of some thousand rows is or near it. Source: as GRID."""


class FewRows:
    """Rows x (n, d) of columns (n,) below `categories`, left out by groups (n,); some 16 n² bytes, with 8 n d for a moment."""

    def __init__(self, x: ArrayLike, column: NDArray[np.integer], categories: int, group: NDArray[np.integer]) -> None:
        rows = np.array(x, dtype=np.float64)
        mean = rows.mean(axis=0)
        rows -= mean
        self._gram = rows @ rows.T
        self._mean_eigenvalue = float(np.trace(self._gram)) / rows.shape[1]
        if self._mean_eigenvalue <= np.finfo(np.float64).eps * len(rows) * float(mean @ mean):
            self._gram[:], self._mean_eigenvalue = 0, 1.0  # the rows are all the same: only rounding differs
        self._gram += self._mean_eigenvalue / len(
            rows
        )  # an eigenvalue for the direction of ones, which centring made 0
        self._column, self._categories = column.astype(np.intp), categories
        self._groups = Groups.of(np.unique(group, return_inverse=True)[1])

    def scores(self, penalty: float) -> NDArray[np.float64]:
        """Return what the head says (n, c) of each row when it did not learn from the row's group."""
        n, alpha = len(self._gram), penalty * self._mean_eigenvalue
        v = _inverse_root(self._gram, alpha)
        ones = 1 / (n * (alpha + self._mean_eigenvalue))
        present, sums = category_sums(v, self._column, np.ones(n))
        residuals = v @ sums.T - np.bincount(self._column)[present] * ones
        scores = np.zeros((n, self._categories))
        for rows in self._groups.blocks(8 * n):
            grouped = v[rows]
            within = grouped @ grouped.swapaxes(1, 2) - ones
            scores[rows[..., None], present] = -np.linalg.solve(within, residuals[rows])
        scores[np.arange(n), self._column] += 1
        return scores

    def best(self, known: NDArray[np.bool_]) -> tuple[float, float, NDArray[np.float64]]:
        """Return the penalty of GRID that leaves least unexplained, its temperature, and its scores (n, c).

        known: (n,) rows that count. Goes down from the middle until both neighbors are worse, and tries no others.
        """
        truth, best = self._column[known], _START
        scores = self.scores(GRID[best])
        least = unexplained(scores[known], truth)
        for step in (1, -1):
            while 0 <= best + step < len(GRID):
                other = self.scores(GRID[best + step])
                share = unexplained(other[known], truth)
                if share >= least:
                    break
                best, least, scores = best + step, share, other
            if best > _START:
                break
        return GRID[best], fit_temperature(scores[known], truth), scores


def _inverse_root(gram: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Return V with V Vᵀ = (gram + alpha I)⁻¹."""
    matrix = gram.copy()
    matrix[np.diag_indices(len(matrix))] += alpha
    factor = cholesky(matrix.T, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(dtrtri(factor, lower=1, overwrite_c=1)[0]).T
