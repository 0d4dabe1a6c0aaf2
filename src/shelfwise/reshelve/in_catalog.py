"""A change of the tree in a catalog: one version of it, every product that moves a line of the log."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from shelfwise.catalog import Catalog, changing
from shelfwise.corrections.decide import Correction, Decisions
from shelfwise.corrections.log import last_number
from shelfwise.corrections.make import person, write_decisions
from shelfwise.errors import CatalogBusyError, TaxonomyError
from shelfwise.reshelve.tree import TreeChange, shown


def change_catalog(opened: Catalog, wanted: TreeChange) -> tuple[int, int]:
    """Carry out a change that was made for the tree of an opened catalog; return how many products moved, and its version.

    Raises TaxonomyError where a category is to go that holds products, CatalogBusyError where the catalog is another one by
    now.
    """
    who = person(None)
    with changing(opened.path, f"{wanted.what} by {who}") as change:
        catalog = change.catalog or opened
        if catalog.description.snapshot.version != opened.description.snapshot.version:
            raise CatalogBusyError(f"{opened.path} was changed meanwhile by another command: type this one again")
        if wanted.leaves is not None and (left := products_on(catalog, {wanted.leaves})):
            raise TaxonomyError(
                f"{shown(catalog.taxonomy, wanted.leaves)} holds {len(left[wanted.leaves]):,} products: say where they go "
                "with --products-to"
            )
        corrections = [
            Correction(action="move", product_id=product, was=node, category=wanted.goes[node])
            for node, products in products_on(catalog, wanted.goes).items()
            for product in products
        ]
        was = {
            product: node for node, products in products_on(catalog, wanted.split_from).items() for product in products
        }
        corrections += [
            Correction(action="move", product_id=product, was=was.get(product), category=category)
            for product, category in wanted.splits.items()
        ]
        change.replace_taxonomy(wanted.taxonomy)
        decisions = Decisions.about(catalog, corrections)
        decisions.taxonomy = wanted.taxonomy
        for correction in corrections:
            if why := decisions.refuses(correction):
                raise TaxonomyError(f"the product {correction.product_id!r} cannot move: {why}")
        if decisions.lines:
            write_decisions(change, decisions, last_number(catalog), who, wanted.what)
    return len(corrections), Catalog(opened.path).description.snapshot.version


def products_on(catalog: Catalog, nodes: Collection[str]) -> dict[str, list[str]]:
    """Return the ids of the products on each of some categories that hold any."""
    found: dict[str, list[str]] = {}
    wanted = pa.array(list(nodes), pa.string())
    for batch in catalog.batches("products", ["product_id", "category"]) if nodes else ():
        for row in batch.filter(pc.is_in(batch.column("category"), wanted)).to_pylist():
            found.setdefault(row["category"], []).append(row["product_id"])
    return found
