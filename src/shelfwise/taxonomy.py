"""The category tree: nodes with ids, names that may repeat under different parents, any depth."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import TaxonomyError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Node:
    """One category: its id counts, its name is for people."""

    id: str
    name: str
    parent: str | None


class Taxonomy:
    """A forest of categories.

    nodes: any order; level_names: from the top, `level1`, `level2`, ... where none are given.
    Raises TaxonomyError for an id that occurs twice, a parent that is missing, a cycle, or two siblings whose names are the
    same to a reader (case, Unicode form and outer blanks aside).
    """

    def __init__(self, nodes: Iterable[Node], level_names: Sequence[str] = ()) -> None:
        self.nodes: dict[str, Node] = {}
        for node in nodes:
            if node.id in self.nodes:
                raise TaxonomyError(f"category id {node.id!r} occurs twice")
            self.nodes[node.id] = node
        self._children: dict[str | None, list[str]] = {}
        for node in self.nodes.values():
            if node.parent is not None and node.parent not in self.nodes:
                raise TaxonomyError(f"category {node.id!r} has the parent {node.parent!r}, which does not exist")
            self._children.setdefault(node.parent, []).append(node.id)
        self._paths: dict[str, tuple[str, ...]] = {}
        pending: list[tuple[str, tuple[str, ...]]] = [(root, ()) for root in reversed(self.children(None))]
        while pending:
            node_id, above = pending.pop()
            self._paths[node_id] = (*above, node_id)
            pending += [(child, self._paths[node_id]) for child in reversed(self.children(node_id))]
        if len(self._paths) != len(self.nodes):
            cycle = next(node_id for node_id in self.nodes if node_id not in self._paths)
            raise TaxonomyError(f"category {cycle!r} is its own ancestor")
        self._refuse_twins()
        self.depth = max((len(path) for path in self._paths.values()), default=0)
        if level_names and len(level_names) != self.depth:
            raise TaxonomyError(f"{len(level_names)} level names for a tree of {self.depth} levels")
        self.level_names = tuple(level_names) or tuple(f"level{i + 1}" for i in range(self.depth))

    def _refuse_twins(self) -> None:
        for parent, children in self._children.items():
            seen: dict[str, str] = {}
            for child in children:
                name = self.nodes[child].name
                key = unicodedata.normalize("NFKC", name).strip().casefold()
                if key in seen:
                    where = "at the top" if parent is None else f"under {parent!r}"
                    raise TaxonomyError(
                        f"two categories {where} have the same name to a reader: {seen[key]!r} and {name!r}"
                    )
                seen[key] = name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Taxonomy):
            return NotImplemented
        return self.nodes == other.nodes and self.level_names == other.level_names

    def __hash__(self) -> int:
        return hash((frozenset(self.nodes.values()), self.level_names))

    def children(self, node_id: str | None) -> list[str]:
        """Return the ids below a node, or the top nodes for None."""
        return self._children.get(node_id, [])

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """Ids of the categories without children, in tree order."""
        return tuple(node_id for node_id in self._paths if node_id not in self._children)

    @property
    def nodes_in_order(self) -> Iterator[str]:
        """Ids of all categories in tree order, a parent before its children."""
        return iter(self._paths)

    def path(self, node_id: str) -> tuple[str, ...]:
        """Return the ids from the top down to a node."""
        try:
            return self._paths[node_id]
        except KeyError:
            raise TaxonomyError(f"the taxonomy holds no category {node_id!r}") from None

    def names(self, node_id: str) -> tuple[str, ...]:
        """Return the names from the top down to a node."""
        return tuple(self.nodes[above].name for above in self.path(node_id))

    def ancestor(self, node_id: str, level: int) -> str:
        """Return the node at a level (0 is the top) on the way to `node_id`; a node above that level stands for itself."""
        path = self.path(node_id)
        return path[min(level, len(path) - 1)]

    def level(self, node_ids: Sequence[str], level: int) -> tuple[tuple[str, ...], NDArray[np.int32]]:
        """Group nodes by their ancestor at a level: the distinct ancestors, and for each node the place of its own."""
        places: dict[str, int] = {}
        columns = [places.setdefault(self.ancestor(node_id, level), len(places)) for node_id in node_ids]
        return tuple(places), np.array(columns, dtype=np.int32)

    def table(self) -> pa.Table:
        """Return the nodes in tree order as an Arrow table with the columns id, name, parent."""
        import pyarrow as pa

        ordered = [self.nodes[node_id] for node_id in self._paths]
        columns = {
            "id": [n.id for n in ordered],
            "name": [n.name for n in ordered],
            "parent": [n.parent for n in ordered],
        }
        return pa.table(columns, schema=pa.schema([(name, pa.string()) for name in columns]))

    def merged(self, other: Taxonomy) -> Taxonomy:
        """Return the tree of both; where they define the same id, `other` counts."""
        names = next((tree.level_names for tree in (other, self) if tree.nodes), ())
        both = list((self.nodes | other.nodes).values())
        deep = max((tree for tree in (self, other)), key=lambda tree: tree.depth)
        return Taxonomy(both, names if len(names) == deep.depth else deep.level_names)

    @classmethod
    def from_table(cls, table: pa.Table, level_names: Sequence[str] = ()) -> Taxonomy:
        """Build the tree from a table with the columns id, name, parent."""
        return cls([Node(row["id"], row["name"], row["parent"]) for row in table.to_pylist()], level_names)
