"""Rows scaled so that the head at one penalty is a matrix product: the q and C of `leave_out`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.statistics.ridge import Spectrum


@dataclass(frozen=True)
class Whitening:
    """How rows become q at one penalty, and the head in the coordinates of q.

    scale: (r,); bias: the first coordinate of every row; coefficients: (r + 1, c), in both precisions.
    """

    scale: NDArray[np.float64]
    bias: float
    coefficients: NDArray[np.float64]
    coefficients32: NDArray[np.float32]

    @classmethod
    def of(
        cls, spectrum: Spectrum, sums: NDArray[np.float64], counts: NDArray[np.float64], penalty: float
    ) -> Whitening:
        """Make it of the spectral sums (r, c) and the counts (c,) of all rows."""
        scale = (spectrum.eigenvalues + spectrum.alpha(penalty)) ** -0.5
        bias = spectrum.weight**-0.5
        coefficients = np.concatenate([counts[None] * bias, sums * scale[:, None]])
        return cls(scale, bias, coefficients, coefficients.astype(np.float32))

    def whiten(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return q, (m, r + 1), of rows z, (m, r)."""
        q = np.empty((len(z), len(self.scale) + 1))
        q[:, 0] = self.bias
        np.multiply(z, self.scale, out=q[:, 1:])
        return q


@dataclass
class Whole:
    """All rows as far as leaving some out needs them: their sums per category (r, c) along the eigenvectors, and counts."""

    spectrum: Spectrum
    sums: NDArray[np.float64]
    counts: NDArray[np.float64]
    last: tuple[float, Whitening] | None = None

    def whitening(self, penalty: float) -> Whitening:
        """Return the head at a penalty; the last one is kept."""
        if self.last is None or self.last[0] != penalty:
            self.last = penalty, Whitening.of(self.spectrum, self.sums, self.counts, penalty)
        return self.last[1]
