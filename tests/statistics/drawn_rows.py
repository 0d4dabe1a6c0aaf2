"""Seeded rows around category centers, and the learners that tests compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import Ridge

from shelfwise.statistics.ridge import Spectrum
from shelfwise.statistics.sufficient import SufficientStatistics

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    x: NDArray[Any]
    column: NDArray[np.int64]
    weight: NDArray[np.float64]
    categories: int

    @property
    def one_hot(self) -> NDArray[np.float64]:
        return np.eye(self.categories)[self.column]

    def statistics(self) -> SufficientStatistics:
        statistics = SufficientStatistics(self.x.shape[1], self.categories)
        statistics.add(self.x, self.column, self.weight)
        return statistics

    def refit(self, kept: NDArray[np.bool_], alpha: float) -> Ridge:
        """Learn from some of the rows with scikit-learn, by the exact solver, at a fixed alpha."""
        ridge = Ridge(alpha=alpha, solver="cholesky")
        return ridge.fit(self.x[kept], self.one_hot[kept], sample_weight=self.weight[kept])


def draw_rows(n: int, d: int, categories: int, *, seed: int = 0, weighted: bool = False, spread: float = 1.0) -> Rows:
    """Draw rows far from the origin, with directions of very different variance: centring and scaling matter."""
    rng = np.random.default_rng(seed)
    column = rng.integers(0, categories, n)
    centers = rng.standard_normal((categories, d))
    x = (centers[column] + spread * rng.standard_normal((n, d))) * np.geomspace(1, 0.05, d) + 3
    weight = rng.uniform(0.2, 3, n) if weighted else np.ones(n)
    return Rows(x, column, weight, categories)


def spectra(rows: Rows) -> dict[str, Spectrum]:
    return {
        "statistics": Spectrum.from_statistics(rows.statistics()),
        "rows": Spectrum.from_rows(rows.x, rows.weight),
    }
