"""The heads that can be learned, each with scores of rows that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.heads import Linear
from shelfwise.options import TrainOptions
from shelfwise.statistics.leave_out import LeaveOut
from shelfwise.statistics.penalty import choose_penalty
from shelfwise.statistics.ridge import Spectrum, fit
from shelfwise.statistics.sufficient import CategorySums, SufficientStatistics
from shelfwise.train.bags import bag_of
from shelfwise.train.gradient import learn_by_gradient
from shelfwise.train.learned import LearnedHead
from shelfwise.train.logistic import learn_small_logistic
from shelfwise.train.networks import Descent
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

    def again(other: TrainingRows) -> Linear:
        spectrum, statistics, _ = _decomposed(other)
        return Linear.of(fit(spectrum, statistics, choice.penalty))

    facts = {
        "penalty": choice.penalty,
        "unexplained_by_penalty": {f"{p:.3g}": v for p, v in choice.unexplained.items()},
    }
    head = Linear.of(fit(spectrum, statistics, choice.penalty))
    return LearnedHead(head, choice.temperature, facts, "closed form", held_out, again)


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


_SCIKIT = 2 * 10**9
"""Products times features times categories up to which scikit-learn learns logistic heads: minutes with all folds."""


def learn_logistic(rows: TrainingRows, options: TrainOptions) -> LearnedHead:
    """Learn a logistic head: scikit-learn finds the optimum where that takes minutes, torch descends where it would not."""
    if rows.x.size * rows.categories <= _SCIKIT:
        return learn_small_logistic(rows)
    return learn_by_gradient(rows, _descent(options))


def learn_mlp(rows: TrainingRows, options: TrainOptions) -> LearnedHead:
    """Learn a head with hidden layers."""
    return learn_by_gradient(rows, replace(_descent(options), layers=options.widths, dropout=options.dropout))


def _descent(options: TrainOptions) -> Descent:
    return Descent(optimizer=options.optimizer, learning_rate=options.learning_rate, epochs=options.epochs)


def head_learner(name: str, options: TrainOptions) -> HeadLearner:
    """Return what learns heads of that name; bagged where the options ask for it."""
    learners: dict[str, HeadLearner] = {
        "ridge": learn_ridge,
        "logistic": partial(learn_logistic, options=options),
        "mlp": partial(learn_mlp, options=options),
    }
    learn = learners[name]
    return (lambda rows: bag_of(learn(rows), rows, options.bags)) if options.bags > 1 else learn
