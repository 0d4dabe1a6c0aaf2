"""Scores of rows that a head did not learn from, by learning it again without a fold of the groups."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.heads import Scorer
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.train.learned import HeldOut
from shelfwise.train.rows import Grouping, Numbers, TrainingRows, Way

FOLDS = 5
"""Source: docs/experiments.md, entry on the heads."""

Refit = Callable[[Numbers], Scorer]


def fold_of(groups: Grouping, way: Way, folds: int = FOLDS) -> NDArray[np.int64]:
    """Deal the groups of a way to folds by chance, (n,) numbers below `folds`."""
    _, group = np.unique(groups.of(way), return_inverse=True)
    return np.asarray(np.random.default_rng(0).permutation(int(group.max()) + 1)[group] % folds)


def learned_elsewhere(column: NDArray[np.int32], fold: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell (n,) which rows have rows of their category in another fold: no head could answer the others right."""
    _, pair, inside = np.unique(np.stack([fold, column]), axis=1, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(column)[column] > inside[pair])


def held_out_by_folds(rows: TrainingRows, refit: Refit, folds: int = FOLDS) -> HeldOut:
    """Return what answers for held-out rows; refit(rows to learn from) gives a head, once for every fold that is asked."""

    @cache
    def folded(way: Way) -> NDArray[np.int64]:
        return fold_of(rows.groups, way, folds)

    @cache
    def without(way: Way, fold: int) -> Scorer:
        return refit(np.flatnonzero(folded(way) != fold))

    def held_out(way: Way, asked: Numbers) -> NDArray[np.floating[Any]]:
        scores = np.empty((len(asked), rows.categories), dtype=np.float32)
        for fold in range(folds):
            places = np.flatnonzero(folded(way)[asked] == fold)
            if len(places):
                scores[places] = without(way, fold).scores(rows.x[asked[places]])
        return scores

    return held_out


def temperature_of_folds(rows: TrainingRows, held_out: HeldOut, folds: int = FOLDS) -> float:
    """Fit the temperature on held-out scores of rows, of at most 8,192, whose category other folds know."""
    way: Way = "leave_look_alikes_out"
    known = np.flatnonzero(learned_elsewhere(rows.column, fold_of(rows.groups, way, folds)))
    if not len(known):
        return 1.0
    asked = np.random.default_rng(0).permutation(known)[:8192]
    return fit_temperature(np.asarray(held_out(way, asked)), rows.column[asked])
