"""What the columns of a classifier mean: categories in a fixed order, and their tree as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.errors import LabelMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shelfwise.taxonomy import Taxonomy


@dataclass(frozen=True)
class Columns:
    """Category ids in the order of c columns, in a tree.

    A level holds the ancestors of the columns at that depth, 0 is the top; a category above a level stands for itself there.
    """

    categories: tuple[str, ...]
    taxonomy: Taxonomy

    def __len__(self) -> int:
        return len(self.categories)

    def take(self, columns: NDArray[np.integer]) -> Columns:
        """Return some columns in the same tree, in the order of their numbers."""
        return Columns(tuple(self.categories[column] for column in columns), self.taxonomy)

    def of(self, categories: NDArray[np.object_]) -> NDArray[np.int32]:
        """Return the column of each category id, -1 for one that has none."""
        column_of = {category: column for column, category in enumerate(self.categories)}
        return np.array([column_of.get(category, -1) for category in categories], dtype=np.int32)

    def refuse_renamed(self, present: Iterable[str], theirs: Taxonomy, ours_of: str, theirs_of: str) -> None:
        """Raise LabelMismatchError where categories among these columns are called otherwise in another tree.

        ours_of, theirs_of: whose trees they are, for the message.
        """
        known, ours = set(self.categories), self.taxonomy
        renamed = [c for c in present if c in known and ours.names(c) != theirs.names(c)]
        if renamed:
            pairs = "; ".join(f"{c}: {' > '.join(ours.names(c))} / {' > '.join(theirs.names(c))}" for c in renamed[:5])
            raise LabelMismatchError(
                f"{len(renamed)} category ids have other names in {theirs_of} than in {ours_of}: {pairs}"
            )

    @cached_property
    def level_nodes(self) -> tuple[tuple[str, ...], ...]:
        """The ids of the nodes of each level, in the order of their places."""
        return tuple(nodes for nodes, _ in self._levels)

    @cached_property
    def level_of(self) -> NDArray[np.int32]:
        """The place (levels, c) of each column's ancestor among the nodes of each level."""
        return np.array([place for _, place in self._levels], dtype=np.int32).reshape(len(self._levels), len(self))

    @cached_property
    def parent_of(self) -> tuple[NDArray[np.int32], ...]:
        """For the nodes of each level but the top: the place of the parent at the level above, (nodes,)."""
        parents = []
        for above, below, nodes in zip(self.level_of, self.level_of[1:], self.level_nodes[1:], strict=False):
            parent = np.empty(len(nodes), dtype=np.int32)
            parent[below] = above
            parents.append(parent)
        return tuple(parents)

    @cached_property
    def node_depth(self) -> tuple[NDArray[np.int32], ...]:
        """For the nodes of each level: how many nodes the way from the top to it has, itself included, (nodes,)."""
        path = self.taxonomy.path
        return tuple(np.array([len(path(node)) for node in nodes], dtype=np.int32) for nodes in self.level_nodes)

    def summed(self, probabilities: NDArray[np.floating], level: int) -> NDArray[np.float32]:
        """Sum probabilities (n, c) over the columns below each node of a level: (n, nodes)."""
        return summed(probabilities, self.level_of[level], len(self.level_nodes[level]))

    @cached_property
    def _levels(self) -> list[tuple[tuple[str, ...], NDArray[np.int32]]]:
        return [self.taxonomy.level(self.categories, level) for level in range(self.taxonomy.depth)]


def summed(values: NDArray[np.floating], group_of: NDArray[np.integer], groups: int) -> NDArray[np.float32]:
    """Sum columns that share a group, (n, c) to (n, groups), in float64; group_of: (c,), every group has a column."""
    order = np.argsort(group_of, kind="stable")
    if groups == len(group_of):
        return np.asarray(values[:, order], dtype=np.float32)
    starts = np.searchsorted(group_of[order], np.arange(groups))
    return np.asarray(np.add.reduceat(values[:, order], starts, axis=1, dtype=np.float64), dtype=np.float32)
