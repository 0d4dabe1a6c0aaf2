"""Which head is asked for, and who learns it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal, cast

from shelfwise.options import TrainOptions
from shelfwise.train.heads.bags import bag_of
from shelfwise.train.heads.gradient import learn_by_gradient
from shelfwise.train.heads.logistic import learn_small_logistic
from shelfwise.train.heads.networks import Descent
from shelfwise.train.heads.ridge import learn_ridge
from shelfwise.train.learned import HeadLearner, LearnedHead
from shelfwise.train.rows import TrainingRows

_SCIKIT = 2 * 10**9
"""Products times features times categories up to which scikit-learn learns logistic heads: minutes with all folds."""


def learn_logistic(rows: TrainingRows, options: TrainOptions) -> LearnedHead:
    """Learn a logistic head: scikit-learn finds the optimum where that takes minutes, torch descends where it would not."""
    if rows.x.size * rows.categories <= _SCIKIT:
        return learn_small_logistic(rows)
    return learn_by_gradient(rows, _descent(options))


def learn_mlp(rows: TrainingRows, options: TrainOptions) -> LearnedHead:
    """Learn a head with hidden layers."""
    dropout = 0.5 if options.dropout is None else options.dropout
    return learn_by_gradient(rows, replace(_descent(options), layers=options.widths, dropout=dropout))


def _descent(options: TrainOptions) -> Descent:
    optimizer = cast(Literal["adamw", "adadelta"], options.optimizer)  # the others are for networks, and refused before
    return Descent(optimizer=optimizer, learning_rate=options.learning_rate, epochs=options.epochs or 100)


def head_learner(name: str, options: TrainOptions) -> HeadLearner:
    """Return what learns heads of that name; bagged where the options ask for it."""
    learners: dict[str, HeadLearner] = {
        "ridge": learn_ridge,
        "logistic": partial(learn_logistic, options=options),
        "mlp": partial(learn_mlp, options=options),
    }
    learn = learners[name]
    return (lambda rows: bag_of(learn(rows), rows, options.bags)) if options.bags > 1 else learn
