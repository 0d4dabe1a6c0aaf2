"""What a model answered about products: the one container that every figure is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.errors import LabelMismatchError, OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shelfwise.columns import Columns

SUM_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False, kw_only=True)
class Answers:
    """Hold the answers about p products beside the truth.

    columns: the c categories in their tree; product_ids (p,); truth (p,) columns of `categories`; top (p, k) columns, best
    first, with top_probability (p, k); level_top and level_truth (p, levels) columns of `level_nodes[level]`, with
    level_probability (p, levels) of the answered node; way (p, levels) and way_probability the same along one way down
    the tree: the likeliest node at the top, below it the likeliest child, and so on; probability_of_truth (p,) what the
    right category was given.
    The answer at a level is the node with the largest summed probability, so it need not lie above the first leaf, nor
    on the way.
    Raises OptionError where shapes disagree or a probability is not one, LabelMismatchError for a column out of range.
    """

    product_ids: NDArray[np.str_]
    truth: NDArray[np.int32]
    top: NDArray[np.int32]
    top_probability: NDArray[np.float32]
    level_top: NDArray[np.int32]
    level_truth: NDArray[np.int32]
    level_probability: NDArray[np.float32]
    way: NDArray[np.int32]
    way_probability: NDArray[np.float32]
    probability_of_truth: NDArray[np.float32]
    columns: Columns

    def __post_init__(self) -> None:
        self._check_shapes()
        for name, probability in (
            ("top_probability", self.top_probability),
            ("level_probability", self.level_probability),
            ("way_probability", self.way_probability),
            ("probability_of_truth", self.probability_of_truth),
        ):
            _check_probabilities(name, probability)
        _check_columns("truth", self.truth, len(self.categories))
        _check_columns("top", self.top, len(self.categories))
        for level, (name, nodes) in enumerate(zip(self.level_names, self.level_nodes, strict=True)):
            _check_columns(f"level_truth of {name!r}", self.level_truth[:, level], len(nodes))
            _check_columns(f"level_top of {name!r}", self.level_top[:, level], len(nodes))
            _check_columns(f"way of {name!r}", self.way[:, level], len(nodes))

    def _check_shapes(self) -> None:
        p, levels = len(self.product_ids), len(self.level_names)
        if self.top.ndim != 2 or self.top.shape[1] < 1:
            raise OptionError(f"answers: top has the shape {self.top.shape}, expected ({p}, k) with k of at least 1")
        expected = {
            "truth": (p,),
            "top": (p, self.top.shape[1]),
            "top_probability": (p, self.top.shape[1]),
            "level_top": (p, levels),
            "level_truth": (p, levels),
            "level_probability": (p, levels),
            "way": (p, levels),
            "way_probability": (p, levels),
            "probability_of_truth": (p,),
        }
        for name, shape in expected.items():
            found = getattr(self, name).shape
            if found != shape:
                raise OptionError(f"answers: {name} has the shape {found}, expected {shape}")

    def __len__(self) -> int:
        return len(self.product_ids)

    @property
    def categories(self) -> tuple[str, ...]:
        """The ids of the categories, by column."""
        return self.columns.categories

    @property
    def level_nodes(self) -> tuple[tuple[str, ...], ...]:
        """The ids of the nodes of each level, from the top."""
        return self.columns.level_nodes

    @property
    def level_names(self) -> tuple[str, ...]:
        """The names of the levels, from the top."""
        return self.columns.taxonomy.level_names

    @property
    def answer(self) -> NDArray[np.int32]:
        """The first answer's column, (p,)."""
        return self.top[:, 0]

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The first answer's probability, (p,)."""
        return self.top_probability[:, 0]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the first answer is the truth, (p,)."""
        return np.equal(self.answer, self.truth)

    def at(self, level: int | None) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return how sure the answers at a level are and whether they are right, both (p,); None: the first answers."""
        if level is None:
            return self.confidence, self.right
        return self.level_probability[:, level], np.equal(self.level_top[:, level], self.level_truth[:, level])

    @classmethod
    def from_probabilities(
        cls,
        product_ids: Sequence[str] | NDArray[np.str_],
        truth: NDArray[np.int32],
        probabilities: NDArray[np.float32],
        columns: Columns,
        k: int = 5,
    ) -> Answers:
        """Keep of every product's probabilities what the figures need.

        truth (p,) columns; probabilities (p, c) rows that sum to 1; k is capped at c. Equal probabilities:
        the lower column wins. Hand over a large catalog in batches and join them with `concatenate`.
        """
        truth = np.asarray(truth, dtype=np.int32)
        _check_table(truth, probabilities, len(product_ids), len(columns))
        top, top_probability = _best(probabilities, min(k, len(columns)))
        of_levels = [columns.summed(probabilities, level) for level in range(len(columns.level_nodes))]
        at_level = [_best(of_level, 1) for of_level in of_levels]
        way, way_probability = ways_down(of_levels, columns.parent_of)
        return cls(
            product_ids=np.asarray(product_ids, dtype=np.str_),
            truth=truth,
            top=top,
            top_probability=top_probability,
            level_top=np.hstack([column for column, _ in at_level]),
            level_truth=columns.level_of[:, truth].T,
            level_probability=np.hstack([probability for _, probability in at_level]),
            way=way,
            way_probability=way_probability,
            probability_of_truth=probabilities[np.arange(len(truth)), truth].astype(np.float32),
            columns=columns,
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Answers]) -> Answers:
        """Join answers of one model about different products; raises LabelMismatchError where categories differ."""
        if not parts:
            raise OptionError("no answers to join")
        first = parts[0]
        for part in parts[1:]:
            if (part.categories, part.level_nodes) != (first.categories, first.level_nodes):
                raise LabelMismatchError("answers to join have different categories, or the same in another order")
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
        return cls(**joined, columns=first.columns)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | Sequence[int]) -> Answers:
        """Return the answers of some rows: their numbers, in any order, or a mask (p,)."""
        chosen = np.asarray(rows)
        if chosen.dtype != np.bool_:
            chosen = chosen.astype(np.intp)
        taken = {name: getattr(self, name)[chosen] for name in _COLUMNS}
        return type(self)(**taken, columns=self.columns)


_COLUMNS = (
    "product_ids",
    "truth",
    "top",
    "top_probability",
    "level_top",
    "level_truth",
    "level_probability",
    "way",
    "way_probability",
    "probability_of_truth",
)


def ways_down(
    of_levels: Sequence[NDArray[np.float32]], parent_of: Sequence[NDArray[np.int32]]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Go down from the likeliest top node to its likeliest child and on: nodes and probabilities, both (p, levels).

    of_levels: (p, nodes) probabilities of each level's nodes; parent_of: as `Columns.parent_of`.
    """
    node, probability = _best(of_levels[0], 1)
    nodes, probabilities = [node], [probability]
    for of_level, parent in zip(of_levels[1:], parent_of, strict=True):
        below = np.where(parent[None] == nodes[-1], of_level, np.float32(-1))
        node, probability = _best(below, 1)
        nodes.append(node)
        probabilities.append(probability)
    return np.hstack(nodes), np.hstack(probabilities)


def _check_columns(name: str, columns: NDArray[np.int32], count: int) -> None:
    wrong = np.flatnonzero((columns < 0) | (columns >= count))
    if len(wrong):
        row = int(wrong[0]) // (columns.shape[1] if columns.ndim == 2 else 1)
        raise LabelMismatchError(
            f"answers: {name} of row {row} is {columns.flat[wrong[0]]}, but there are {count} categories"
        )


def _check_probabilities(name: str, values: NDArray[np.float32]) -> None:
    wrong = np.flatnonzero(~((values >= 0) & (values <= 1 + SUM_TOLERANCE)))
    if len(wrong):
        row = int(wrong[0]) // (values.shape[1] if values.ndim == 2 else 1)
        raise OptionError(
            f"answers: {name} of row {row} is {values.flat[wrong[0]]}, expected a probability from 0 to 1"
        )


def _check_table(truth: NDArray[np.int32], probabilities: NDArray[np.float32], p: int, c: int) -> None:
    if c == 0:
        raise OptionError("answers need at least one category")
    if truth.shape != (p,) or probabilities.shape != (p, c):
        raise OptionError(
            f"{p} products and {c} categories need truth ({p},) and probabilities ({p}, {c}), "
            f"found {truth.shape} and {probabilities.shape}"
        )
    _check_columns("truth", truth, c)
    _check_probabilities("probabilities", probabilities)
    sums = probabilities.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE)
    if len(wrong):
        raise OptionError(f"probabilities of row {wrong[0]} sum to {sums[wrong[0]]:.4g}, expected 1")


def _best(values: NDArray[np.float32], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Find the k largest of each row, the lower column first among equals, in k passes: cheaper than a sort."""
    if k < 1:
        raise OptionError(f"k must be at least 1, found {k}")
    left = np.array(values, dtype=np.float32)
    rows = np.arange(len(left))
    columns = np.empty((len(left), k), dtype=np.int32)
    for place in range(k):
        columns[:, place] = left.argmax(axis=1)
        left[rows, columns[:, place]] = -1
    return columns, np.take_along_axis(values, columns.astype(np.intp), axis=1).astype(np.float32)
