"""The ridge head: one eigendecomposition of the centred Gram matrix serves every penalty.

With mean m, total weight N and targets y that are 1 in the column of the row's category and 0 elsewhere, the head
minimizes  sum w |y - b - Wᵀx|² + alpha |W|²  with b free of penalty. Its solution is W = (Gc + alpha I)⁻¹ Bc and
b = mean(y) - Wᵀm, where Gc = G - N m mᵀ and Bc = B - m nᵀ. Source: Hastie, Tibshirani, Friedman, The Elements of
Statistical Learning, 2nd ed., eq. 3.44 and the remark on centring before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh, qr

from shelfwise.errors import OptionError
from shelfwise.statistics.head import Head
from shelfwise.statistics.sufficient import CategorySums, SufficientStatistics, row_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Spectrum:
    """Eigendecomposition of the centred Gram matrix Gc of rows.

    eigenvalues: (r,), ascending, all above rounding; factors: matrices whose product is `vectors`; mean: (d,), weighted;
    weight: sum of the row weights. float64.
    """

    eigenvalues: NDArray[np.float64]
    factors: tuple[NDArray[np.float64], ...]
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
        return cls(eigenvalues[kept], (vectors[:, kept],), mean, weight)

    @classmethod
    def from_rows(cls, x: ArrayLike, weight: ArrayLike | None = None) -> Spectrum:
        """Decompose the n x n matrix instead: the same spectrum, cheaper where n is below d.

        x: (n, d); weight: (n,), 1 where absent. Keeps a float64 copy of x. Raises OptionError when there are no rows.
        """
        return cls._of_rows(x, weight)[0]

    @classmethod
    def with_coordinates(cls, x: ArrayLike) -> tuple[Spectrum, NDArray[np.float64]]:
        """Decompose rows that all have weight 1, and return their coordinates (n, r) too, those that `project` gives."""
        return cls._of_rows(x, None)

    @classmethod
    def _of_rows(cls, x: ArrayLike, weight: ArrayLike | None) -> tuple[Spectrum, NDArray[np.float64]]:
        rows = np.array(x, dtype=np.float64)
        weights = row_weights(weight, len(rows))
        total = _positive(float(weights.sum()))
        mean = weights @ rows / total
        rows -= mean
        rows *= np.sqrt(weights)[:, None]
        eigenvalues, left = eigh(rows @ rows.T, overwrite_a=True, check_finite=False, driver="evd")
        kept = _above_rounding(eigenvalues, max(rows.shape), total * float(mean @ mean))
        eigenvalues, left = eigenvalues[kept], left[:, kept]
        lengths = np.sqrt(eigenvalues)
        return cls(eigenvalues, (rows.T, left / lengths), mean, total), left * lengths

    @property
    def vectors(self) -> NDArray[np.float64]:
        """The eigenvectors, (d, r), orthonormal columns; multiplied out when asked for."""
        return reduce(np.matmul, self.factors)

    def completed(self) -> Spectrum:
        """Return it with all d directions: those in which the rows do not differ have the eigenvalue 0.

        The head is the same; rows that were not among them can then be added.
        """
        vectors = self.vectors
        rest = qr(vectors, check_finite=False)[0][:, len(self.eigenvalues) :]
        eigenvalues = np.concatenate([np.zeros(rest.shape[1]), self.eigenvalues])
        return Spectrum(eigenvalues, (np.concatenate([rest, vectors], axis=1),), self.mean, self.weight)

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
        return self.along(x.astype(np.float64) - self.mean)

    def along(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return rows (n, d) times the eigenvectors: (n, r)."""
        return reduce(np.matmul, self.factors, x)

    def back(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the eigenvectors times columns (r, c): (d, c)."""
        return reduce(lambda product, factor: factor @ product, reversed(self.factors), z)


def fit(spectrum: Spectrum, statistics: CategorySums, penalty: float) -> Head:
    """Return the float64 head for a dimensionless penalty; spectrum and statistics must be of the same rows."""
    shrunk = spectral_sums(spectrum, statistics) / (spectrum.eigenvalues + spectrum.alpha(penalty))[:, None]
    weight = spectrum.back(shrunk)
    return Head(weight, statistics.counts / spectrum.weight - spectrum.mean @ weight)


def spectral_sums(spectrum: Spectrum, statistics: CategorySums) -> NDArray[np.float64]:
    """Return the centred sums per category in the coordinates of the eigenvectors, Vᵀ Bc: (r, c).

    Raises OptionError when the two were not made from the same amount of rows of the same length.
    """
    if len(spectrum.mean) != statistics.d or not np.isclose(spectrum.weight, statistics.weight, rtol=1e-6):
        raise OptionError(
            f"spectrum of weight {spectrum.weight:g} in {len(spectrum.mean)} dimensions, "
            f"statistics of weight {statistics.weight:g} in {statistics.d}: they are not of the same rows"
        )
    return spectrum.along((statistics.sums - np.outer(spectrum.mean, statistics.counts)).T).T


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
