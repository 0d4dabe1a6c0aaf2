"""The head under corrections: rows that change their category, go, or come back, each taken in at once.

In the whitened coordinates q of `leave_out` the head is M C, at first with M = I and C = Qᵀ Y. A row that moves from column
a to b takes M q from the one and adds it to the other; a row that goes changes M by rank one (Sherman and Morrison 1950).
The alpha stays that of the rows at the beginning: the answers are those of learning anew at that alpha.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shelfwise.statistics.ridge import Spectrum, spectral_sums
from shelfwise.statistics.whitening import Whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.statistics.sufficient import CategorySums


class CorrectedHead:
    """A head that rows can be taken from, given to, and moved in, at one alpha.

    counts: (c,) rows per category as they are now. Rows are given whitened, q: see `whiten`. To add rows that it has never
    learned from, the spectrum must be `completed`.
    """

    def __init__(self, spectrum: Spectrum, statistics: CategorySums, penalty: float) -> None:
        self._spectrum = spectrum
        self._whitening = Whitening.of(spectrum, spectral_sums(spectrum, statistics), statistics.counts, penalty)
        self._weight = self._whitening.coefficients.copy()
        self._inverse: NDArray[np.float64] | None = None  # M; the unit matrix until a row goes
        self.counts = statistics.counts.copy()

    def whiten(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return rows (m, d) in whitened coordinates, (m, r + 1)."""
        return self._whitening.whiten(self._spectrum.project(x))

    def move(self, q: NDArray[np.float64], old: int, new: int) -> None:
        """Take a row q (r + 1,) from one category to another."""
        self._make_room(new)
        column = self._times_inverse(q)
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
        scores, turned = q @ self._weight, self._times_inverse(q.T).T
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
        direction = self._times_inverse(q)
        growth = 1 + sign * float(q @ direction)
        excess = q @ self._weight
        excess[column] -= 1
        self._weight -= np.outer(direction, (sign / growth) * excess)
        if self._inverse is None:
            self._inverse = np.eye(len(q))
        self._inverse -= np.outer(direction, (sign / growth) * direction)
        self.counts[column] += sign

    def _times_inverse(self, q: NDArray[np.float64]) -> NDArray[np.float64]:
        return q if self._inverse is None else self._inverse @ q

    def _make_room(self, column: int) -> None:
        new = column + 1 - len(self.counts)
        if new > 0:
            self._weight = np.pad(self._weight, ((0, 0), (0, new)))
            self.counts = np.pad(self.counts, (0, new))
