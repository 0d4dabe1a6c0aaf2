"""Whether one model is better than another on the same products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import bdtr

from shelfwise.errors import LabelMismatchError, OptionError
from shelfwise.metrics.hierarchical import TreeSums, overlap_of_first
from shelfwise.metrics.intervals import Z_95, Estimate, percentile_interval, resampled_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shelfwise.metrics.answers import Answers

    Values = NDArray[np.float64]


@dataclass(frozen=True)
class PairedAccuracy:
    """What two models get right at one level: the difference, first minus second, and products that only one gets right.

    p_value: how probable so uneven a split of these products is, if both models are equally good.
    """

    difference: Estimate
    only_first: int
    only_second: int
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return the difference's `value`, `low`, `high`, and `only_first`, `only_second`, `p_value`."""
        counts = {"only_first": self.only_first, "only_second": self.only_second}
        return {**self.difference.to_dict(), **counts, "p_value": self.p_value}


@dataclass(frozen=True)
class Comparison:
    """Two models on the same products: differences, first minus second."""

    products: int
    top1: PairedAccuracy
    hierarchical_f1: Estimate
    levels: Mapping[str, PairedAccuracy]

    def to_dict(self) -> dict[str, Any]:
        """Return `products`, `top1`, `hierarchical_f1` and `levels` as JSON values."""
        return {
            "products": self.products,
            "top1": self.top1.to_dict(),
            "hierarchical_f1": self.hierarchical_f1.to_dict(),
            "levels": {name: accuracy.to_dict() for name, accuracy in self.levels.items()},
        }


def compare(first: Answers, second: Answers, seed: int = 0, resamples: int = 1000) -> Comparison:
    """Compare the answers of two models about the same products, with 95 % paired bootstrap intervals.

    A resample draws products, and takes both answers about each. The p-value is McNemar's, exact and two-sided.
    Source: Efron and Tibshirani 1993, chapter 8 (resampling pairs); McNemar 1947, Psychometrika 12, 153-157, in its exact
    form: Dietterich 1998, Neural Computation 10, section 3.1.
    Raises OptionError where products differ, LabelMismatchError where a product's category or its shelves differ.
    """
    _check_same(first, second)
    places = {"": None} | {name: level for level, name in enumerate(first.level_names)}
    right = {name: (first.at(level)[1], second.at(level)[1]) for name, level in places.items()}
    trees = [TreeSums(overlap_of_first(answers)) for answers in (first, second)]
    lead = np.stack([a.astype(np.float64) - b for a, b in right.values()])
    f1 = [_f1_lead(trees, np.ones((len(first), 1)))]
    leads = [lead.mean(axis=1, keepdims=True)]
    for weights in resampled_weights(len(first), resamples, seed):
        leads.append(lead @ weights / len(first))
        f1.append(_f1_lead(trees, weights))
    top1, *levels = (
        _accuracy(a, b, values) for (a, b), values in zip(right.values(), np.concatenate(leads, axis=1), strict=True)
    )
    return Comparison(
        len(first), top1, _estimate(np.concatenate(f1)), dict(zip(first.level_names, levels, strict=True))
    )


def _f1_lead(trees: list[TreeSums], weights: Values) -> Values:
    first, second = (tree.figures(weights)["hierarchical_f1"] for tree in trees)
    return first - second


def _accuracy(first: NDArray[np.bool_], second: NDArray[np.bool_], leads: Values) -> PairedAccuracy:
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return PairedAccuracy(_estimate(leads), only_first, only_second, mcnemar(only_first, only_second))


def _estimate(values: Values) -> Estimate:
    return Estimate(float(values[0]), *(percentile_interval(values[1:]) if len(values) > 1 else ()))


def mcnemar(only_first: int, only_second: int) -> float:
    """Compute McNemar's exact two-sided p-value of products that only one of two models gets right; 1 where there are none."""
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), only_first + only_second, 0.5)))


def beyond_chance(gains: NDArray[np.float64], group: NDArray[np.int64]) -> bool:
    """Tell whether the mean gain (m,) of products is above 0 by more than chance, groups being what is independent.

    Source: the cluster-robust standard error of a mean, Liang and Zeger, Longitudinal data analysis using generalized
    linear models (1986).
    """
    mean = gains.mean()
    _, number = np.unique(group, return_inverse=True)
    error = np.sqrt((np.bincount(number, gains - mean) ** 2).sum()) / len(gains)
    return bool(mean > Z_95 * error)


def _check_same(first: Answers, second: Answers) -> None:
    if not np.array_equal(first.product_ids, second.product_ids) or len(first) == 0:
        raise OptionError("two models can be compared on the same products only, at least one, in the same order")
    if first.level_names != second.level_names:
        raise LabelMismatchError(
            f"the levels of the two trees differ: {', '.join(first.level_names)} / {', '.join(second.level_names)}"
        )
    for level, name in enumerate(first.level_names):
        shelves = [np.array(a.level_nodes[level])[a.level_truth[:, level]] for a in (first, second)]
        if differs := int((shelves[0] != shelves[1]).sum()):
            raise LabelMismatchError(f"{differs} products stand on another shelf of level {name!r} in the other tree")
