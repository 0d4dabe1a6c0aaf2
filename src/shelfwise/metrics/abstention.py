"""How often answers that stop where they are sure are given, how deep they go, and how many of them are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.classifiers.certainty import deepest, wrong_at
from shelfwise.errors import OptionError
from shelfwise.metrics.hierarchical import figures_of_way
from shelfwise.metrics.intervals import Estimate, Proportion, percentile_interval, resampled_weights, wilson_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.classifiers.certainty import Threshold
    from shelfwise.metrics.answers import Answers

    Values = NDArray[np.float64]


def abstention(answers: Answers, threshold: Threshold, seed: int = 0, resamples: int = 1000) -> dict[str, Any]:
    """Return what becomes of answers at a threshold, JSON values with 95 % bootstrap intervals over products.

    `error`: wrong ones among the answers given, None where none is given; `coverage`: answers given; for every level
    `stopped`, answers that stop there, `coverage`, answers that reach it or go deeper, and `error`, wrong nodes of the level
    among these; `unsure`: products without an answer. A category above the deepest level is reached at its own level.
    Raises OptionError where there are no products.
    """
    if not len(answers):
        raise OptionError("there are no products to score")
    depth = deepest(answers.way, answers.way_probability, answers.columns, threshold.bar)
    shares = _Shares(len(answers), seed, resamples)
    levels = {}
    for level, name in enumerate(answers.level_names):
        reached, missed = depth > level, answers.way[:, level] != answers.level_truth[:, level]
        levels[name] = {
            "stopped": shares.of(depth == level + 1),
            "coverage": shares.of(reached),
            "error": shares.of(missed & reached, reached),
        }
    given = depth > 0
    return threshold.to_dict() | {
        "error": shares.of(wrong_at(answers, depth), given),
        "coverage": shares.of(given),
        "levels": levels,
        "unsure": int((~given).sum()),
        **{name: figure.to_dict() for name, figure in figures_of_way(answers, depth, seed, resamples).items()},
    }


class _Shares:
    """Shares of products with their intervals, all from the same resamples."""

    def __init__(self, products: int, seed: int, resamples: int) -> None:
        self.products, self.seed, self.resamples = products, seed, resamples

    def of(self, counted: NDArray[np.bool_], among: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """Return the share of the products counted, of all or among some; value, low and high are None where there are none."""
        among = np.ones(self.products, dtype=np.bool_) if among is None else among
        n = int(among.sum())
        if n == 0:
            return {"value": None, "low": None, "high": None}
        value = float(counted.sum() / n)
        if value in (0.0, 1.0):
            return Estimate(value, *wilson_interval(Proportion(value, n))).to_dict()
        rows = np.stack([counted, among]).astype(np.float64)
        drawn = np.hstack([rows @ weights for weights in resampled_weights(self.products, self.resamples, self.seed)])
        found = drawn[0][drawn[1] > 0] / drawn[1][drawn[1] > 0]
        return Estimate(value, *percentile_interval(found)).to_dict()
