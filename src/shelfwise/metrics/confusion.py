"""Which categories are taken for which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.metrics.answers import Answers


@dataclass(frozen=True, eq=False)
class Confusion:
    """Hold the cells of a confusion matrix that are not empty, in row order.

    truth, answer, count (cells,): count products of the category in column `truth` were answered as `answer`;
    categories: ids by column.
    """

    truth: NDArray[np.int32]
    answer: NDArray[np.int32]
    count: NDArray[np.int64]
    categories: tuple[str, ...]

    @cached_property
    def support(self) -> NDArray[np.int64]:
        """Products whose truth is each category, (c,)."""
        return self._summed(self.truth, self.count)

    @cached_property
    def answered(self) -> NDArray[np.int64]:
        """Products answered as each category, (c,)."""
        return self._summed(self.answer, self.count)

    @cached_property
    def right(self) -> NDArray[np.int64]:
        """Products of each category that were answered rightly, (c,)."""
        diagonal = self.truth == self.answer
        return self._summed(self.truth[diagonal], self.count[diagonal])

    def _summed(self, columns: NDArray[np.int32], count: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(columns, weights=count, minlength=len(self.categories)).astype(np.int64)

    def dense(self) -> NDArray[np.int64]:
        """Return the whole matrix (c, c), truth by answer."""
        matrix = np.zeros((len(self.categories), len(self.categories)), dtype=np.int64)
        matrix[self.truth, self.answer] = self.count
        return matrix


@dataclass(frozen=True, slots=True)
class CategoryScores:
    """One category's figures; precision, recall and F1 are 0 where nothing was answered or nothing was there.

    `confused_with` is the wrong category that most of its products were answered as, None where there is none.
    """

    category: str
    support: int
    answered: int
    precision: float
    recall: float
    f1: float
    confused_with: str | None
    confused_count: int


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Two categories taken for each other; `rows` are examples of both directions, the most confident first."""

    first: str
    second: str
    first_as_second: int
    second_as_first: int
    rows: tuple[int, ...]

    @property
    def count(self) -> int:
        """Products confused in either direction."""
        return self.first_as_second + self.second_as_first


def confusion(answers: Answers, level: int | None = None) -> Confusion:
    """Count the pairs of truth and answer, of the leaves or of a level of the tree (0 is the top)."""
    if level is None:
        truth, answer, categories = answers.truth, answers.answer, answers.categories
    else:
        truth, answer = answers.level_truth[:, level], answers.level_top[:, level]
        categories = answers.level_nodes[level]
    pair = truth.astype(np.int64) * len(categories) + answer
    cells, count = np.unique(pair, return_counts=True)
    rows, columns = np.divmod(cells, max(1, len(categories)))
    return Confusion(rows.astype(np.int32), columns.astype(np.int32), count.astype(np.int64), categories)


def divided(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide, 0 where the whole is 0 (scikit-learn's `zero_division=0`)."""
    return np.divide(part, whole, out=np.zeros_like(part, dtype=np.float64), where=whole > 0)


def per_category(counts: Confusion) -> list[CategoryScores]:
    """Return the figures of every category, in column order."""
    right = counts.right.astype(np.float64)
    precision = divided(right, counts.answered.astype(np.float64))
    recall = divided(right, counts.support.astype(np.float64))
    f1 = divided(2 * right, (counts.answered + counts.support).astype(np.float64))
    wrong = _most_confused(counts)
    rows = []
    for column, category in enumerate(counts.categories):
        answer, count = wrong.get(column, (None, 0))
        rows.append(
            CategoryScores(
                category=category,
                support=int(counts.support[column]),
                answered=int(counts.answered[column]),
                precision=float(precision[column]),
                recall=float(recall[column]),
                f1=float(f1[column]),
                confused_with=None if answer is None else counts.categories[answer],
                confused_count=count,
            )
        )
    return rows


def _most_confused(counts: Confusion) -> dict[int, tuple[int, int]]:
    wrong = np.flatnonzero(counts.truth != counts.answer)
    fewest_first = wrong[np.lexsort((-counts.answer[wrong], counts.count[wrong]))]
    return {int(counts.truth[cell]): (int(counts.answer[cell]), int(counts.count[cell])) for cell in fewest_first}


def confused_pairs(answers: Answers, limit: int = 20, examples: int = 4) -> list[ConfusedPair]:
    """Rank pairs of categories by how many products were confused in either direction.

    Equal counts keep the order of the columns; `rows` holds up to `examples` row numbers of `answers` per direction.
    """
    c = len(answers.categories)
    rows = np.flatnonzero(~answers.right)
    truth, answer = answers.truth[rows].astype(np.int64), answers.answer[rows].astype(np.int64)
    key = np.minimum(truth, answer) * c + np.maximum(truth, answer)
    pairs, count = np.unique(key, return_counts=True)
    ranked = np.argsort(-count, kind="stable")[:limit]
    return [_pair(answers, rows[key == pairs[place]], divmod(int(pairs[place]), c), examples) for place in ranked]


def _pair(answers: Answers, rows: NDArray[np.intp], columns: tuple[int, int], examples: int) -> ConfusedPair:
    confident_first = rows[np.argsort(-answers.confidence[rows], kind="stable")]
    is_forward = answers.truth[confident_first] == columns[0]
    forward = int(is_forward.sum())
    place = np.where(is_forward, np.cumsum(is_forward), np.cumsum(~is_forward))
    return ConfusedPair(
        first=answers.categories[columns[0]],
        second=answers.categories[columns[1]],
        first_as_second=forward,
        second_as_first=len(rows) - forward,
        rows=tuple(int(row) for row in confident_first[place <= examples]),
    )
