"""The ridge head: one eigendecomposition of the centred Gram matrix serves every penalty.

With mean m, total weight N and targets y that are 1 in the column of the row's category and 0 elsewhere, the head
minimizes  sum w |y - b - Wᵀx|² + alpha |W|²  with b free of penalty. Its solution is W = (Gc + alpha I)⁻¹ Bc and
b = mean(y) - Wᵀm, where Gc = G - N m mᵀ and Bc = B - m nᵀ. Source: Hastie, Tibshirani, Friedman, The Elements of
Statistical Learning, 2nd ed., eq. 3.44 and the remark on centring before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh

from shelfwise.errors import OptionError
from shelfwise.statistics.head import Head
from shelfwise.statistics.sufficient import SufficientStatistics, row_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Spectrum:
    """Eigendecomposition of the centred Gram matrix Gc of rows.

    eigenvalues: (r,), ascending, all above rounding; vectors: (d, r), orthonormal columns; mean: (d,), weighted;
    weight: sum of the row weights. float64.
    """

    eigenvalues: NDArray[np.float64]
    vectors: NDArray[np.float64]
    mean: NDArray[np.float64]
    weight: float

    @classmethod
    def from_statistics(cls, statistics: SufficientStatistics) -> Spectrum:
        """Decompose the d x d matrix; raises OptionError when the statistics hold no rows."""
        weight = _positive(statistics.weight)
        mean = statistics.total / weight
        centred = statistics.gram - weight * np.outer(mean, mean)
        eigenvalues, vectors = eigh(centred, overwrite_a=True, check_finite=False, driver="evd")
        kept = _above_rounding(eigenvalues, statistics.d, weight * float(mean @ mean))
        return cls(eigenvalues[kept], vectors[:, kept], mean, weight)

    @classmethod
    def from_rows(cls, x: ArrayLike, weight: ArrayLike | None = None) -> Spectrum:
        """Decompose the n x n matrix instead: the same spectrum, cheaper where n is below d.

        x: (n, d); weight: (n,), 1 where absent. Takes a float64 copy of x. Raises OptionError when there are no rows.
        """
        rows = np.array(x, dtype=np.float64)
        weights = row_weights(weight, len(rows))
        total = _positive(float(weights.sum()))
        mean = weights @ rows / total
        rows -= mean
        rows *= np.sqrt(weights)[:, None]
        eigenvalues, left = eigh(rows @ rows.T, overwrite_a=True, check_finite=False, driver="evd")
        kept = _above_rounding(eigenvalues, max(rows.shape), total * float(mean @ mean))
        vectors = rows.T @ (left[:, kept] / np.sqrt(eigenvalues[kept]))
        return cls(eigenvalues[kept], vectors, mean, total)

    def alpha(self, penalty: float) -> float:
        """Return what is added to every eigenvalue: penalty times the mean eigenvalue, trace(Gc) / d.

        penalty has no unit and means the same whatever the scale of the rows. Raises OptionError unless it is a
        positive number.
        """
        if not (np.isfinite(penalty) and penalty > 0):
            raise OptionError(f"penalty {penalty} is not a positive number")
        return penalty * float(self.eigenvalues.sum()) / len(self.mean)

    def project(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return centred rows in the coordinates of the eigenvectors: (n, d) to (n, r)."""
        return (x.astype(np.float64) - self.mean) @ self.vectors


def fit(spectrum: Spectrum, statistics: SufficientStatistics, penalty: float) -> Head:
    """Return the float64 head for a dimensionless penalty; spectrum and statistics must be of the same rows."""
    shrunk = spectral_sums(spectrum, statistics) / (spectrum.eigenvalues + spectrum.alpha(penalty))[:, None]
    weight = spectrum.vectors @ shrunk
    return Head(weight, statistics.counts / spectrum.weight - spectrum.mean @ weight)


def spectral_sums(spectrum: Spectrum, statistics: SufficientStatistics) -> NDArray[np.float64]:
    """Return the centred sums per category in the coordinates of the eigenvectors, Vᵀ Bc: (r, c).

    Raises OptionError when the two were not made from the same amount of rows of the same length.
    """
    if len(spectrum.mean) != statistics.d or not np.isclose(spectrum.weight, statistics.weight, rtol=1e-6):
        raise OptionError(
            f"spectrum of weight {spectrum.weight:g} in {len(spectrum.mean)} dimensions, "
            f"statistics of weight {statistics.weight:g} in {statistics.d}: they are not of the same rows"
        )
    projected = spectrum.vectors.T @ statistics.sums
    return np.asarray(projected - np.outer(spectrum.vectors.T @ spectrum.mean, statistics.counts))


def _positive(weight: float) -> float:
    if not weight > 0:
        raise OptionError("there are no rows to learn from")
    return weight


def _above_rounding(eigenvalues: NDArray[np.float64], size: int, subtracted: float) -> NDArray[np.bool_]:
    """Tell directions in which the rows differ from those that only rounding gave.

    subtracted: the eigenvalue that centring took away, which leaves its own rounding behind.
    Source: the tolerance of numpy.linalg.matrix_rank (Press et al., Numerical Recipes, 3rd ed., p. 795).
    """
    top = eigenvalues.max(initial=0.0) + subtracted
    return np.asarray(eigenvalues > top * size * np.finfo(np.float64).eps)
