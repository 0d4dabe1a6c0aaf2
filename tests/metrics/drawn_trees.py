"""Random trees of uneven depth, and answers over them, for the tests of figures that look at the tree."""

from __future__ import annotations

import numpy as np

from shelfwise.columns import Columns
from shelfwise.metrics.answers import Answers
from shelfwise.taxonomy import Node, Taxonomy


def uneven_tree(seed: int, nodes: int = 20) -> Taxonomy:
    """Grow a tree by hanging each node below an earlier one, or at the top."""
    rng = np.random.default_rng(seed)
    parents = [None if i < 2 or rng.random() < 0.1 else f"n{rng.integers(i)}" for i in range(nodes)]
    return Taxonomy([Node(f"n{i}", f"Node {i}", parent) for i, parent in enumerate(parents)])


def answers_over(tree: Taxonomy, p: int, seed: int = 0, categories: tuple[str, ...] | None = None) -> Answers:
    """Draw answers that are right about half the time; categories: the leaves, or any nodes."""
    rng = np.random.default_rng(seed)
    columns = Columns(categories or tree.leaves, tree)
    truth = rng.integers(0, len(columns), p).astype(np.int32)
    scores = 1.3 * rng.gumbel(size=(p, len(columns)))
    scores[np.arange(p), truth] += 2.5
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Answers.from_probabilities([str(i) for i in range(p)], truth, probabilities.astype(np.float32), columns)


def way_of(answers: Answers, row: int, depth: int) -> tuple[str, ...]:
    """Return the ids from the top to where the way of one product's answer stops after so many levels."""
    if depth == 0:
        return ()
    node = answers.level_nodes[depth - 1][answers.way[row, depth - 1]]
    return answers.columns.taxonomy.path(node)
