"""How near an answer is in the tree: hierarchical precision, recall and F1, and edges between answer and truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.metrics.intervals import Estimate, percentile_interval, resampled_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.columns import Columns
    from shelfwise.metrics.answers import Answers

    Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Overlap:
    """How far p answers and their truths go the same way down the tree, in nodes, (p,) each.

    shared: nodes on both ways; answered: nodes from the top to the answer, 0 where there is none; true: nodes from the top
    to the truth; wrong: whether the answer is a mistake.
    """

    shared: NDArray[np.int32]
    answered: NDArray[np.int32]
    true: NDArray[np.int32]
    wrong: NDArray[np.bool_]

    @property
    def distance(self) -> NDArray[np.int32]:
        """Edges between answer and truth, (p,); over a root above the top nodes where they share none."""
        return self.answered + self.true - 2 * self.shared


def overlap_of_first(answers: Answers) -> Overlap:
    """Compare the first answers with the truth."""
    columns = answers.columns
    way = columns.level_of[:, answers.answer].T
    depth = np.full(len(answers), len(columns.level_nodes), dtype=np.int32)
    return _overlap(columns, answers.truth, way, depth, ~answers.right)


def overlap_of_way(answers: Answers, depth: NDArray[np.integer]) -> Overlap:
    """Compare answers that stop with the truth: product i gets the first `depth[i]` levels of its way, 0 for none.

    depth: (p,). An answer that is a shelf above the truth is no mistake.
    """
    found = _overlap(answers.columns, answers.truth, answers.way, depth, np.zeros(len(answers), dtype=np.bool_))
    return Overlap(found.shared, found.answered, found.true, found.shared < found.answered)


def _overlap(
    columns: Columns,
    truth: NDArray[np.int32],
    way: NDArray[np.int32],
    depth: NDArray[np.integer],
    wrong: NDArray[np.bool_],
) -> Overlap:
    node_depth = np.zeros((len(truth), len(columns.level_nodes)), dtype=np.int32)
    for level, of_nodes in enumerate(columns.node_depth):
        node_depth[:, level] = of_nodes[way[:, level]]
    last = np.maximum(depth, 1)[:, None] - 1
    answered = np.where(depth > 0, np.take_along_axis(node_depth, last, axis=1)[:, 0], 0)
    true = columns.node_depth[-1][columns.level_of[-1]][truth]
    both = np.minimum(answered, true)
    is_same = way == columns.level_of[:, truth].T
    shared = (is_same & (np.arange(way.shape[1]) < both[:, None])).sum(axis=1)
    return Overlap(shared.astype(np.int32), answered.astype(np.int32), true, wrong)


class TreeSums:
    """What the figures need of an overlap, so that one matrix product gives them for many resamples at once."""

    def __init__(self, overlap: Overlap) -> None:
        self.names = ("shared", "answered", "true", "distance", "wrong", "wrong_distance")
        rows = (overlap.shared, overlap.answered, overlap.true, overlap.distance, overlap.wrong)
        self.rows = np.stack([*rows, overlap.wrong * overlap.distance]).astype(np.float64)

    def figures(self, weights: Values) -> dict[str, Values]:
        """Compute each figure for weights (p, b): name to (b,); 0 where nothing was answered, NaN for mistakes there are none of.

        Source: Silla and Freitas 2011, Data Mining and Knowledge Discovery 22, section 6 (precision and recall over sets of
        ancestors, summed over products); Kosmopoulos et al. 2015, Data Mining and Knowledge Discovery 29 (distances).
        """
        sums = dict(zip(self.names, self.rows @ weights, strict=True))
        return {
            "hierarchical_precision": ratio(sums["shared"], sums["answered"]),
            "hierarchical_recall": ratio(sums["shared"], sums["true"]),
            "hierarchical_f1": ratio(2 * sums["shared"], sums["answered"] + sums["true"]),
            "tree_distance": sums["distance"] / weights.sum(axis=0),
            "mistake_distance": ratio(sums["wrong_distance"], sums["wrong"], np.nan),
        }


def figures_of_way(
    answers: Answers, depth: NDArray[np.integer], seed: int = 0, resamples: int = 1000
) -> dict[str, Estimate]:
    """Compute the figures of answers that stop (see `overlap_of_way`) with 95 % bootstrap intervals over products.

    That of mistakes is absent where there are none.
    """
    sums = TreeSums(overlap_of_way(answers, depth))
    blocks = [sums.figures(weights) for weights in resampled_weights(len(answers), resamples, seed)]
    found = {}
    for name, value in sums.figures(np.ones((len(answers), 1))).items():
        if not np.isnan(value[0]):
            drawn = np.concatenate([block[name] for block in blocks]) if blocks else np.empty(0)
            defined = drawn[~np.isnan(drawn)]
            found[name] = Estimate(float(value[0]), *(percentile_interval(defined) if len(defined) else ()))
    return found


def ratio(part: Values, whole: Values, otherwise: float = 0.0) -> Values:
    """Divide, or say otherwise where the whole is 0."""
    return np.divide(part, whole, out=np.full_like(part, otherwise), where=whole > 0)
