"""How wrong answers are when only the surest are kept: the risk-coverage curve and the area under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.errors import OptionError
from shelfwise.metrics.intervals import Estimate, interval_of_share, resampled_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.metrics.answers import Answers

    Values = NDArray[np.float64]

POINTS = 50
# Tables as large as the weights that stand at once: their blocks are made smaller by this, which is twice as fast.
_TABLES = 8


@dataclass(frozen=True, slots=True)
class Point:
    """The share of products kept, the confidence of the last of them, and the share of the kept that is wrong."""

    coverage: float
    confidence: float
    risk: Estimate

    def to_dict(self) -> dict[str, float]:
        """Return `coverage`, `confidence`, and `risk` with `low` and `high`."""
        risk = self.risk.to_dict()
        return {"coverage": self.coverage, "confidence": self.confidence, "risk": risk.pop("value"), **risk}


@dataclass(frozen=True)
class RiskCoverage:
    """A curve from the surest product to all, the area under it, and its excess over that of a perfect order."""

    aurc: Estimate
    excess_aurc: Estimate
    points: tuple[Point, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return `aurc`, `excess_aurc` and `points` as JSON values."""
        points = [point.to_dict() for point in self.points]
        return {"aurc": self.aurc.to_dict(), "excess_aurc": self.excess_aurc.to_dict(), "points": points}


def risk_coverage(answers: Answers, level: int | None = None, seed: int = 0, resamples: int = 1000) -> RiskCoverage:
    """Draw the curve of the first answers, or of the answers at a level, with 95 % bootstrap intervals over products.

    Equally sure products are taken in random order: every figure is the exact mean over their orders.
    Source: Geifman, Uziel and El-Yaniv 2019, Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, section 2
    (AURC, E-AURC); Ding et al. 2020, Revisiting the Evaluation of Uncertainty Estimation, section 3.
    Raises OptionError where there are no products.
    """
    if len(answers) == 0:
        raise OptionError("there are no products to draw a curve of")
    p = len(answers)
    confidence, right = answers.at(level)
    surest_first = np.argsort(-confidence, kind="stable")
    steps = _Steps(confidence[surest_first], ~right[surest_first])
    kept = np.unique(np.round(np.linspace(p / POINTS, p, POINTS)).clip(1).astype(np.int64))
    found = [steps.figures(np.ones((p, 1)), kept)]
    found += [steps.figures(w[surest_first], kept) for w in resampled_weights(p, resamples, seed, _TABLES * p)]
    aurc, excess, risk = (np.concatenate(parts, axis=-1) for parts in zip(*found, strict=True))
    last = confidence[surest_first][kept - 1]
    points = zip(kept, last, risk, strict=True)
    return RiskCoverage(
        _estimate(aurc, p),
        _estimate(excess, p),
        tuple(Point(int(k) / p, float(sure), _estimate(values, int(k))) for k, sure, values in points),
    )


def _estimate(values: Values, products: int) -> Estimate:
    """Put the interval of the resamples, all but the first value, around the first."""
    value = float(values[0])
    if len(values) == 1:
        return Estimate(value)
    return Estimate(value, *interval_of_share(value, products, values[1:]))


class _Steps:
    """The products from the surest on, equally sure ones as one step."""

    def __init__(self, confidence: NDArray[np.float32], wrong: NDArray[np.bool_]) -> None:
        self.start = np.flatnonzero(np.r_[True, confidence[1:] != confidence[:-1]])
        self.wrong = wrong[:, None]
        self.harmonic = np.r_[0.0, np.cumsum(1 / np.arange(1, len(wrong) + 1))]

    def figures(self, weights: Values, kept: NDArray[np.int64]) -> tuple[Values, Values, Values]:
        """Return the area (b,), its excess (b,) and the risk (len(kept), b) for weights (p, b), which sum to p."""
        p = len(weights)
        members = np.add.reduceat(weights, self.start, axis=0)
        errors = np.add.reduceat(weights * self.wrong, self.start, axis=0)
        passed, failed = np.cumsum(members, axis=0), np.cumsum(errors, axis=0)
        area = self._area(members, errors, passed - members, failed - errors).sum(axis=0) / p
        wrong = failed[-1]
        ideal = self._area(wrong, wrong, p - wrong, np.zeros_like(wrong)) / p
        return area, area - ideal, _risk_at(kept, members, errors, passed, failed)

    def _area(self, members: Values, errors: Values, before: Values, failed: Values) -> Values:
        """Sum the risk over the members of each step, one by one, in the mean over their orders.

        After j of m members it is (failed + errors j/m) / (before + j); summed, with harmonic numbers H:
        errors + (failed - errors before/m) (H(before + m) - H(before)).
        """
        share = np.divide(errors, members, out=np.zeros_like(errors), where=members > 0)
        first, last = before.astype(np.intp), (before + members).astype(np.intp)
        area: Values = errors + (failed - share * before) * (self.harmonic[last] - self.harmonic[first])
        return area


def _risk_at(kept: NDArray[np.int64], members: Values, errors: Values, passed: Values, failed: Values) -> Values:
    step = np.stack([np.searchsorted(column, kept) for column in passed.T], axis=1)
    of_step = [np.take_along_axis(values, step, axis=0) for values in (members, errors, passed, failed)]
    share = of_step[1] / of_step[0]
    risk: Values = (of_step[3] - (of_step[2] - kept[:, None]) * share) / kept[:, None]
    return risk
