"""A change of the tree in a bundle: columns add up, are divided, or go; what is not concerned stays as it is, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import read_named_products
from shelfwise.bundle import Bundle
from shelfwise.bundle.change import Regrouping, changed, with_taxonomy
from shelfwise.bundle.learned import listed
from shelfwise.bundle.single_head import single_head
from shelfwise.catalog import Catalog
from shelfwise.classifiers.flat import Flat
from shelfwise.classifiers.levels import Levels
from shelfwise.errors import CatalogError, OptionError, TaxonomyError
from shelfwise.reshelve.tree import TreeChange, shown


@dataclass(frozen=True)
class ChangedBundle:
    """A bundle with another tree; products: how many changed their category or were forgotten; never_learned: of a split."""

    bundle: Bundle
    products: int = 0
    never_learned: int = 0


def change_bundle(bundle: Bundle, wanted: TreeChange, catalog: Catalog | None) -> ChangedBundle:
    """Carry out a change that was made for the bundle's tree; catalog: for the vectors of products that it divides.

    Raises OptionError for a bundle that must be learned anew for it.
    """
    _refuse_routed(bundle, wanted)
    columns = set(bundle.categories)
    if wanted.splits:
        return _split(bundle, wanted, catalog)
    if wanted.leaves in columns:
        return _forgotten(bundle, wanted, str(wanted.leaves), catalog)
    goes = {node: into for node, into in wanted.goes.items() if node in columns}
    if not goes:
        return ChangedBundle(with_taxonomy(bundle, wanted.taxonomy, {"what": wanted.what}))
    return _added_up(bundle, wanted, goes)


def _refuse_routed(bundle: Bundle, wanted: TreeChange) -> None:
    """Raise OptionError where heads hang on the tree, unless only names change."""
    flat = all(isinstance(member.model, Flat | Levels) for member in bundle.classifier.members)
    before = {node.id: node.parent for node in bundle.taxonomy.nodes.values()}
    if not flat and before != {node.id: node.parent for node in wanted.taxonomy.nodes.values()}:
        raise OptionError(
            "the heads of this bundle hang on its tree, of which only names can be changed: change the catalog and learn anew "
            "with  shelfwise train CATALOG --to NAME.bundle"
        )


def _added_up(bundle: Bundle, wanted: TreeChange, goes: dict[str, str]) -> ChangedBundle:
    learned = bundle.learned()
    regrouping = Regrouping.of(bundle.columns, wanted.taxonomy, goes)
    touched = np.unique(regrouping.columns.of(np.array(list(goes.values()), dtype=np.object_)))
    moved = int(np.isin(learned.column, bundle.columns.of(np.array(list(goes), dtype=np.object_))).sum())
    now = learned.regrouped(regrouping.column_of, len(regrouping.columns))
    entry = {"what": wanted.what, "products_changed": moved}
    return ChangedBundle(changed(bundle, now, regrouping, entry, goes=goes, touched=touched), moved)


def _split(bundle: Bundle, wanted: TreeChange, catalog: Catalog | None) -> ChangedBundle:
    learned = bundle.learned()
    known = learned.places(list(wanted.splits)) >= 0
    ids = np.array(list(wanted.splits), dtype=np.object_)[known]
    if not len(ids):
        raise OptionError("the bundle learned none of the products of the file: use  taxonomy add  for new shelves")
    targets = np.array([wanted.splits[product] for product in ids], dtype=np.object_)
    wide = Regrouping.of(bundle.columns, wanted.taxonomy, {}, tuple(dict.fromkeys(targets)))
    x, product = _rows(bundle, ids, catalog)
    now = learned.regrouped(wide.column_of, len(wide.columns)).moved(ids, x, wide.columns.of(targets), product)
    narrow = wide.without_empty(now.statistics.counts)
    now = now.regrouped(narrow.columns.of(np.array(wide.columns.categories, dtype=np.object_)), len(narrow.columns))
    concerned = narrow.columns.of(np.array([*wanted.split_from, *targets], dtype=np.object_))
    entry = {"what": wanted.what, "products_changed": len(ids)}
    told = changed(bundle, now, narrow, entry, touched=np.unique(concerned[concerned >= 0]))
    return ChangedBundle(told, len(ids), int((~known).sum()))


def _forgotten(bundle: Bundle, wanted: TreeChange, node: str, catalog: Catalog | None) -> ChangedBundle:
    learned = bundle.learned()
    ids = learned.product_ids[learned.column == bundle.categories.index(node)]
    if catalog is None:
        raise TaxonomyError(
            f"{shown(bundle.taxonomy, node)} holds {len(ids):,} products: say where they go with --products-to, or name the "
            "catalog with their vectors, --catalog, so that they can be forgotten"
        )
    now = learned.removed(ids, *_rows(bundle, ids, catalog))
    wide = Regrouping.of(bundle.columns, wanted.taxonomy, {})
    narrow = wide.without_empty(now.statistics.counts)
    now = now.regrouped(narrow.column_of, len(narrow.columns))
    entry = {"what": wanted.what, "products_changed": len(ids)}
    return ChangedBundle(changed(bundle, now, narrow, entry), len(ids))


def _rows(
    bundle: Bundle, ids: NDArray[np.object_], catalog: Catalog | None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read the head's rows (n, d) of products in the order of their ids, and whose each is, (n,)."""
    if catalog is None:
        raise OptionError("name the catalog that holds the products' vectors with --catalog")
    single = single_head(bundle.classifier)
    assert single is not None, "`Bundle.learned` refuses other bundles"
    data = read_named_products(catalog, bundle.layout, list(ids))
    place = {product: row for row, product in enumerate(data.product_ids)}
    missing = np.array([product for product in ids if product not in place], dtype=np.object_)
    if len(missing):
        raise CatalogError(f"{listed(missing)} not found in {catalog.path} with a usable photo")
    return single.rows(data.take(np.array([place[product] for product in ids], dtype=np.int64)))
