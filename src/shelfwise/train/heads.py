"""The heads that can be learned, each with scores of rows that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.heads import Linear
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.statistics.head import Head
from shelfwise.statistics.leave_out import LeaveOut
from shelfwise.statistics.penalty import choose_penalty
from shelfwise.statistics.ridge import Spectrum, fit
from shelfwise.statistics.sufficient import CategorySums, SufficientStatistics
from shelfwise.train.learned import LearnedHead
from shelfwise.train.rows import Numbers, TrainingRows, Way

HeadLearner = Callable[[TrainingRows], LearnedHead]


def learn_ridge(rows: TrainingRows) -> LearnedHead:
    """Learn a ridge head; its penalty is the one that leaves least unexplained when each look-alike group is left out.

    One eigendecomposition, of the smaller of the d x d and n x n matrices.
    """
    spectrum, statistics, left = _decomposed(rows)
    choice = choose_penalty(left)

    @cache
    def regrouped(way: Way) -> LeaveOut:
        return left.regrouped(rows.groups.of(way))

    def held_out(way: Way, asked: Numbers) -> NDArray[np.float32]:
        scores = np.empty((len(asked), rows.categories), dtype=np.float32)
        for places, block in regrouped(way).part(asked).scores(choice.penalty):
            scores[places] = block
        return scores

    facts = {
        "penalty": choice.penalty,
        "unexplained_by_penalty": {f"{p:.3g}": v for p, v in choice.unexplained.items()},
    }
    head = Linear.of(fit(spectrum, statistics, choice.penalty))
    return LearnedHead(head, choice.temperature, facts, "closed form", held_out)


def _decomposed(rows: TrainingRows) -> tuple[Spectrum, CategorySums, LeaveOut]:
    x, column, group = rows.x, rows.column, rows.groups.leave_look_alikes_out
    if len(x) < x.shape[1]:
        sums = CategorySums(x.shape[1], rows.categories)
        sums.add(x, column)
        spectrum, z = Spectrum.with_coordinates(x)
        return spectrum, sums, LeaveOut.of_coordinates(spectrum, z, column, rows.categories, group)
    statistics = SufficientStatistics(x.shape[1], rows.categories)
    statistics.add(x, column)
    spectrum = Spectrum.from_statistics(statistics)
    return spectrum, statistics, LeaveOut(spectrum, statistics, x, column, group)


# Inverse penalties of the logistic head that are tried, and folds. Source: docs/experiments.md, entry on the heads.
_INVERSE_PENALTIES, _FOLDS = (3.0, 30.0, 300.0), 5


def learn_logistic(rows: TrainingRows) -> LearnedHead:
    """Learn scikit-learn's multinomial logistic regression; folds of groups choose the penalty and hold out scores."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    x, column, categories = rows.x, rows.column, np.arange(rows.categories)

    def fitted(learn: Numbers, inverse_penalty: float) -> Linear:
        model = LogisticRegression(C=inverse_penalty, max_iter=300, tol=1e-3).fit(x[learn], column[learn])
        weight = np.zeros((x.shape[1], len(categories)), dtype=np.float32)
        intercept = np.full(len(categories), -1e3, dtype=np.float32)  # a category that is in no other fold
        weight[:, model.classes_], intercept[model.classes_] = model.coef_.T, model.intercept_
        return Linear.of(Head(weight, intercept))

    @cache
    def fold_of(way: Way) -> NDArray[np.int64]:
        _, group = np.unique(rows.groups.of(way), return_inverse=True)
        return np.asarray(np.random.default_rng(0).permutation(int(group.max()) + 1)[group] % _FOLDS)

    def loss(inverse_penalty: float) -> float:
        held = fold_of("leave_look_alikes_out") == 0
        scores = fitted(np.flatnonzero(~held), inverse_penalty).scores(x[held])
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return float(log_loss(column[held], powers / powers.sum(axis=1, keepdims=True), labels=categories))

    losses = {inverse_penalty: loss(inverse_penalty) for inverse_penalty in _INVERSE_PENALTIES}
    best = min(losses, key=lambda inverse_penalty: losses[inverse_penalty])

    @cache
    def of_fold(way: Way, fold: int) -> Linear:
        return fitted(np.flatnonzero(fold_of(way) != fold), best)

    def held_out(way: Way, asked: Numbers) -> NDArray[np.float32]:
        scores = np.empty((len(asked), rows.categories), dtype=np.float32)
        for fold in range(_FOLDS):
            places = np.flatnonzero(fold_of(way)[asked] == fold)
            if len(places):
                scores[places] = of_fold(way, fold).scores(x[asked[places]])
        return scores

    everything = np.arange(len(rows))
    temperature = fit_temperature(held_out("leave_look_alikes_out", everything), column)
    facts = {"penalty": 1 / best, "log_loss_by_penalty": {f"{1 / c:.3g}": v for c, v in losses.items()}}
    return LearnedHead(fitted(everything, best), temperature, facts, f"{_FOLDS} folds of groups", held_out)


HEADS: dict[str, HeadLearner] = {"ridge": learn_ridge, "logistic": learn_logistic}
