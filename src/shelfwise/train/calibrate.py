"""Fit the calibration on answers about products that were not learned from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from shelfwise.classifiers.calibration import Calibration, first_log_odds, log_of_levels, tempered
from shelfwise.columns import Columns
from shelfwise.statistics.calibration import fit_temperature

Values = NDArray[np.floating[Any]]

TEMPERATURE_PRIOR, SLOPE_PRIOR = 1.0, 3.0
"""Nats that a temperature costs which is e times the common one, and a slope of e. Source: docs/experiments.md, certainty."""
FOLDS = 5
_FARTHEST = 5.0
"""No level's temperature lies farther from the common one, in logs."""


def fit_calibration(log_probabilities: NDArray[np.float32], truth: NDArray[np.int32], columns: Columns) -> Calibration:
    """Fit the calibration on log-probabilities (n, c) of products that were not learned from, truth (n,) columns.

    What siblings are given at a level depends on that level's temperature alone, so each is fitted for itself, drawn
    towards the one that is best for all levels; then the line of the first answer's log-odds. Temperatures that cost right
    first answers beyond chance, as those of networks can that hardly know their categories, are left at 1.
    Source: docs/experiments.md, the same small network in four frameworks.
    """
    of_levels = log_of_levels(log_probabilities, columns)
    common = fit_temperature(of_levels[-1], truth)
    temperatures = tuple(
        _level_temperature(told, truth, columns, level, common) for level, told in enumerate(of_levels)
    )
    probabilities = np.exp(tempered(log_probabilities, columns, temperatures))
    right = probabilities.argmax(axis=1) == truth
    if _loses(log_probabilities.argmax(axis=1) == truth, right):
        temperatures = (1.0,) * len(of_levels)
        probabilities = np.exp(tempered(log_probabilities, columns, temperatures))
        right = probabilities.argmax(axis=1) == truth
    return Calibration(temperatures, *fit_line(first_log_odds(probabilities), right))


def _loses(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> bool:
    """Tell whether fewer answers (n,) are right after than before, by more than one standard error of those that changed."""
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    return lost - gained > math.sqrt(lost + gained)


def _level_temperature(
    of_nodes: NDArray[np.float32], truth: NDArray[np.int32], columns: Columns, level: int, common: float
) -> float:
    """Fit the temperature of the choice among the siblings of each product's own node at a level."""
    scores, starts, own = _siblings(of_nodes, columns.level_of[level][truth], columns, level)
    if not len(starts):
        return common
    smoothing = 1 / (len(starts) + 2)  # as in fit_temperature
    target = (1 - smoothing) * scores[own].mean() + smoothing * _means(scores, starts).mean()

    def loss(log_factor: float) -> float:
        inverse = np.exp(-log_factor) / common
        partition = np.log(np.add.reduceat(np.exp(inverse * scores), starts))
        return float(partition.sum() - len(starts) * inverse * target + TEMPERATURE_PRIOR * log_factor**2)

    best = minimize_scalar(loss, bounds=(-_FARTHEST, _FARTHEST), method="bounded", options={"xatol": 1e-4})
    return float(common * np.exp(best.x))


def _siblings(
    of_nodes: NDArray[np.float32], own: NDArray[np.int32], columns: Columns, level: int
) -> tuple[Values, NDArray[np.int64], NDArray[np.int64]]:
    """Gather each product's own node with its siblings, row after row, less the largest: scores, starts, places of the own.

    Products whose own node has no sibling are left out.
    """
    parent = columns.parent_of[level - 1] if level else np.zeros(of_nodes.shape[1], dtype=np.int32)
    order = np.argsort(parent, kind="stable")
    starts = np.flatnonzero(np.diff(parent[order], prepend=-1))
    count = np.diff(np.append(starts, len(parent)))
    asked = np.flatnonzero(count[parent[own]] > 1)
    if not len(asked):
        return np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)
    family = parent[own[asked]]
    past = np.cumsum(count[family])
    begin = past - count[family]
    row = np.repeat(np.arange(len(asked)), count[family])
    node = order[starts[family][row] + np.arange(past[-1]) - begin[row]]
    scores = of_nodes[asked[row], node].astype(np.float64)
    scores -= np.maximum.reduceat(scores, begin)[row]
    return scores, begin, np.flatnonzero(node == own[asked][row])


def _means(scores: Values, starts: NDArray[np.int64]) -> Values:
    return np.asarray(np.add.reduceat(scores, starts) / np.diff(np.append(starts, len(scores))))


def fit_line(log_odds: Values, right: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit slope and offset of the log-odds (n,) at which first answers are right; the slope is drawn towards 1.

    Targets are Platt's, so that where all answers are right they are believed no more than n of them allow.
    Source: Platt, Probabilistic Outputs for Support Vector Machines (1999), section 2.2.
    """
    hits, misses = int(right.sum()), int((~right).sum())
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    x = log_odds.astype(np.float64)

    def loss(line: Values) -> tuple[float, Values]:
        slope = np.exp(line[0])
        odds = slope * x + line[1]
        value = (np.logaddexp(0, odds) - target * odds).sum() + SLOPE_PRIOR * line[0] ** 2
        off = 1 / (1 + np.exp(-odds)) - target
        return float(value), np.array([slope * (off @ x) + 2 * SLOPE_PRIOR * line[0], off.sum()])

    best = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-_FARTHEST, _FARTHEST), (-50.0, 50.0)])
    return float(np.exp(best.x[0])), float(best.x[1])


@dataclass(frozen=True, eq=False)
class CrossCalibration:
    """A calibration, and what it would be without some of the products that it was fitted on.

    fold: (n,) of every product of the source, look-alikes in the same; of_fold: fitted on the products of the other folds.
    """

    calibration: Calibration
    of_fold: tuple[Calibration, ...]
    fold: NDArray[np.int64]

    def apply(
        self, log_probabilities: NDArray[np.float32], columns: Columns, rows: NDArray[np.integer[Any]]
    ) -> NDArray[np.float32]:
        """Return probabilities (m, c) of the source's products `rows` (m,), calibrated as if without them."""
        calibrated = np.empty(log_probabilities.shape, dtype=np.float32)
        for fold, calibration in enumerate(self.of_fold):
            places = np.flatnonzero(self.fold[rows] == fold)
            if len(places):
                calibrated[places] = calibration.apply(log_probabilities[places], columns)
        return calibrated


def cross_calibrated(
    log_probabilities: NDArray[np.float32],
    truth: NDArray[np.int32],
    columns: Columns,
    rows: NDArray[np.integer[Any]],
    group: NDArray[np.int64],
) -> CrossCalibration:
    """Fit the calibration on held-out answers (m, c) about the products `rows` of a source, groups (n,) whole in a fold."""
    whole = fit_calibration(log_probabilities, truth, columns)
    _, number = np.unique(group, return_inverse=True)
    fold = np.random.default_rng(0).permutation(int(number.max()) + 1)[number] % FOLDS
    others = [np.flatnonzero(fold[rows] != number) for number in range(FOLDS)]
    of_fold = tuple(
        fit_calibration(log_probabilities[kept], truth[kept], columns) if len(kept) else whole for kept in others
    )
    return CrossCalibration(whole, of_fold, fold)
