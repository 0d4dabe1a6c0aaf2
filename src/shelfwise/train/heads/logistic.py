"""Multinomial logistic regression by scikit-learn, for shops of a size that it can do in minutes."""

from __future__ import annotations

import numpy as np

from shelfwise.classifiers.heads import Linear
from shelfwise.statistics.calibration import log_loss
from shelfwise.statistics.head import Head
from shelfwise.train.heads.folds import FOLDS, fold_of, held_out_by_folds, learned_elsewhere, temperature_of_folds
from shelfwise.train.learned import LearnedHead
from shelfwise.train.rows import Numbers, TrainingRows

# Inverse penalties that are tried. Source: docs/experiments.md, entry on the heads.
_INVERSE_PENALTIES = (3.0, 30.0, 300.0)


def learn_small_logistic(rows: TrainingRows) -> LearnedHead:
    """Learn the regression; the first fold of look-alike groups chooses the penalty, folds of groups hold out scores."""
    fold = fold_of(rows.groups, "leave_look_alikes_out")
    asked = np.flatnonzero((fold == 0) & learned_elsewhere(rows.column, fold))
    losses = {}
    for inverse_penalty in _INVERSE_PENALTIES if len(asked) else _INVERSE_PENALTIES[:1]:
        scores = _fitted(rows, np.flatnonzero(fold != 0), inverse_penalty).scores(rows.x[asked])
        losses[inverse_penalty] = log_loss(scores, rows.column[asked], 1.0) if len(asked) else 0.0
    best = min(losses, key=lambda inverse_penalty: losses[inverse_penalty])
    held_out = held_out_by_folds(rows, lambda learn: _fitted(rows, learn, best))
    facts = {"penalty": 1 / best, "log_loss_by_penalty": {f"{1 / c:.3g}": v for c, v in losses.items()}}

    def again(other: TrainingRows) -> Linear:
        return _fitted(other, np.arange(len(other)), best)

    temperature = temperature_of_folds(rows, held_out)
    return LearnedHead(again(rows), temperature, facts, f"{FOLDS} folds of groups", held_out, again)


def _fitted(rows: TrainingRows, learn: Numbers, inverse_penalty: float) -> Linear:
    """Fit a head; a category that none of n rows show gets the mean score of the others less log(n)."""
    from sklearn.linear_model import LogisticRegression

    unseen = -np.log(len(learn))
    weight = np.zeros((rows.x.shape[1], rows.categories), dtype=np.float32)
    intercept = np.full(rows.categories, unseen, dtype=np.float32)
    present = np.unique(rows.column[learn])
    if len(present) < 2:
        intercept[present] = 0
        return Linear(weight, intercept)
    model = LogisticRegression(C=inverse_penalty, max_iter=300, tol=1e-3).fit(rows.x[learn], rows.column[learn])
    if len(present) == 2:  # scikit-learn gives the second category's score alone, over the first's
        halves = np.array([-0.5, 0.5])
        weight[:, present], intercept[present] = model.coef_.T * halves, model.intercept_ * halves
    else:
        weight[:, present], intercept[present] = model.coef_.T, model.intercept_ - model.intercept_.mean()
    return Linear.of(Head(weight, intercept))
