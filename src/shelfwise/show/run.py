"""Describe a catalog: counts, tree, photo sizes, a sample, what was quarantined, how it came to be."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shelfwise.catalog import Catalog
from shelfwise.catalog.conflicts import label_conflicts
from shelfwise.catalog.counts import Counts, count
from shelfwise.catalog.history import steps_back

_SAMPLE, _CONFLICTS, _SIZES = 5, 20, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowSummary:
    """What a catalog holds.

    tree: for each level, its name, its categories and their different names. shelves: products per category, the fullest
    first, with the path of names. photos_per_product: products by their number of photos. sizes: pixels of the photos.
    conflicting_pictures: how many stand under several categories; label_conflicts: the first 20 of them.
    """

    path: str
    version: int
    counts: Counts
    tree: list[dict[str, Any]]
    shelves: list[dict[str, Any]]
    unfiled: int
    photos_per_product: dict[int, int]
    sizes: dict[str, Any]
    formats: dict[str, int]
    sample: list[dict[str, Any]]
    quarantined_rows: dict[str, int]
    conflicting_pictures: int
    label_conflicts: list[dict[str, Any]]
    embedded: list[list[str]]
    sources: list[dict[str, Any]]
    history: list[dict[str, Any]]
    size_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return asdict(self)


def show(path: Path | str) -> ShowSummary:
    """Describe a catalog; raises CatalogError for a folder that is none."""
    catalog = Catalog(path)
    snapshot = catalog.description.snapshot
    filed = Counter(catalog.products(["category"]).column("category").to_pylist())
    unfiled = filed.pop(None, 0)
    conflicts = label_conflicts(catalog)
    past = steps_back(catalog.path, snapshot)
    return ShowSummary(
        path=str(path),
        version=snapshot.version,
        counts=count(catalog),
        tree=_levels(catalog),
        shelves=[
            {"category": category, "names": list(catalog.taxonomy.names(category)), "products": products}
            for category, products in filed.most_common()
        ],
        unfiled=unfiled,
        photos_per_product=_photos_per_product(catalog),
        sizes=_sizes(catalog),
        formats=dict(Counter(filter(None, catalog.images(["format"]).column("format").to_pylist())).most_common()),
        sample=_sample(catalog),
        quarantined_rows=dict(Counter(catalog.quarantine().column("code").to_pylist()).most_common()),
        conflicting_pictures=len(conflicts),
        label_conflicts=[asdict(conflict) for conflict in conflicts[:_CONFLICTS]],
        embedded=[[str(backbone.get("card")) for backbone in backbones] for backbones in catalog.description.embedded],
        sources=list(snapshot.sources),
        history=[{"version": p.version, "what": p.what, "time": p.time} for p in (*past, snapshot)],
        size_bytes=sum(file.stat().st_size for file in catalog.path.rglob("*") if file.is_file()),
    )


def _levels(catalog: Catalog) -> list[dict[str, Any]]:
    """Count categories by level; one that ends early stands for itself on the levels below it, as in every figure."""
    tree = catalog.taxonomy
    levels = []
    for place, level in enumerate(tree.level_names):
        categories = tree.level(tree.leaves, place)[0]
        names = {tree.nodes[category].name for category in categories}
        levels.append({"level": level, "categories": len(categories), "different_names": len(names)})
    return levels


def _photos_per_product(catalog: Catalog) -> dict[int, int]:
    """Count products by how many photos they have, whatever the photos' status."""
    owners = catalog.images(["product_id"]).column("product_id")
    counted = Counter(pc.value_counts(owners).field("counts").to_pylist()) if len(owners) else Counter()
    without = len(catalog.products(["product_id"])) - counted.total()
    return dict(sorted((({0: without} if without else {}) | dict(counted)).items()))


def _sizes(catalog: Catalog) -> dict[str, Any]:
    images = catalog.images(["width", "height", "length"]).drop_null()
    if not len(images):
        return {}
    width, height, length = (images.column(name).to_numpy() for name in ("width", "height", "length"))
    common = Counter(zip(width.tolist(), height.tolist(), strict=True)).most_common(_SIZES)
    return {
        "shorter_side_px": _spread(np.minimum(width, height)),
        "longer_side_px": _spread(np.maximum(width, height)),
        "size_bytes": _spread(length),
        "most_common": [{"width": w, "height": h, "photos": photos} for (w, h), photos in common],
    }


def _spread(values: Any) -> dict[str, int]:
    return {"smallest": int(values.min()), "median": int(np.median(values)), "largest": int(values.max())}


def _sample(catalog: Catalog) -> list[dict[str, Any]]:
    """Choose some products by the hash of their ids: the same ones every time, from all over the catalog."""
    products = catalog.products(["product_id", "title", "category", "split"])
    ids = products.column("product_id").to_pylist()
    chosen = sorted(range(len(ids)), key=lambda row: hashlib.blake2b(ids[row].encode()).digest())[:_SAMPLE]
    rows = products.take(pa.array(sorted(chosen), pa.int64())).to_pylist()
    names = catalog.taxonomy.names
    return [row | {"names": list(names(row["category"])) if row["category"] else []} for row in rows]
