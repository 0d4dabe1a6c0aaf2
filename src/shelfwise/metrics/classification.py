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
from shelfwise.metrics.hierarchical import TreeSums, overlap_of_first, ratio
from shelfwise.metrics.intervals import (
    Estimate,
    interval_of_share,
    percentile_interval,
    reflected_interval,
    resampled_weights,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelfwise.metrics.answers import Answers

REFLECTED = ("calibration_error", "weighted_precision")
PROPORTIONS = (
    *("top1", "top5", "micro_precision", "micro_recall", "micro_f1"),
    *("hierarchical_precision", "hierarchical_recall", "hierarchical_f1"),
)
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


def score(
    answers: Answers, seed: int = 0, resamples: int = 1000, product: NDArray[np.integer[Any]] | None = None
) -> Scores:
    """Compute every figure with its 95 % bootstrap interval over products; `resamples=0` gives the values alone.

    Macro figures average over the categories that occur in the truth or among the answers (scikit-learn's default), in
    a resample: of the resample. Figures that resampling pushes up (REFLECTED) get the reflected interval, and a
    proportion of exactly 0 or 1, where all resamples agree, gets Wilson's. Figures of mistakes are absent where there are none.
    Source: docs/metrics.md, "Which interval", for the coverage that decided it.
    product: (p,) from 0, where the answers are about photos: whose each is, so that a product is drawn with all its photos.
    Raises OptionError where there are no products, or fewer than 5 answers were kept.
    """
    p = len(answers)
    if p == 0:
        raise OptionError("there are no products to score")
    tally = _Tally(answers)
    found = {name: float(value[0]) for name, value in tally.figures(np.ones((p, 1))).items()}
    drawn = p if product is None else int(product.max()) + 1
    blocks = [
        tally.figures(weights if product is None else _of_photos(weights, product))
        for weights in resampled_weights(drawn, resamples, seed, max(p, tally.widest))
    ]
    estimates = {
        name: _estimate(name, value, drawn, np.concatenate([block[name] for block in blocks]))
        if blocks
        else Estimate(value)
        for name, value in found.items()
        if not np.isnan(value)
    }
    figures = {name: estimate for name, estimate in estimates.items() if "/" not in name}
    levels = {
        level: {name.partition("/")[2]: found for name, found in estimates.items() if name.startswith(f"{place}/")}
        for place, level in enumerate(answers.level_names)
    }
    return Scores(p, figures, levels)


def _of_photos(weights: Values, product: NDArray[np.integer[Any]]) -> Values:
    """Give photos the weights (products, b) of their products, made to sum to the number of photos. Source: the ratio
    estimator under cluster sampling, Cochran 1977, Sampling Techniques, chapter 9A."""
    of_photos = weights[product]
    return np.asarray(of_photos * (len(product) / of_photos.sum(axis=0)))


def _estimate(name: str, value: float, p: int, resampled: Values) -> Estimate:
    kind = name.rpartition("/")[2]
    if kind in PROPORTIONS:
        return Estimate(value, *interval_of_share(value, p, resampled))
    if kind in REFLECTED:
        return Estimate(value, *reflected_interval(value, resampled))
    defined = resampled[~np.isnan(resampled)]
    return Estimate(value, *percentile_interval(defined)) if len(defined) else Estimate(value)


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
        self.tree = TreeSums(overlap_of_first(answers))
        self.mistakes = _mistakes(answers)
        self.gaps = {"": _gaps(*answers.at(None))}
        self.gaps |= {f"{level}/": _gaps(*answers.at(level)) for level in range(len(answers.level_nodes))}

    def figures(self, weights: Values) -> dict[str, Values]:
        """Compute every figure for weights (p, b) that sum to p in each column: name to (b,)."""
        p = len(weights)
        found = dict(zip(self.mean_names, self.means @ weights / p, strict=True))
        *scores, support = self.leaves.scores(weights)
        for name, values in zip(("precision", "recall", "f1"), scores, strict=True):
            found[f"macro_{name}"] = np.nanmean(values, axis=0)
            found[f"micro_{name}"] = found["top1"]
            found[f"weighted_{name}"] = np.nansum(values * support, axis=0) / p
        found |= self.tree.figures(weights)
        for place, gaps in self.gaps.items():
            found[f"{place}calibration_error"] = np.abs(gaps @ weights).sum(axis=0) / p
        every, *within = self.mistakes @ weights
        for level, below in enumerate(within):
            found[f"{level}/mistakes_within"] = ratio(below, every, np.nan)
        for level, groups in enumerate(self.levels):
            found[f"{level}/macro_f1"] = np.nanmean(groups.scores(weights)[2], axis=0)
        return found


def _gaps(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> csr_array:
    """Lay each product's gap between confidence and being right into its bin: (bins, p)."""
    gap, places = confidence.astype(np.float64) - right, bin_of(confidence)
    return csr_array((gap, (places, np.arange(len(gap)))), shape=(BINS, len(gap)))


def _mistakes(answers: Answers) -> Values:
    """Mark the wrong first answers, then those of them below the right node of each level but the deepest."""
    wrong = ~answers.right
    above = answers.columns.level_of[:-1]
    return np.stack([wrong, *(wrong & (above[:, answers.answer] == above[:, answers.truth]))]).astype(np.float64)


def _within(answers: Answers, k: int) -> NDArray[np.bool_]:
    kept = answers.top.shape[1]
    if kept < min(k, len(answers.categories)):
        raise OptionError(f"top-{k} needs the {k} best answers of every product, but only {kept} were kept")
    found: NDArray[np.bool_] = (answers.top[:, :k] == answers.truth[:, None]).any(axis=1)
    return found


def _log_losses(answers: Answers) -> Values:
    smallest = float(np.finfo(np.float32).eps)
    return -np.log(np.clip(answers.probability_of_truth.astype(np.float64), smallest, 1 - smallest))
