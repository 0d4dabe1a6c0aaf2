"""The figures of a report: accuracy, precision, recall, F1, per level, log-loss and calibration, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shelfwise.errors import OptionError
from shelfwise.metrics.calibration import BINS, bin_of
from shelfwise.metrics.confusion import divided
from shelfwise.metrics.intervals import (
    Estimate,
    Proportion,
    percentile_interval,
    reflected_interval,
    resampled_weights,
    wilson_interval,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfwise.metrics.answers import Answers

REFLECTED = ("calibration_error", "weighted_precision")
PROPORTIONS = ("top1", "top5", "micro_precision", "micro_recall", "micro_f1")
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """The figures of p products: by name, and by level of the tree."""

    products: int
    figures: Mapping[str, Estimate]
    levels: Mapping[str, Mapping[str, Estimate]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: `products`, each figure's `value`, `low`, `high`, and `levels.<name>.<figure>`."""
        return {
            "products": self.products,
            **{name: estimate.to_dict() for name, estimate in self.figures.items()},
            "levels": {
                level: {name: estimate.to_dict() for name, estimate in figures.items()}
                for level, figures in self.levels.items()
            },
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Scores:
        """Read what `to_dict` wrote."""
        figures = {name: Estimate(**value) for name, value in values.items() if name not in ("products", "levels")}
        levels = {
            level: {name: Estimate(**value) for name, value in found.items()}
            for level, found in values["levels"].items()
        }
        return cls(int(values["products"]), figures, levels)


def score(answers: Answers, seed: int = 0, resamples: int = 1000) -> Scores:
    """Compute every figure with its 95 % bootstrap interval over products; `resamples=0` gives the values alone.

    Macro figures average over the categories that occur in the truth or among the answers (scikit-learn's default), in
    a resample: of the resample. Figures that resampling pushes up (REFLECTED) get the reflected interval, and a
    proportion of exactly 0 or 1, where all resamples agree, gets Wilson's.
    Source: docs/metrics.md, "Which interval", for the coverage that decided it.
    Raises OptionError where there are no products, or fewer than 5 answers were kept.
    """
    p = len(answers)
    if p == 0:
        raise OptionError("there are no products to score")
    tally = _Tally(answers)
    found = {name: float(value[0]) for name, value in tally.figures(np.ones((p, 1))).items()}
    blocks = [tally.figures(weights) for weights in resampled_weights(p, resamples, seed, tally.widest)]
    estimates = {
        name: _estimate(name, value, p, np.concatenate([block[name] for block in blocks]))
        if blocks
        else Estimate(value)
        for name, value in found.items()
    }
    figures = {name: estimate for name, estimate in estimates.items() if "/" not in name}
    levels = {
        level: {name: estimates[f"{place}/{name}"] for name in ("top1", "macro_f1")}
        for place, level in enumerate(answers.level_names)
    }
    return Scores(p, figures, levels)


def _estimate(name: str, value: float, p: int, resampled: Values) -> Estimate:
    if name.rpartition("/")[2] in PROPORTIONS and value in (0.0, 1.0):
        return Estimate(value, *wilson_interval(Proportion(value, p)))
    if name in REFLECTED:
        return Estimate(value, *reflected_interval(value, resampled))
    return Estimate(value, *percentile_interval(resampled))


class _Groups:
    """Sums over the products of each category: of the truth, of the answers, of the right answers."""

    def __init__(self, truth: NDArray[np.int32], answer: NDArray[np.int32], c: int) -> None:
        right = np.flatnonzero(truth == answer)
        everything = np.arange(len(truth))
        self.of_truth = _indicator(truth, everything, c, len(truth))
        self.of_answer = _indicator(answer, everything, c, len(truth))
        self.of_right = _indicator(truth[right], right, c, len(truth))

    def scores(self, weights: Values) -> tuple[Values, Values, Values, Values]:
        """Return precision, recall, F1 and support (c, b) for weights (p, b); NaN where a category is absent."""
        support, answered, right = self.of_truth @ weights, self.of_answer @ weights, self.of_right @ weights
        absent = support + answered == 0
        precision, recall, f1 = (
            divided(right, answered),
            divided(right, support),
            divided(2 * right, support + answered),
        )
        for figure in (precision, recall, f1):
            figure[absent] = np.nan
        return precision, recall, f1, support


def _indicator(rows: NDArray[np.int32], columns: NDArray[np.intp], c: int, p: int) -> csr_array:
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(c, p))


class _Tally:
    """What every figure needs of the answers, so that one matrix product gives it for many resamples at once."""

    def __init__(self, answers: Answers) -> None:
        self.widest = max(len(answers.categories), *(len(nodes) for nodes in answers.level_nodes))
        self.leaves = _Groups(answers.truth, answers.answer, len(answers.categories))
        self.levels = [
            _Groups(answers.level_truth[:, level], answers.level_top[:, level], len(nodes))
            for level, nodes in enumerate(answers.level_nodes)
        ]
        means = {"top1": answers.right, "top5": _within(answers, 5), "log_loss": _log_losses(answers)}
        for level in range(len(answers.level_nodes)):
            means[f"{level}/top1"] = answers.level_top[:, level] == answers.level_truth[:, level]
        self.mean_names = tuple(means)
        self.means = np.stack([values.astype(np.float64) for values in means.values()])
        gap = answers.confidence.astype(np.float64) - answers.right
        places = bin_of(answers.confidence)
        self.gaps = csr_array((gap, (places, np.arange(len(gap)))), shape=(BINS, len(gap)))

    def figures(self, weights: Values) -> dict[str, Values]:
        """Compute every figure for weights (p, b) that sum to p in each column: name to (b,)."""
        p = len(weights)
        found = dict(zip(self.mean_names, self.means @ weights / p, strict=True))
        *scores, support = self.leaves.scores(weights)
        for name, values in zip(("precision", "recall", "f1"), scores, strict=True):
            found[f"macro_{name}"] = np.nanmean(values, axis=0)
            found[f"micro_{name}"] = found["top1"]
            found[f"weighted_{name}"] = np.nansum(values * support, axis=0) / p
        found["calibration_error"] = np.abs(self.gaps @ weights).sum(axis=0) / p
        for level, groups in enumerate(self.levels):
            found[f"{level}/macro_f1"] = np.nanmean(groups.scores(weights)[2], axis=0)
        return found


def _within(answers: Answers, k: int) -> NDArray[np.bool_]:
    kept = answers.top.shape[1]
    if kept < min(k, len(answers.categories)):
        raise OptionError(f"top-{k} needs the {k} best answers of every product, but only {kept} were kept")
    found: NDArray[np.bool_] = (answers.top[:, :k] == answers.truth[:, None]).any(axis=1)
    return found


def _log_losses(answers: Answers) -> Values:
    smallest = float(np.finfo(np.float32).eps)
    return -np.log(np.clip(answers.probability_of_truth.astype(np.float64), smallest, 1 - smallest))
