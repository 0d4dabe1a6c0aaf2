"""Gather the feature vectors of the photos of a catalog's products."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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


@dataclass(frozen=True)
class ProductFeatures:
    """Products of some splits that have a category and a usable photo.

    product_ids, categories: (p,) text; photos: (n, d) float32 features, a product's photos one after another in their
    order; product: (n,) whose photo, ascending; picture: (n,) number of the distinct picture, equal numbers for equal
    bytes; first_image: (p,) row in the image table; without_category, without_photo: products left out.
    """

    product_ids: NDArray[np.object_]
    categories: NDArray[np.object_]
    photos: NDArray[np.float32]
    product: NDArray[np.int64]
    picture: NDArray[np.int64]
    first_image: NDArray[np.int64]
    without_category: int
    without_photo: int

    def __len__(self) -> int:
        return len(self.product_ids)

    @cached_property
    def x(self) -> NDArray[np.float32]:
        """The mean over a product's photos of their features, (p, d)."""
        if len(self.photos) == len(self):
            return self.photos
        count = np.bincount(self.product).astype(np.float32)
        return np.asarray(np.add.reduceat(self.photos, self.photo_start) / count[:, None])

    @cached_property
    def photo_start(self) -> NDArray[np.int64]:
        """Where the photos of each product begin, (p,)."""
        return np.searchsorted(self.product, np.arange(len(self)))

    def photos_of(self, rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the photos of some products, product by product, and for each the place of its product in `rows`."""
        past = np.append(self.photo_start, len(self.product))
        count = past[rows + 1] - past[rows]
        place = np.repeat(np.arange(len(rows)), count)
        return past[rows][place] + np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count), place

    def take(self, rows: NDArray[np.integer[Any]]) -> ProductFeatures:
        """Return some of the products, in that order."""
        photos, place = self.photos_of(rows)
        return replace(
            self, product_ids=self.product_ids[rows], categories=self.categories[rows], photos=self.photos[photos],
            product=place, picture=self.picture[photos], first_image=self.first_image[rows],
        )  # fmt: skip

    def blocks(self, products: int) -> Iterator[NDArray[np.int64]]:
        """Yield the rows of products in blocks of so many, in order."""
        for start in range(0, len(self), products):
            yield np.arange(start, min(start + products, len(self)))


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
    asked = [(s.card.sha256, s.side_px, s.stages) for s in parse_specs(backbone)]
    for specs in reversed(known):
        if [(s.card.sha256, s.side_px, s.stages) for s in specs] == asked:
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
    filed, without_category = filed_products(catalog, splits)
    return _features_of(catalog, layout, filed, without_category)


def filed_products(catalog: Catalog, splits: Sequence[str]) -> tuple[pa.Table, int]:
    """Read the products of some splits that have a category, and count those without; raises CatalogError for other splits."""
    products = catalog.products(["product_id", "category", "split"])
    in_splits = products.filter(pc.is_in(products.column("split"), pa.array(known_splits(products, splits))))
    filed = in_splits.filter(pc.is_valid(in_splits.column("category")))
    return filed, len(in_splits) - len(filed)


def read_named_products(catalog: Catalog, layout: FeatureLayout, product_ids: Sequence[str]) -> ProductFeatures:
    """Read the features of products by id, in catalog order, whatever their split; one without a category has None.

    Those that the catalog does not have, or that have no usable photo, are not among them. Raises CatalogError as
    `read_products` does.
    """
    products = catalog.products(["product_id", "category"])
    named = products.filter(pc.is_in(products.column("product_id"), pa.array(product_ids, pa.string())))
    return _features_of(catalog, layout, named, 0)


def _features_of(catalog: Catalog, layout: FeatureLayout, filed: pa.Table, without_category: int) -> ProductFeatures:
    for spec in layout.specs:
        catalog.refuse_rotten_embeddings(spec.key)
    images = usable_images(catalog, filed)
    used, first, product_of = np.unique(images.column("product").to_numpy(), return_index=True, return_inverse=True)
    picture = images.column("sha256").combine_chunks().dictionary_encode().indices.to_numpy()
    return ProductFeatures(
        filed.column("product_id").to_numpy()[used], filed.column("category").to_numpy()[used],
        _photo_features(catalog, layout, images.column("sha256")), product_of, picture.astype(np.int64),
        images.column("row").to_numpy()[first], without_category, len(filed) - len(used),
    )  # fmt: skip


def known_splits(products: pa.Table, splits: Sequence[str]) -> list[str]:
    """Return the splits asked for; raises CatalogError for one that no product is in."""
    present = set(products.column("split").unique().to_pylist()) - {None}
    missing = [split for split in splits if split not in present]
    if missing:
        there = (
            f"it has: {', '.join(sorted(present))}" if present else "none of its products has one: see  shelfwise split"
        )
        raise CatalogError(f"the catalog has no split {', '.join(missing)}; {there}")
    return list(splits)


def usable_images(catalog: Catalog, products: pa.Table) -> pa.Table:
    """Return sha256, row and product (row in `products`) of the usable photos of products, product by product."""
    images = catalog.images(["product_id", "position", "sha256", "status"])
    images = images.append_column("row", pa.array(np.arange(len(images))))
    place = pc.index_in(images.column("product_id"), products.column("product_id").combine_chunks())
    images = images.append_column("product", place)
    usable = images.filter(pc.and_(pc.is_valid(place), pc.equal(images.column("status"), "ok")))
    return usable.sort_by([("product", "ascending"), ("position", "ascending"), ("row", "ascending")])


def _photo_features(catalog: Catalog, layout: FeatureLayout, pictures: pa.ChunkedArray) -> NDArray[np.float32]:
    rows = [_embedding_rows(catalog, layout, spec.key, pictures) for spec in layout.specs]
    x = np.empty((len(pictures), layout.dimension), dtype=np.float32)
    for start in range(0, len(x), _BLOCK):
        block = slice(start, start + _BLOCK)
        raw = [catalog.embedding_rows(spec.key, r[block]) for spec, r in zip(layout.specs, rows, strict=True)]
        x[block] = layout.features(raw)
    return x


def _embedding_rows(catalog: Catalog, layout: FeatureLayout, key: str, pictures: pa.ChunkedArray) -> NDArray[np.int64]:
    place = pc.index_in(pictures, catalog.embedded_pictures(key).combine_chunks())
    if place.null_count:
        wanted = "+".join(str(spec) for spec in layout.specs)
        raise CatalogError(
            f"{place.null_count} of {len(place)} photos have no embedding {key}: "
            f"type  shelfwise embed {shlex.quote(str(catalog.path))} --backbone {wanted} --precision {layout.specs[0].precision}"
        )
    return np.asarray(place.to_numpy(), dtype=np.int64)
