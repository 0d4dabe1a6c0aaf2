"""Gather a catalog's embeddings into one feature vector a product."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.backbones.cards import BackboneSpec, parse_specs
from shelfwise.backbones.features import FeatureLayout
from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class ProductFeatures:
    """Products of some splits that have a category and a usable photo.

    product_ids, categories: (p,) text; x: (p, d) float32, the mean over a product's photos of their features;
    first_image: (p,) row in the image table; picture_product, picture: (n,) product row and number of the distinct picture
    of every photo, equal numbers for equal bytes; without_category, without_photo: products left out.
    """

    product_ids: NDArray[np.object_]
    categories: NDArray[np.object_]
    x: NDArray[np.float32]
    first_image: NDArray[np.int64]
    picture_product: NDArray[np.int64]
    picture: NDArray[np.int64]
    without_category: int
    without_photo: int

    def __len__(self) -> int:
        return len(self.product_ids)


def embedded_layout(catalog: Catalog, backbone: str | None = None) -> FeatureLayout:
    """Return the backbones that a catalog was embedded with: those named, or the set that was embedded last.

    Raises CatalogError when there are none.
    """
    known = [tuple(BackboneSpec.from_dict(spec) for spec in specs) for specs in catalog.description.embedded]
    if not known:
        raise CatalogError(
            f"{catalog.path} has no embeddings yet: type  shelfwise embed {shlex.quote(str(catalog.path))}"
        )
    if backbone is None:
        return FeatureLayout(known[-1])
    asked = [(s.card.name, s.side_px, s.stages) for s in parse_specs(backbone)]
    for specs in reversed(known):
        if [(s.card.name, s.side_px, s.stages) for s in specs] == asked:
            return FeatureLayout(specs)
    named = shlex.quote(str(catalog.path))
    raise CatalogError(
        f"{catalog.path} is not embedded with {backbone}: type  shelfwise embed {named} --backbone {backbone}"
    )


def read_products(catalog: Catalog, layout: FeatureLayout, splits: Sequence[str]) -> ProductFeatures:
    """Read the features of the products of some splits, in catalog order.

    Raises CatalogError for a split that the catalog does not have, for photos that were not embedded, and for vectors that
    are not what was written.
    """
    for spec in layout.specs:
        catalog.refuse_rotten_embeddings(spec.key)
    products = catalog.products(["product_id", "category", "split"])
    in_splits = products.filter(pc.is_in(products.column("split"), pa.array(_known(products, splits))))
    filed = in_splits.filter(pc.is_valid(in_splits.column("category")))
    images = _images_of(catalog, filed)
    product_of = images.column("product").to_numpy()
    used, product_of = np.unique(product_of, return_inverse=True)
    x = _mean_features(catalog, layout, images.column("sha256"), product_of, len(used))
    picture = images.column("sha256").combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.full(len(used), -1, dtype=np.int64)
    rows = images.column("row").to_numpy()
    first[product_of[::-1]] = rows[::-1]
    return ProductFeatures(
        filed.column("product_id").to_numpy()[used], filed.column("category").to_numpy()[used], x, first,
        product_of, picture.astype(np.int64), len(in_splits) - len(filed), len(filed) - len(used),
    )  # fmt: skip


def _known(products: pa.Table, splits: Sequence[str]) -> list[str]:
    present = set(products.column("split").unique().to_pylist()) - {None}
    missing = [split for split in splits if split not in present]
    if missing:
        there = (
            f"it has: {', '.join(sorted(present))}" if present else "none of its products has one: see  shelfwise split"
        )
        raise CatalogError(f"the catalog has no split {', '.join(missing)}; {there}")
    return list(splits)


def _images_of(catalog: Catalog, products: pa.Table) -> pa.Table:
    """Return image_id, sha256, row and product (row in `products`) of the usable photos of products, in row order."""
    images = catalog.images(["image_id", "product_id", "sha256", "status"])
    images = images.append_column("row", pa.array(np.arange(len(images))))
    place = pc.index_in(images.column("product_id"), products.column("product_id").combine_chunks())
    images = images.append_column("product", place)
    return images.filter(pc.and_(pc.is_valid(place), pc.equal(images.column("status"), "ok")))


def _mean_features(
    catalog: Catalog, layout: FeatureLayout, pictures: pa.ChunkedArray, product_of: NDArray[Any], products: int
) -> NDArray[np.float32]:
    rows = [_embedding_rows(catalog, layout, spec.key, pictures) for spec in layout.specs]
    x = np.zeros((products, layout.dimension), dtype=np.float32)
    for start in range(0, len(product_of), _BLOCK):
        block = slice(start, start + _BLOCK)
        raw = [catalog.embedding_rows(spec.key, r[block]) for spec, r in zip(layout.specs, rows, strict=True)]
        np.add.at(x, product_of[block], layout.features(raw))
    return x / np.bincount(product_of, minlength=products).astype(np.float32)[:, None]


def _embedding_rows(catalog: Catalog, layout: FeatureLayout, key: str, pictures: pa.ChunkedArray) -> NDArray[np.int64]:
    place = pc.index_in(pictures, catalog.embedded_pictures(key).combine_chunks())
    if place.null_count:
        wanted = "+".join(str(spec) for spec in layout.specs)
        raise CatalogError(
            f"{place.null_count} of {len(place)} photos have no embedding {key}: "
            f"type  shelfwise embed {shlex.quote(str(catalog.path))} --backbone {wanted} --precision {layout.specs[0].precision}"
        )
    return np.asarray(place.to_numpy(), dtype=np.int64)
