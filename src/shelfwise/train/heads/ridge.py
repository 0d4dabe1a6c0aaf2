"""The ridge head, learned in closed form, with scores of rows that it did not learn from."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.heads import Linear
from shelfwise.statistics.leave_out import LeaveOut
from shelfwise.statistics.penalty import choose_penalty
from shelfwise.statistics.ridge import Spectrum, fit
from shelfwise.statistics.sufficient import CategorySums, SufficientStatistics
from shelfwise.train.learned import LearnedHead
from shelfwise.train.rows import Numbers, TrainingRows, Way


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
