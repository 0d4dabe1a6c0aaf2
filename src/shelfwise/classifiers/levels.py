"""One head a level, all of them columns of one head put together along the tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shelfwise.classifiers.flat import Flat
from shelfwise.classifiers.stored import Stored, Tensors, positive
from shelfwise.columns import summed
from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.columns import Columns

Together = Literal["sum", "logsumexp"]
TOGETHER: tuple[Together, ...] = ("sum", "logsumexp")


@dataclass(frozen=True)
class Levels:
    """A head whose columns, put together below each node, are the heads of the levels.

    together: `sum` where scores add up as shares do (ridge: the summed columns are the head that the level's own labels would
    give), `logsumexp` where they add up as powers do (logistic). temperatures: one a level, for the choice among the children
    of one node. The probability of a category is the product of the choices on the way down to it.
    """

    flat: Flat
    together: Together
    temperatures: tuple[float, ...]
    columns: Columns

    def log_probabilities(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log-probabilities (n, c) of vectors (n, d)."""
        return self.of_scores(self.flat.head.scores(z))

    def of_scores(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return log-probabilities (n, c) of the flat head's scores (n, c)."""
        unit = np.asarray(scores / self.flat.temperature, dtype=np.float32)
        above = np.zeros((len(unit), 1), dtype=np.float32)
        of_levels = node_scores(unit, self.columns, self.together)
        for of_nodes, temperature, parent in zip(of_levels, self.temperatures, parents(self.columns), strict=True):
            above = above[:, parent] + log_softmax_among(of_nodes / np.float32(temperature), parent)
        return above

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        description, tensors = self.flat.stored()
        own = {"hierarchy": "levels", "together": self.together, "temperatures": list(self.temperatures)}
        return description | own, tensors

    @classmethod
    def restored(cls, values: dict[str, Any], tensors: Tensors, d: int, columns: Columns) -> Levels:
        """Read what `stored` gave."""
        together, temperatures = values["together"], values["temperatures"]
        if together not in TOGETHER:
            raise BundleError("bundle.json", f"scores cannot be put together by {together!r}")
        levels = len(columns.level_nodes)
        if not isinstance(temperatures, list) or len(temperatures) != levels:
            raise BundleError("bundle.json", f"the temperatures {temperatures!r} are not those of {levels} levels")
        warm = tuple(positive(temperature, "temperature of a level") for temperature in temperatures)
        return cls(Flat.restored(values, tensors, d, columns), together, warm, columns)


def parents(columns: Columns) -> list[NDArray[np.int32]]:
    """Return the place of each node's parent, level by level (nodes,); the nodes at the top have one in common."""
    return [np.zeros(len(columns.level_nodes[0]), dtype=np.int32), *columns.parent_of]


def node_scores(scores: NDArray[np.float32], columns: Columns, together: Together) -> list[NDArray[np.float32]]:
    """Put the scores (n, c) of categories below each node together, level by level from the top: (n, nodes).

    The nodes of the deepest level are the categories, in their order.
    """
    largest = scores.max(axis=1, keepdims=True)
    found = [scores if together == "sum" else np.exp(scores - largest)]
    for parent in reversed(columns.parent_of):
        found.append(summed(found[-1], parent, int(parent.max()) + 1))
    if together == "logsumexp":
        smallest = np.finfo(np.float32).tiny
        found = [np.asarray(np.log(np.maximum(powers, smallest)) + largest) for powers in found]
    return found[::-1]


def log_softmax_among(scores: NDArray[np.float32], parent: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return log-probabilities (n, nodes) that sum to 1 among the children of each parent (nodes,), numbered from 0."""
    order = np.argsort(parent, kind="stable")
    ordered, place = parent[order], np.empty_like(order)
    place[order] = np.arange(len(order))
    starts = np.searchsorted(ordered, np.arange(parent.max() + 1))
    below = scores[:, order]
    below -= np.maximum.reduceat(below, starts, axis=1)[:, ordered]
    below -= np.log(np.add.reduceat(np.exp(below), starts, axis=1))[:, ordered]
    return np.asarray(below[:, place])
