"""The heads that can be learned, each with scores of products that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.statistics.calibration import fit_temperature
from shelfwise.statistics.head import Head
from shelfwise.statistics.leave_out import LeaveOut
from shelfwise.statistics.penalty import choose_penalty
from shelfwise.statistics.ridge import Spectrum, fit
from shelfwise.statistics.sufficient import CategorySums, SufficientStatistics

Blocks = Iterator[tuple[NDArray[np.intp], NDArray[np.floating[Any]]]]


@dataclass(frozen=True, slots=True)
class Learned:
    """A head, what was chosen on the way, and its held-out scores.

    temperature: fitted on scores of products whose look-alikes were left out with them. held_out(groups) yields (rows,
    scores): what the head says of rows when it did not learn from their group; `method` says how.
    """

    head: Head
    temperature: float
    facts: dict[str, Any]
    method: str
    held_out: Callable[[NDArray[np.int64]], Blocks]


def learn_ridge(x: NDArray[np.float32], column: NDArray[np.int32], groups: NDArray[np.int64]) -> Learned:
    """Learn a ridge head; its penalty is the one that leaves least unexplained when each of `groups` is left out.

    x: (n, d); column, groups: (n,). One eigendecomposition, of the smaller of the d x d and n x n matrices.
    """
    spectrum, statistics, left = _decomposed(x, column, groups)
    choice = choose_penalty(left)

    def held_out(left_out: NDArray[np.int64]) -> Blocks:
        return left.regrouped(left_out).scores(choice.penalty)

    facts = {
        "penalty": choice.penalty,
        "unexplained_by_penalty": {f"{p:.3g}": v for p, v in choice.unexplained.items()},
    }
    return Learned(fit(spectrum, statistics, choice.penalty), choice.temperature, facts, "closed form", held_out)


def _decomposed(
    x: NDArray[np.float32], column: NDArray[np.int32], groups: NDArray[np.int64]
) -> tuple[Spectrum, CategorySums, LeaveOut]:
    categories = int(column.max()) + 1
    if len(x) < x.shape[1]:
        sums = CategorySums(x.shape[1], categories)
        sums.add(x, column)
        spectrum, z = Spectrum.with_coordinates(x)
        return spectrum, sums, LeaveOut.of_coordinates(spectrum, z, column, categories, groups)
    statistics = SufficientStatistics(x.shape[1], categories)
    statistics.add(x, column)
    spectrum = Spectrum.from_statistics(statistics)
    return spectrum, statistics, LeaveOut(spectrum, statistics, x, column, groups)


# Inverse penalties of the logistic head that are tried, and folds. Source: docs/experiments.md, entry on the heads.
_INVERSE_PENALTIES, _FOLDS = (3.0, 30.0, 300.0), 5


def learn_logistic(x: NDArray[np.float32], column: NDArray[np.int32], groups: NDArray[np.int64]) -> Learned:
    """Learn scikit-learn's multinomial logistic regression; folds of groups choose the penalty and hold out scores."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    categories = np.arange(int(column.max()) + 1)

    def fitted(rows: NDArray[Any], inverse_penalty: float) -> Head:
        model = LogisticRegression(C=inverse_penalty, max_iter=300, tol=1e-3).fit(x[rows], column[rows])
        weight = np.zeros((x.shape[1], len(categories)), dtype=np.float32)
        intercept = np.full(len(categories), -1e3, dtype=np.float32)  # a category that is in no other fold
        weight[:, model.classes_], intercept[model.classes_] = model.coef_.T, model.intercept_
        return Head(weight, intercept)

    def folds(left_out: NDArray[np.int64]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        fold = np.random.default_rng(0).permutation(int(left_out.max()) + 1)[left_out] % _FOLDS
        return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(_FOLDS)]

    def loss(inverse_penalty: float) -> float:
        learn, held = folds(groups)[0]
        scores = fitted(learn, inverse_penalty).scores(x[held])
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return float(log_loss(column[held], powers / powers.sum(axis=1, keepdims=True), labels=categories))

    losses = {inverse_penalty: loss(inverse_penalty) for inverse_penalty in _INVERSE_PENALTIES}
    best = min(losses, key=lambda inverse_penalty: losses[inverse_penalty])

    def held_out(left_out: NDArray[np.int64]) -> Blocks:
        for learn, held in folds(left_out):
            yield held, fitted(learn, best).scores(x[held])

    blocks = list(held_out(groups))
    rows = np.concatenate([rows for rows, _ in blocks])
    temperature = fit_temperature(np.concatenate([scores for _, scores in blocks]), column[rows])
    facts = {"penalty": 1 / best, "log_loss_by_penalty": {f"{1 / c:.3g}": v for c, v in losses.items()}}
    return Learned(fitted(np.arange(len(x)), best), temperature, facts, f"{_FOLDS} folds of groups", held_out)
