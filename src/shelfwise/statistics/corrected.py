"""The head under corrections: rows that change their category, go, or come, each taken in at once.

In the whitened coordinates q of `leave_out` the head is M C, at first with M = I and C = Qᵀ Y. A row that moves from column
a to b takes M q from the one and adds it to the other; a row that goes changes M by rank one (Sherman and Morrison 1950).
The alpha stays that of the rows at the beginning: the answers are those of learning anew at that alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.statistics.ridge import Spectrum, spectral_sums
from shelfwise.statistics.whitening import Whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.statistics.solve import System
    from shelfwise.statistics.sufficient import CategorySums


class CorrectedHead:
    """A head that rows can be taken from, given to, and moved in, at one alpha.

    whiten: rows (m, d) to whitened coordinates q (m, r + 1), in which rows are given; coefficients: the head (r + 1, c) in
    them; counts: (c,) rows per category as they are now.
    """

    def __init__(
        self,
        whiten: Callable[[NDArray[np.floating]], NDArray[np.float64]],
        coefficients: NDArray[np.float64],
        counts: NDArray[np.float64],
    ) -> None:
        self.whiten = whiten
        self._weight = coefficients.copy()
        self._inverse = Inverse(len(coefficients))
        self.counts = counts.copy()

    @classmethod
    def of_spectrum(cls, spectrum: Spectrum, statistics: CategorySums, penalty: float) -> CorrectedHead:
        """Make it of a spectrum, which must be `completed` if rows come that it has never learned from."""
        whitening = Whitening.of(spectrum, spectral_sums(spectrum, statistics), statistics.counts, penalty)
        return cls(lambda x: whitening.whiten(spectrum.project(x)), whitening.coefficients, statistics.counts)

    @classmethod
    def of_system(cls, system: System, statistics: CategorySums) -> CorrectedHead:
        """Make it of a factored system; any rows may come."""
        return cls(system.whiten, system.coefficients(statistics.sums, statistics.counts), statistics.counts)

    def scores(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores (m, c) of whitened rows, the head as it is now."""
        return q @ self._weight

    def move(self, q: NDArray[np.float64], old: int, new: int) -> None:
        """Take a row q (r + 1,) from one category to another."""
        self._make_room(new)
        column = self._inverse.times(q)
        self._weight[:, old] -= column
        self._weight[:, new] += column
        self.counts[old] -= 1
        self.counts[new] += 1

    def forget(self, q: NDArray[np.float64], column: int) -> None:
        """Take a row away."""
        self._change(q, column, -1)

    def add(self, q: NDArray[np.float64], column: int) -> None:
        """Add a row, or bring one back."""
        self._make_room(column)
        self._change(q, column, 1)

    def left_out(
        self,
        q: NDArray[np.float64],
        column: NDArray[np.integer],
        group: NDArray[np.integer],
        learned: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Return scores (m, c) of rows (m, r + 1) as if the head had learned from none of their group.

        column, group: (m,), groups whole; learned: (m,) which rows it has learned from, where the column counts.
        """
        scores, turned = q @ self._weight, self._inverse.times(q.T).T
        order = np.argsort(group, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
            out = rows[learned[rows]]
            excess = scores[out]
            excess[np.arange(len(out)), column[out]] -= 1
            remaining = np.eye(len(out)) - turned[out] @ q[out].T
            scores[rows] += (turned[rows] @ q[out].T) @ np.linalg.solve(remaining, excess)
        return scores

    def _change(self, q: NDArray[np.float64], column: int, sign: int) -> None:
        """Add or take a row: M changes by rank one, and with it the head."""
        direction = self._inverse.times(q)
        growth = 1 + sign * float(q @ direction)
        excess = q @ self._weight
        excess[column] -= 1
        self._weight -= np.outer(direction, (sign / growth) * excess)
        self._inverse.subtract(direction, sign / growth)
        self.counts[column] += sign

    def _make_room(self, column: int) -> None:
        new = column + 1 - len(self.counts)
        if new > 0:
            self._weight = np.pad(self._weight, ((0, 0), (0, new)))
            self.counts = np.pad(self.counts, (0, new))


class Inverse:
    """M, symmetric (r, r): the unit matrix less a sum of s u uᵀ, as a list of these until there are r of them."""

    def __init__(self, r: int) -> None:
        self._dense: NDArray[np.float64] | None = None
        self._directions: NDArray[np.float64] = np.empty((8, r))
        self._factors: NDArray[np.float64] = np.empty(8)
        self._used = 0

    def times(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return M q, for a column (r,) or several (r, m)."""
        u, s = self._directions[: self._used], self._factors[: self._used]
        product = q if self._dense is None else self._dense @ q
        return product - u.T @ (s * (u @ q).T).T if self._used else product

    def subtract(self, direction: NDArray[np.float64], factor: float) -> None:
        """Subtract factor times the outer product of a direction (r,) with itself."""
        if self._used == self._directions.shape[1]:
            self._dense = self.times(np.eye(self._used))
            self._used = 0
        if self._used == len(self._factors):
            self._directions = np.pad(self._directions, ((0, self._used), (0, 0)))
            self._factors = np.pad(self._factors, (0, self._used))
        self._directions[self._used], self._factors[self._used] = direction, factor
        self._used += 1
