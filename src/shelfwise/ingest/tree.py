"""A taxonomy out of folder paths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from shelfwise.taxonomy import Node, Taxonomy


def taxonomy_of_paths(paths: Iterable[str], level_names: Sequence[str] = ()) -> Taxonomy:
    """Build the tree whose nodes are the folders on the given paths (`Fruit/Apple`); a node's id is its path.

    So the same name under two parents makes two categories.
    """
    nodes: dict[str, Node] = {}
    for path in sorted(set(paths)):
        folder = PurePosixPath(path)
        for above in (*reversed(folder.parents), folder):
            if above.parts:
                parent = str(above.parent) if len(above.parts) > 1 else None
                nodes.setdefault(str(above), Node(str(above), above.name, parent))
    return Taxonomy(nodes.values(), level_names)
