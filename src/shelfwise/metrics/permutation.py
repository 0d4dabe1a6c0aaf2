"""The alarm for labels that are permuted: a model that is right about everything but the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from shelfwise.metrics.confusion import Confusion

MARGIN = 0.20
MARGIN_FEW = 0.40
FEW_PRODUCTS = 100
LEAST_ACCURACY = 0.5
PRODUCTS_PER_CATEGORY = 20


@dataclass(frozen=True)
class PermutedLabels:
    """The accuracy as it is, the best that renaming the answers gives, and what to rename: answered id to right id."""

    accuracy: float
    best: float
    renamed: dict[str, str]

    def message(self) -> str:
        """Say it in one line, with up to five of the renamings."""
        shown = [f"{answered!r} means {right!r}" for answered, right in list(self.renamed.items())[:5]]
        more = f" and {len(self.renamed) - 5} more" if len(self.renamed) > 5 else ""
        return (
            f"labels look permuted: {self.accuracy:.1%} right as they are, {self.best:.1%} if {', '.join(shown)}{more}"
            "; compare the category ids of the data with those that the bundle was trained on"
        )


def permuted_labels(counts: Confusion) -> PermutedLabels | None:
    """Look for a renaming of the answers that makes far more of them right.

    Fires when the best one-to-one renaming gains 0.20 (0.40 below 100 products), reaches 0.5, and there are 20 products
    for each category that occurs; pure chance gains up to 0.26 with 3 categories and 100 products.
    Source: the reliability study behind these limits, test T16; assignment: Crouse 2016, through scipy.
    """
    n = int(counts.count.sum())
    occurring = np.flatnonzero(counts.support + counts.answered)
    if n == 0 or n < PRODUCTS_PER_CATEGORY * len(occurring):
        return None
    accuracy = int(counts.right.sum()) / n
    needed = max(accuracy + (MARGIN_FEW if n < FEW_PRODUCTS else MARGIN), LEAST_ACCURACY)
    if _upper_bound(counts) / n < needed:
        return None
    place = np.zeros(len(counts.categories), dtype=np.intp)
    place[occurring] = np.arange(len(occurring))
    matrix = np.zeros((len(occurring), len(occurring)))
    matrix[place[counts.truth], place[counts.answer]] = counts.count
    truth, answer = linear_sum_assignment(matrix, maximize=True)
    best = float(matrix[truth, answer].sum()) / n
    if best < needed:
        return None
    pairs = [(int(occurring[a]), int(occurring[t])) for t, a in zip(truth, answer, strict=True) if matrix[t, a] > 0]
    return PermutedLabels(accuracy, best, {counts.categories[a]: counts.categories[t] for a, t in pairs if a != t})


def _upper_bound(counts: Confusion) -> int:
    """Bound what any renaming can make right, without solving the assignment."""
    by_truth = np.zeros(len(counts.categories), dtype=np.int64)
    by_answer = by_truth.copy()
    np.maximum.at(by_truth, counts.truth, counts.count)
    np.maximum.at(by_answer, counts.answer, counts.count)
    return int(min(by_truth.sum(), by_answer.sum()))
