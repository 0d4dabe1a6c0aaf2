"""Changes of a category tree, and where the products of categories stand afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shelfwise.errors import TaxonomyError
from shelfwise.taxonomy import Node, Taxonomy


@dataclass(frozen=True)
class TreeChange:
    """A tree as it will be.

    what: in words; goes: categories all of whose products stand on another one then; splits: for single products of the
    category split_from (one or none), where they stand then; leaves: a category whose products must have gone before.
    """

    what: str
    taxonomy: Taxonomy
    goes: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    split_from: tuple[str, ...] = ()
    leaves: str | None = None


def renamed(tree: Taxonomy, node: str, name: str) -> TreeChange:
    """Give a category another name; its id stays."""
    name = _name(name)
    nodes = tree.nodes | {node: replace(tree.nodes[node], name=name)}
    return TreeChange(f"taxonomy rename {shown(tree, node)} to {name}", grown(nodes.values(), tree.level_names))


def moved(tree: Taxonomy, node: str, parent: str | None) -> TreeChange:
    """Put a category, with all below it, under another one, or at the top for None."""
    if parent is not None and node in tree.path(parent):
        raise TaxonomyError(f"{shown(tree, node)} cannot stand below itself, under {shown(tree, parent)}")
    nodes = tree.nodes | {node: replace(tree.nodes[node], parent=parent)}
    under = "the top" if parent is None else shown(tree, parent)
    return TreeChange(f"taxonomy move {shown(tree, node)} to {under}", grown(nodes.values(), tree.level_names))


def merged(tree: Taxonomy, node: str, into: str) -> TreeChange:
    """Let the products of a category, and the categories below it, be those of another one."""
    if node == into:
        raise TaxonomyError(f"{shown(tree, node)} is to be merged into itself")
    if node in tree.path(into):
        raise TaxonomyError(f"{shown(tree, into)} stands below {shown(tree, node)}: move it elsewhere first")
    below = {child: replace(tree.nodes[child], parent=into) for child in tree.children(node)}
    nodes = {one: below.get(one, tree.nodes[one]) for one in tree.nodes if one != node}
    what = f"taxonomy merge {shown(tree, node)} into {shown(tree, into)}"
    return TreeChange(what, grown(nodes.values(), tree.level_names), {node: into})


def added(tree: Taxonomy, name: str, parent: str | None, node: str | None = None) -> TreeChange:
    """Add an empty category; without an id it gets the parent's, a stroke and its name."""
    name = _name(name)
    if node is not None and (node in tree.nodes or not node.strip()):
        raise TaxonomyError(f"the id {node!r} is taken by {shown(tree, node)}" if node.strip() else "the id is empty")
    new = Node(node or _free_id(tree, name, parent), name, parent)
    nodes = [*tree.nodes.values(), new]
    return TreeChange(f"taxonomy add {name}", grown(nodes, tree.level_names))


def removed(tree: Taxonomy, node: str, products_to: str | None = None) -> TreeChange:
    """Remove a category without others below it; its products go to another one, or must be gone."""
    if tree.children(node):
        count = len(tree.children(node))
        raise TaxonomyError(f"{shown(tree, node)} has others below it, {count}: move, merge or remove them first")
    if products_to == node:
        raise TaxonomyError(f"the products of {shown(tree, node)} cannot stay on it")
    nodes = [tree.nodes[one] for one in tree.nodes if one != node]
    goes = {} if products_to is None else {node: products_to}
    what = f"taxonomy remove {shown(tree, node)}"
    return TreeChange(what, grown(nodes, tree.level_names), goes, leaves=None if goes else node)


def split(tree: Taxonomy, node: str, shelves: Mapping[str, str], rest: int) -> TreeChange:
    """Put products of a category on others; those that are not there yet are made beside it.

    shelves: the new category of products by id, or its name; rest: products that stay. Where none do, and nothing stands
    below it, the category goes.
    """
    nodes = dict(tree.nodes)
    parent = tree.nodes[node].parent
    target: dict[str, str] = {}
    for text in dict.fromkeys(shelves.values()):
        if text in tree.nodes:
            target[text] = text
            continue
        grown_so_far = Taxonomy(nodes.values())
        new = _free_id(grown_so_far, _name(text), parent)
        nodes[new] = Node(new, _name(text), parent)
        target[text] = new
    if rest == 0 and not tree.children(node) and node not in target.values():
        del nodes[node]
    what = f"taxonomy split {shown(tree, node)}"
    splits = {product: target[text] for product, text in shelves.items() if target[text] != node}
    return TreeChange(what, grown(nodes.values(), tree.level_names), splits=splits, split_from=(node,))


def grown(nodes: Iterable[Node], level_names: Sequence[str]) -> Taxonomy:
    """Build a tree whose levels are called as before: names of levels that are no more go, new ones are level4, level5, ..."""
    all_nodes = list(nodes)
    depth = Taxonomy(all_nodes).depth
    names = [*level_names[:depth], *(f"level{number + 1}" for number in range(len(level_names), depth))]
    return Taxonomy(all_nodes, names)


def shown(tree: Taxonomy, node: str) -> str:
    """Return the names from the top down to a category."""
    return " > ".join(tree.names(node))


def _name(name: str) -> str:
    if not name.strip() or ">" in name:
        raise TaxonomyError(f"{name!r} cannot be the name of a category: give one name, without >")
    return name.strip()


def _free_id(tree: Taxonomy, name: str, parent: str | None) -> str:
    """Return the id of a new category: the same in every copy of a tree."""
    wanted = name if parent is None else f"{parent}/{name}"
    number, found = 1, wanted
    while found in tree.nodes:
        number += 1
        found = f"{wanted}-{number}"
    return found
