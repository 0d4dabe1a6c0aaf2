"""Learn a head a level: the columns of the head for all, put together along the tree, with temperatures of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.levels import TOGETHER, Levels, Together, node_scores, parents
from shelfwise.columns import Columns
from shelfwise.statistics.calibration import fit_common_temperature, log_loss
from shelfwise.train.flat_head import FlatHead
from shelfwise.train.learned import LearnedModel
from shelfwise.train.rows import Numbers, Way


def learn_levels(start: FlatHead) -> LearnedModel:
    """Put the head's columns together in the way that gives held-out products the better probabilities; nothing is learned."""
    scores, truth = start.judged.of(start.learned.held_out), start.judged.truth
    models = {together: _warmed(start, together, scores, truth) for together in TOGETHER}
    losses = {together: log_loss(model.of_scores(scores), truth, 1) for together, model in models.items()}
    best = models[min(TOGETHER, key=losses.__getitem__)]

    def held_out(way: Way, asked: Numbers) -> NDArray[np.float32]:
        return best.of_scores(start.learned.held_out(way, asked))

    facts = start.learned.facts | {
        "hierarchy": "levels",
        "together": best.together,
        "log_loss_together": losses,
        "temperatures": dict(zip(start.columns.taxonomy.level_names, best.temperatures, strict=True)),
    }
    return LearnedModel(best, facts, start.learned.method, held_out)


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
