"""Photos of products that have several attributes each, instead of one category."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.backbones.products import known_splits
from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError
from shelfwise.train.network.inputs.photos import Photos, photos_of


def attribute_names(catalog: Catalog, splits: Sequence[str]) -> tuple[str, ...]:
    """Return the attributes of the products of some splits, sorted; raises CatalogError where there are none."""
    values = pc.list_flatten(_products(catalog, splits).column("attributes")).unique()
    names = tuple(sorted(name for name in values.to_pylist() if name is not None))
    if not names:
        raise CatalogError(
            "the products to learn from have no attributes: give their column to  shelfwise ingest table --attributes"
        )
    return names


def read_labeled_photos(catalog: Catalog, splits: Sequence[str], names: Sequence[str]) -> Photos:
    """Read the photos of products whose attributes are known; `column` (p, l) says who has which.

    A product whose list is empty has none of them; one without a list is left out. Raises CatalogError for a split that is not
    there.
    """
    products = _products(catalog, splits)
    return photos_of(catalog, products, _labels(products, names))


def _products(catalog: Catalog, splits: Sequence[str]) -> pa.Table:
    products = catalog.products(["product_id", "attributes", "split"])
    asked = pa.array(known_splits(products, splits))
    chosen = pc.and_(pc.is_in(products.column("split"), asked), pc.is_valid(products.column("attributes")))
    return products.filter(chosen)


def _labels(products: pa.Table, names: Sequence[str]) -> NDArray[np.bool_]:
    attributes = products.column("attributes").combine_chunks()
    column = pc.index_in(pc.list_flatten(attributes), pa.array(names, pa.string()))
    row = pc.list_parent_indices(attributes).to_numpy()
    known = column.is_valid().to_numpy(zero_copy_only=False)
    labels = np.zeros((len(products), len(names)), np.bool_)
    labels[row[known], column.drop_null().to_numpy()] = True
    return labels
