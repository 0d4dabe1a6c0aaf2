"""How much each member of a classifier has to say: weights by stacking on products that were left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from shelfwise.classifiers.classifier import LEAST
from shelfwise.statistics.calibration import fit_temperature, log_loss
from shelfwise.train.learned import LearnedClassifier, LearnedMember
from shelfwise.train.rows import Grouping, Way, rows_known_from_others, sampled

_JUDGED, _VALUES = 8192, 2 * 10**8
"""Products that weights are chosen on, at most; and values of all their tables, 0.8 GB."""
_LEAST = 0.01
"""Weight below which a member is left away: it costs as much to ask as the others."""
Tables = list[NDArray[np.float32]]


def stacked(members: tuple[LearnedMember, ...], column: NDArray[np.int32], groups: Grouping) -> LearnedClassifier:
    """Weigh members by what they say of products whose look-alikes were left out with them; drop those without weight."""
    way: Way = "leave_look_alikes_out"
    known = rows_known_from_others(groups.of(way), column)
    categories = int(column.max()) + 1
    rows = sampled(groups.of(way), known, min(_JUDGED, max(512, _VALUES // (len(members) * categories))))
    truth = column[rows[known[rows]]]
    tables = [np.asarray(member.held_out(way, rows)[known[rows]], np.float32) for member in members]
    stack = stack_of([member.member.name for member in members], tables, truth, way)
    chosen = tuple(
        replace(members[place], facts=members[place].facts | {"contribution": told})
        for place, told in zip(stack.kept, stack.contributions, strict=True)
    )
    return LearnedClassifier(chosen, stack.weights, {"ensemble": stack.facts})


@dataclass(frozen=True)
class Stack:
    """Who answers together: places of those with weight, their weights (sum 1), what each contributes, and all that as facts.

    A contribution is a member's own log-loss and share right, and the log-loss of the others without it.
    """

    kept: tuple[int, ...]
    weights: tuple[float, ...]
    contributions: tuple[dict[str, float], ...]
    facts: dict[str, Any]


def stack_of(names: Sequence[str], tables: Tables, truth: NDArray[np.integer[Any]], held_out_by: str) -> Stack:
    """Weigh members by their log-probabilities (n, c) of products that none learned from; drop those without weight.

    Source: Breiman, Stacked Regressions (1996), non-negative weights on held-out answers; Wolpert, Stacked Generalization
    (1992).
    """
    kept, weights = _without_idlers(tables, truth)
    told = [_contribution(place, tables, truth, kept, weights) for place in range(len(tables))]
    facts = {
        "products": len(truth),
        "held_out_by": held_out_by,
        "log_loss": pooled_loss([tables[place] for place in kept], weights, truth),
        "left_away": [{"name": name} | told[place] for place, name in enumerate(names) if place not in kept],
    }
    return Stack(tuple(kept), tuple(map(float, weights)), tuple(told[place] for place in kept), facts)


def stacking_weights(tables: Tables, truth: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return weights (m,), sum 1, of members' log-probabilities (n, c) at which the weighted mean has the least log-loss.

    Least over one temperature for all as well, which the calibration gives the mean afterwards: so the loss is minimized over
    weights of any sum, a convex problem, and they are divided by their sum.
    """
    below = [np.maximum(table, LEAST) for table in tables]
    true = np.array([table[np.arange(len(truth)), truth].mean(dtype=np.float64) for table in below])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total = _pooled(below, weights)
        partition = logsumexp(total, axis=1, keepdims=True)
        chances = np.exp(total - partition)
        expected = np.array([np.einsum("nc,nc->n", chances, table).mean(dtype=np.float64) for table in below])
        return float(partition.mean(dtype=np.float64) - weights @ true), expected - true

    start = np.full(len(tables), 1 / len(tables))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(tables)).x
    return np.asarray(found / found.sum() if found.sum() > 0 else start)


def pooled_loss(tables: Tables, weights: NDArray[np.float64], truth: NDArray[np.integer[Any]]) -> float:
    """Return the log-loss of the weighted mean of log-probabilities, at its best temperature."""
    total = _pooled([np.maximum(table, LEAST) for table in tables], weights)
    return log_loss(total, truth, fit_temperature(total, truth))


def _pooled(tables: Tables, weights: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(sum(np.float32(weight) * table for weight, table in zip(weights, tables, strict=True)))


def _without_idlers(tables: Tables, truth: NDArray[np.integer[Any]]) -> tuple[list[int], NDArray[np.float64]]:
    """Return the members that have weight, and their weights."""
    kept = list(range(len(tables)))
    while True:
        weights = stacking_weights([tables[place] for place in kept], truth)
        if weights.min() >= _LEAST:
            return kept, weights
        kept = [place for place, weight in zip(kept, weights, strict=True) if weight >= _LEAST]


def _contribution(
    place: int, tables: Tables, truth: NDArray[np.integer[Any]], kept: list[int], weights: NDArray[np.float64]
) -> dict[str, float]:
    table = tables[place]
    told = {
        "weight": float(weights[kept.index(place)]) if place in kept else 0.0,
        "top1": float(np.mean(table.argmax(axis=1) == truth)),
        "log_loss": pooled_loss([table], np.ones(1), truth),
    }
    others = [tables[p] for p in kept if p != place]
    if others:
        told["log_loss_of_others"] = pooled_loss(others, stacking_weights(others, truth), truth)
    return told
