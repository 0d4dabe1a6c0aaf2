"""A taxonomy out of folder paths, or out of the names on the way down to each category."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from shelfwise.errors import TaxonomyError
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


def taxonomy_of_names(categories: Iterable[tuple[str, ...]], level_names: Sequence[str] = ()) -> Taxonomy:
    """Build the tree of categories that are told by names from the top down; `level_names` may be more than there are.

    So the same name under two parents makes two categories, and a category may have others below it.
    """
    nodes: dict[str, Node] = {}
    distinct = sorted(set(categories))
    for names in distinct:
        parent = None
        for depth, name in enumerate(names, 1):
            node = Node(category_id(names[:depth]), name, parent)
            parent = nodes.setdefault(node.id, node).id
    return Taxonomy(nodes.values(), level_names[: max(map(len, distinct), default=0)])


def joined(before: Taxonomy, after: Taxonomy, *, may_rename: bool) -> Taxonomy:
    """Join the tree of a catalog with that of a source; with `may_rename` categories of the same id take the source's name.

    Raises TaxonomyError where they may not, and where two categories have the same name to a reader.
    """
    for node_id in sorted(before.nodes.keys() & after.nodes.keys()):
        names = before.names(node_id), after.names(node_id)
        if names[0] != names[1] and not may_rename:
            there, here = (" > ".join(path) for path in names)
            raise TaxonomyError(f"the category {node_id!r} is {there!r} in the catalog and {here!r} in the source")
    return before.merged(after)


def category_id(names: Sequence[str]) -> str:
    r"""Join names from the top down with `/`; a `/` or `\` inside a name is written `\/` or `\\`, so ids never meet."""
    return "/".join(name.replace("\\", "\\\\").replace("/", "\\/") for name in names)
