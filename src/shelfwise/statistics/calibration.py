"""One temperature that makes probabilities of scores which can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

from shelfwise.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_RANGE = 1e4


def log_loss(scores: NDArray[np.floating], truth: NDArray[np.integer], temperature: float) -> float:
    """Return the mean of -log probability of the true column, in nats; finite for any finite scores."""
    return _Loss(scores, truth, smoothing=0)(1 / temperature)


def fit_temperature(scores: NDArray[np.floating], truth: NDArray[np.integer]) -> float:
    """Return the temperature at which the log-loss of scores (n, c) against truth (n,) is least.

    Scores must be of rows that the head did not learn from. Where every answer is right the loss alone would ask for
    temperature 0, that is for certainty; so 1 / (n + 2) of each target is spread over all columns.
    Raises OptionError when there are no scores, or they are not finite.
    Source: Guo et al., On Calibration of Modern Neural Networks (2017), section 4.2; the spread is Laplace's rule as in
    Platt, Probabilistic Outputs for Support Vector Machines (1999), section 2.2.
    """
    if scores.ndim != 2 or not scores.size or truth.shape != scores.shape[:1] or not np.isfinite(scores).all():
        raise OptionError(
            f"a temperature needs finite scores (n, c) with n truths, not {scores.shape} and {truth.shape}"
        )
    return fit_common_temperature([(scores, truth)])


def fit_common_temperature(tables: Sequence[tuple[NDArray[np.floating], NDArray[np.integer]]]) -> float:
    """Return the one temperature of several choices, each with scores (n, c) and truth (n,) of its own, as above."""
    spread = max((float(np.ptp(scores, axis=1).max()) for scores, _ in tables if scores.size), default=0.0)
    if spread == 0:
        return 1.0
    n = sum(len(truth) for _, truth in tables)
    losses = [(_Loss(scores, truth, smoothing=1 / (n + 2)), len(truth) / n) for scores, truth in tables if len(truth)]
    bounds = np.log(spread / _RANGE), np.log(spread * _RANGE)

    def loss(log_temperature: float) -> float:
        return sum(share * of_table(np.exp(-log_temperature)) for of_table, share in losses)

    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4}).x))


class _Loss:
    """Mean cross-entropy as a function of the inverse temperature: convex, so it has one minimum."""

    def __init__(self, scores: NDArray[np.floating], truth: NDArray[np.integer], smoothing: float) -> None:
        self.below = scores - scores.max(axis=1, keepdims=True)
        self.powers = np.empty_like(self.below)
        true = self.below[np.arange(len(truth)), truth].mean(dtype=np.float64)
        self.target = float((1 - smoothing) * true + smoothing * self.below.mean(dtype=np.float64))

    def __call__(self, inverse_temperature: float) -> float:
        np.multiply(self.below, self.below.dtype.type(inverse_temperature), out=self.powers)
        np.exp(self.powers, out=self.powers)
        partition = np.log(self.powers.sum(axis=1, dtype=np.float64)).mean()
        return float(partition - inverse_temperature * self.target)
