"""Which categories are learned, and whether a split stands by to judge by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shelfwise.catalog import Catalog
from shelfwise.columns import Columns
from shelfwise.errors import CatalogError

VALIDATION = "val"


def columns_for(categories: Iterable[str], catalog: Catalog) -> Columns:
    """Return the columns for the categories of products; raises CatalogError where they are fewer than two."""
    present = set(categories)
    ordered = tuple(node for node in catalog.taxonomy.nodes_in_order if node in present)
    if len(ordered) < 2:
        raise CatalogError(
            f"there is nothing to tell apart: the products to learn from are of {len(ordered)} categories, two are needed"
        )
    return Columns(ordered, catalog.taxonomy)


def has_validation(catalog: Catalog, splits: Sequence[str]) -> bool:
    """Tell whether there is a validation split that is not learned from."""
    present = set(catalog.products(["split"]).column("split").unique().to_pylist())
    return VALIDATION not in splits and VALIDATION in present
