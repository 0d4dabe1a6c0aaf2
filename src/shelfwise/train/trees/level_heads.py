"""Learn a head a level: the columns of the head for all, put together along the tree, with temperatures of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.levels import TOGETHER, Levels, Together, node_scores, parents
from shelfwise.columns import Columns
from shelfwise.statistics.calibration import fit_common_temperature, log_loss
from shelfwise.train.learned import LearnedModel
from shelfwise.train.rows import Numbers, Way
from shelfwise.train.trees.flat_head import FlatHead


@dataclass(frozen=True, eq=False)
class LevelHeads:
    """The head for all categories, and its columns put together; losses: held-out log-loss by the ways to do so."""

    start: FlatHead
    levels: Levels
    losses: dict[str, float]

    @classmethod
    def learn(cls, start: FlatHead) -> LevelHeads:
        """Put the columns together in the way that gives held-out products the better probabilities; no head is learned."""
        scores, truth = start.judged.of(start.learned.held_out), start.judged.truth
        models = {together: _warmed(start, together, scores, truth) for together in TOGETHER}
        losses: dict[str, float] = {
            together: log_loss(model.of_scores(scores), truth, 1) for together, model in models.items()
        }
        return cls(start, models[min(TOGETHER, key=lambda together: losses[together])], losses)

    @property
    def columns(self) -> Columns:
        """The categories in their tree."""
        return self.start.columns

    @property
    def facts(self) -> dict[str, Any]:
        """What was learned and chosen, JSON values."""
        return self.start.learned.facts | {
            "together": self.levels.together,
            "log_loss_together": self.losses,
            "temperatures": dict(zip(self.columns.taxonomy.level_names, self.levels.temperatures, strict=True)),
        }

    def held_out(self, way: Way, asked: Numbers) -> NDArray[np.float32]:
        """Return log-probabilities (m, c) of rows (m,), whole groups, that were left out."""
        return self.levels.of_scores(self.start.learned.held_out(way, asked))


def learn_levels(start: FlatHead) -> LearnedModel:
    """Learn the hierarchy that has no more than the heads of the levels."""
    heads = LevelHeads.learn(start)
    facts = heads.facts | {"hierarchy": "levels"}
    return LearnedModel(heads.levels, facts, start.learned.method, heads.held_out)


def _warmed(start: FlatHead, together: Together, scores: NDArray[np.float32], truth: NDArray[np.int32]) -> Levels:
    unit = np.asarray(scores / start.learned.temperature, dtype=np.float32)
    temperatures = tuple(
        fit_common_temperature(choices(of_nodes, truth, start.columns, level))
        for level, of_nodes in enumerate(node_scores(unit, start.columns, together))
    )
    return Levels(start.flat, together, temperatures, start.columns)


def choices(
    of_nodes: NDArray[np.float32], truth: NDArray[np.int32], columns: Columns, level: int
) -> list[tuple[NDArray[np.float32], NDArray[np.intp]]]:
    """Return the choices among the children of each node above a level: scores (m, children) and the right child (m,).

    of_nodes: (n, nodes) scores of the level; truth: (n,) columns. A row stands in the choice below its own node; a node
    with one child is no choice.
    """
    parent, node = parents(columns)[level], columns.level_of[level][truth]
    found = []
    for above in np.flatnonzero(np.bincount(parent) > 1):
        children, rows = np.flatnonzero(parent == above), np.flatnonzero(parent[node] == above)
        if len(rows):
            found.append((of_nodes[np.ix_(rows, children)], np.searchsorted(children, node[rows])))
    return found
