"""How heads are put together along the tree, and all the ways beside one another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.columns import Columns
from shelfwise.metrics.paired import beyond_chance
from shelfwise.train.calibrate import fit_calibration
from shelfwise.train.learned import HeadLearner, LearnedModel
from shelfwise.train.rows import TrainingRows
from shelfwise.train.trees.flat_head import FlatHead
from shelfwise.train.trees.level_heads import learn_levels
from shelfwise.train.trees.specialists import LEARN_ROUTED

LEARN_HIERARCHY: dict[str, Callable[[FlatHead], LearnedModel]] = {
    "flat": lambda start: start.model,
    "levels": learn_levels,
    **LEARN_ROUTED,
}
"""From the head for all categories to a model."""

_SMALLEST = 1e-30


@dataclass(frozen=True, eq=False)
class Compared:
    """One hierarchy; figures: those of its calibrated answers about held-out products, JSON values; losses: (m,) log-losses."""

    name: str
    model: LearnedModel
    figures: dict[str, Any]
    losses: NDArray[np.float64]


def learn_hierarchy(name: str, rows: TrainingRows, columns: Columns, learn_head: HeadLearner) -> LearnedModel:
    """Learn the hierarchy of that name, or `compare`: all of them, of which the best is kept that costs no more."""
    started = time.perf_counter()
    start = FlatHead.learn(rows, columns, learn_head)
    if name != "compare":
        return LEARN_HIERARCHY[name](start)
    return kept_of(compare(start, time.perf_counter() - started), start.judged.group)


def compare(start: FlatHead, seconds: float = 0.0) -> list[Compared]:
    """Learn all hierarchies on one head that took so many seconds, and judge them by the same held-out products."""
    return [_compared(name, start, seconds) for name in LEARN_HIERARCHY]


def kept_of(compared: list[Compared], group: NDArray[np.int64]) -> LearnedModel:
    """Keep the first, or the best of those that are better beyond chance, as often right and no larger; with the table.

    Better: by the log-loss of held-out products, which hang together in groups (m,). Held-out figures promise more of
    specialists than they keep where photos were taken in bursts, so larger models are shown, not taken.
    Source: docs/experiments.md, entry on hierarchies.
    """
    usual = compared[0]
    better = [
        one
        for one in compared
        if one.figures["numbers"] <= usual.figures["numbers"]
        and one.figures["top1"] >= usual.figures["top1"]
        and beyond_chance(usual.losses - one.losses, group)
    ]
    kept = min([usual, *better], key=lambda one: one.figures["log_loss"])
    facts = kept.model.facts | {"hierarchy": kept.name, "compared": {one.name: one.figures for one in compared}}
    return LearnedModel(kept.model.model, facts, kept.model.method, kept.model.held_out)


def _compared(name: str, start: FlatHead, seconds: float) -> Compared:
    started = time.perf_counter()
    model = LEARN_HIERARCHY[name](start)
    seconds += time.perf_counter() - started
    said, truth, columns = start.judged.of(model.held_out), start.judged.truth, start.columns
    probabilities = fit_calibration(said, truth, columns).apply(said, columns)
    losses = -np.log(np.maximum(probabilities[np.arange(len(truth)), truth].astype(np.float64), _SMALLEST))
    levels = zip(columns.taxonomy.level_names, columns.level_of, strict=True)
    figures = {
        "top1": float((probabilities.argmax(axis=1) == truth).mean()),
        "levels": {
            name: float((columns.summed(probabilities, level).argmax(axis=1) == nodes[truth]).mean())
            for level, (name, nodes) in enumerate(levels)
        },
        "log_loss": float(losses.mean()),
        "numbers": sum(tensor.size for tensor in model.model.stored()[1].values()),
        "seconds": round(seconds, 3),
    }
    return Compared(name, model, figures, losses)
