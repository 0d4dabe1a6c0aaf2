"""The taxonomy verb: one change of the tree of a catalog or a bundle, the same in both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.corrections.shelf_names import ShelfNames
from shelfwise.errors import OptionError, SourceError, TaxonomyError
from shelfwise.progress import SILENT, Progress
from shelfwise.reshelve import tree
from shelfwise.reshelve.in_bundle import change_bundle
from shelfwise.reshelve.in_catalog import change_catalog, products_on
from shelfwise.reshelve.new_shelves import read_new_shelves
from shelfwise.reshelve.tree import TreeChange
from shelfwise.taxonomy import Taxonomy


@dataclass(slots=True)
class ReshelveSummary:
    """What changed.

    kind: `catalog` or `bundle`; what: in words; products: how many changed their category, or were forgotten; categories:
    nodes of the tree afterwards; new, gone: ids of nodes; version: of the catalog, bundle_id: of the bundle; never_learned:
    products of a split that the bundle does not know.
    """

    target: str
    kind: str
    what: str
    products: int = 0
    categories: int = 0
    levels: tuple[str, ...] = ()
    new: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    version: int = 0
    bundle_id: str = ""
    never_learned: int = 0
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return asdict(self)


def rename(target: Path | str, node: str, name: str, *, progress: Progress = SILENT) -> ReshelveSummary:
    """Give a category another name; its id stays. A node is an id, or names from the top down: `Fruit > Apple`."""
    return _change(target, lambda t: tree.renamed(t.taxonomy, t.find(node), name), progress)


def move(target: Path | str, node: str, parent: str | None, *, progress: Progress = SILENT) -> ReshelveSummary:
    """Put a category, with all below it, under another one, or at the top for None."""
    return _change(
        target, lambda t: tree.moved(t.taxonomy, t.find(node), None if parent is None else t.find(parent)), progress
    )


def merge(target: Path | str, node: str, into: str, *, progress: Progress = SILENT) -> ReshelveSummary:
    """Let the products of a category, and what is below it, be those of another one; the category goes."""
    return _change(target, lambda t: tree.merged(t.taxonomy, t.find(node), t.find(into)), progress)


def split(
    target: Path | str,
    node: str,
    products: Path | str,
    catalog: Path | str | None = None,
    *,
    progress: Progress = SILENT,
) -> ReshelveSummary:
    """Put products of a category on other shelves, new ones or old: `products` is a CSV file with product_id and category.

    A category there is an id, names from the top down, or the name of a new shelf, which is made beside the one that is
    split. For a bundle, `catalog` holds the products' vectors; no other column of it changes.
    """

    def chosen(t: _Target) -> TreeChange:
        found = t.find(node)
        shelves = read_new_shelves(Path(products), t.taxonomy, found)
        on_shelf = t.products_on(found)
        t.refuse_others(found, shelves, on_shelf)
        return tree.split(t.taxonomy, found, shelves, len(on_shelf - set(shelves)))

    return _change(target, chosen, progress, catalog)


def add(
    target: Path | str, name: str, parent: str | None = None, node: str | None = None, *, progress: Progress = SILENT
) -> ReshelveSummary:
    """Add an empty category under another one or at the top; `node` is its id, default the parent's, a stroke, the name."""
    return _change(
        target, lambda t: tree.added(t.taxonomy, name, None if parent is None else t.find(parent), node), progress
    )


def remove(
    target: Path | str,
    node: str,
    products_to: str | None = None,
    catalog: Path | str | None = None,
    *,
    progress: Progress = SILENT,
) -> ReshelveSummary:
    """Remove a category without others below it.

    One that holds products goes when they go elsewhere, to `products_to`; a bundle can also forget them, if `catalog` holds
    their vectors.
    """
    return _change(
        target,
        lambda t: tree.removed(t.taxonomy, t.find(node), None if products_to is None else t.find(products_to)),
        progress,
        catalog,
    )


class _Target:
    """A catalog or a bundle, asked for its tree and its products."""

    def __init__(self, opened: Catalog | Bundle) -> None:
        self.opened, self.taxonomy = opened, opened.taxonomy
        self.names = ShelfNames(opened.taxonomy)

    def find(self, text: str) -> str:
        """Return the category that is meant; raises TaxonomyError."""
        try:
            return self.names.find(text, "NODE")
        except SourceError as error:
            raise TaxonomyError(
                str(error).removeprefix("column NODE: ").replace("the catalog has", "there is")
            ) from None

    def products_on(self, node: str) -> set[str]:
        """Return the products of a category itself."""
        if isinstance(self.opened, Catalog):
            return set(products_on(self.opened, {node}).get(node, ()))
        if node not in self.opened.categories:
            return set()
        learned = self.opened.learned()
        return set(learned.product_ids[learned.column == self.opened.categories.index(node)])

    def refuse_others(self, node: str, shelves: dict[str, str], on_shelf: set[str]) -> None:
        """Raise OptionError for products that stand elsewhere; a bundle need not know all that are named."""
        elsewhere = sorted(set(shelves) - on_shelf)
        if isinstance(self.opened, Bundle) and elsewhere:
            known = self.opened.learned().places(elsewhere) >= 0
            elsewhere = [product for product, is_known in zip(elsewhere, known, strict=True) if is_known]
        if elsewhere:
            raise OptionError(
                f"the file names products that do not stand on {tree.shown(self.taxonomy, node)}, {len(elsewhere):,} in all, "
                f"e.g. {elsewhere[0]!r}: take these lines out"
            )


def _change(
    target: Path | str,
    change: Callable[[_Target], TreeChange],
    progress: Progress,
    catalog: Path | str | None = None,
) -> ReshelveSummary:
    path = Path(target)
    is_bundle = path.suffix == ".zip" or (path / "bundle.json").exists()
    with progress.task("taxonomy", 2) as advance:
        opened = Bundle.load(path) if is_bundle else Catalog(path)
        asked = _Target(opened)
        wanted = change(asked)
        advance(1)
        summary = ReshelveSummary(str(path), "bundle" if is_bundle else "catalog", wanted.what)
        _count(summary, opened.taxonomy, wanted.taxonomy)
        if isinstance(opened, Bundle):
            changed = change_bundle(opened, wanted, Catalog(catalog) if catalog is not None else None)
            summary.products, summary.never_learned = changed.products, changed.never_learned
            summary.notes = [n for n in changed.bundle.facts.get("notes", []) if n not in opened.facts.get("notes", [])]
            summary.bundle_id = changed.bundle.save(path, opened.id)
        else:
            summary.products, summary.version = change_catalog(opened, wanted)
        advance(1)
    return summary


def _count(summary: ReshelveSummary, before: Taxonomy, after: Taxonomy) -> None:
    summary.categories, summary.levels = len(after.nodes), after.level_names
    summary.new = [node for node in after.nodes if node not in before.nodes]
    summary.gone = [node for node in before.nodes if node not in after.nodes]
