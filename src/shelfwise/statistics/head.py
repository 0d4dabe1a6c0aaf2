"""A learned head: rows to scores, scores to probabilities. Needs numpy alone, so that answering starts fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Head:
    """A linear map from rows to one score per category. weight: (d, c); intercept: (c,)."""

    weight: NDArray[np.floating[Any]]
    intercept: NDArray[np.floating[Any]]

    def scores(self, x: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return scores (n, c) of rows (n, d), in the precision of the weights."""
        return np.asarray(x.astype(self.weight.dtype, copy=False) @ self.weight + self.intercept)


def softmax(scores: NDArray[np.floating[Any]], temperature: float) -> NDArray[np.floating[Any]]:
    """Return probabilities (n, c) in the precision of the scores; a lower temperature makes them more decided."""
    powers = (scores - scores.max(axis=1, keepdims=True)) / scores.dtype.type(temperature)
    np.exp(powers, out=powers)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
