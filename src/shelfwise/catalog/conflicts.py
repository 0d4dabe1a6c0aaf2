"""Pictures that stand under several categories: one of the labels is wrong, or the picture shows no product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shelfwise.catalog.store import Catalog


@dataclass(frozen=True, slots=True)
class LabelConflict:
    """One picture, the images that show it, and their categories."""

    sha256: str
    images: tuple[str, ...]
    categories: tuple[str, ...]


def label_conflicts(catalog: Catalog) -> list[LabelConflict]:
    """List the pictures (equal bytes) whose products are filed under more than one category."""
    products = catalog.products(["product_id", "category"])
    images = catalog.images(["image_id", "product_id", "sha256", "status"])
    images = images.filter(pc.equal(images.column("status"), "ok"))
    place = pc.index_in(images.column("product_id"), products.column("product_id").combine_chunks())
    category = products.column("category").combine_chunks().take(place.combine_chunks())
    pairs = pa.table({"sha256": images.column("sha256"), "category": category, "image": images.column("image_id")})
    pairs = pairs.filter(pc.is_valid(pairs.column("category")))
    spread = pairs.group_by("sha256").aggregate([("category", "count_distinct")])
    several = spread.filter(pc.greater(spread.column("category_count_distinct"), 1)).column("sha256")
    if not len(several):
        return []
    found = pairs.filter(pc.is_in(pairs.column("sha256"), several.combine_chunks()))
    codes = found.column("sha256").combine_chunks().dictionary_encode().indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    rows = found.take(pa.array(order)).to_pylist()
    groups: dict[bytes, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["sha256"], []).append(row)
    return [
        LabelConflict(
            digest.hex(), tuple(row["image"] for row in group), tuple(sorted({row["category"] for row in group}))
        )
        for digest, group in groups.items()
    ]
