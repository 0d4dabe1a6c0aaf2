"""The ridge head at one penalty by a Cholesky factor: some of its columns, or a head that rows are added to one by one.

The head is that of `ridge`, W = (Gc + alpha I)⁻¹ Bc. With L Lᵀ = Gc + alpha I, every column is two triangular solutions
away, and the rows L⁻¹ (x - m) are the whitened rows of `leave_out` but for a rotation, which changes no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from shelfwise.errors import OptionError
from shelfwise.statistics.head import Head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.statistics.sufficient import SufficientStatistics


@dataclass(frozen=True)
class System:
    """The centred Gram matrix with alpha on its diagonal, factored: L (d, d), lower; mean (d,); weight: of all rows."""

    factor: NDArray[np.float64]
    mean: NDArray[np.float64]
    weight: float

    @classmethod
    def of(cls, statistics: SufficientStatistics, penalty: float) -> System:
        """Factor the matrix of rows at a dimensionless penalty: alpha is penalty times the mean eigenvalue, trace(Gc) / d.

        Raises OptionError for a penalty that is not positive, for no rows, and for rows that are all the same.
        """
        weight = statistics.weight
        if not (weight > 0 and np.isfinite(penalty) and penalty > 0):
            raise OptionError(f"there is nothing to learn from rows of weight {weight:g} at the penalty {penalty:g}")
        mean = statistics.total / weight
        matrix = statistics.gram - weight * np.outer(mean, mean)
        spread = float(np.trace(matrix))
        if spread <= np.finfo(np.float64).eps * statistics.d * weight * float(mean @ mean):
            raise OptionError("the products to learn from are all the same: nothing tells them apart")
        matrix[np.diag_indices(len(matrix))] += penalty * spread / len(matrix)
        return cls(cholesky(matrix.T, lower=True, overwrite_a=True, check_finite=False), mean, weight)

    def head(self, sums: NDArray[np.float64], counts: NDArray[np.float64]) -> Head:
        """Return the float64 head of categories with these sums (d, k) and counts (k,): all of them or any."""
        weight = self._solved(self._solved(sums - np.outer(self.mean, counts)), transposed=True)
        return Head(weight, counts / self.weight - self.mean @ weight)

    def coefficients(self, sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the head (d + 1, k) in the coordinates of whitened rows."""
        return np.concatenate([counts[None] * self.weight**-0.5, self._solved(sums - np.outer(self.mean, counts))])

    def whiten(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return whitened rows (m, d + 1) of rows (m, d): a row times `coefficients` are its scores."""
        turned = self._solved((x.astype(np.float64) - self.mean).T)
        return np.concatenate([np.full((1, len(x)), self.weight**-0.5), turned]).T

    def _solved(self, columns: NDArray[np.float64], *, transposed: bool = False) -> NDArray[np.float64]:
        trans = "T" if transposed else "N"
        return np.asarray(solve_triangular(self.factor, columns, trans, lower=True, check_finite=False))
