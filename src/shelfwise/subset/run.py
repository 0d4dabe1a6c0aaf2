"""Write some of a catalog's products as a catalog of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shelfwise.catalog import Catalog, Change, changing, schema
from shelfwise.catalog.counts import count
from shelfwise.errors import OptionError
from shelfwise.files import room_for, text_of
from shelfwise.options import SubsetOptions
from shelfwise.progress import SILENT, Advance, Progress
from shelfwise.subset.choose import Chosen, choose

# Rows read at once, and rows or bytes of photos written at once.
_READ, _ROWS, _BYTES = 64, 8192, 64 * 2**20


@dataclass(frozen=True, slots=True)
class SubsetSummary:
    """Counts of what was taken; left_out: products that were not, by the first reason."""

    catalog: str
    products: int
    photos: int
    categories: int
    products_by_split: dict[str, int]
    left_out: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)


def subset(
    catalog: Path | str, to: Path | str, options: SubsetOptions | None = None, *, progress: Progress = SILENT
) -> SubsetSummary:
    """Write the products that the options ask for, with their photos and splits, as the new catalog `to`.

    Photos that were left in their files stay there; vectors are not taken along. Raises OptionError where `to` exists or what
    is asked for does not, CatalogError where no product fits.
    """
    options, to = options or SubsetOptions(), Path(to)
    if to.exists():
        raise OptionError(f"--to {to} exists: choose another name, or remove it first")
    opened = Catalog(catalog)
    chosen = choose(opened, options)
    with room_for(to), changing(to, "subset") as change:
        change.replace_taxonomy(chosen.taxonomy)
        ids = _write_products(opened, chosen, change)
        with progress.task(f"subset {to.name}", len(ids)) as advance:
            _write_images(opened, ids, change, advance)
        for source in opened.description.snapshot.sources:
            change.add_source(source)
        change.add_source({"kind": "subset", "path": text_of(opened.path.absolute())})
        counts = count(change.so_far())
    filed = {category for category in chosen.category_of.values() if category is not None}
    return SubsetSummary(str(to), len(ids), counts.photos, len(filed), counts.products_by_split, chosen.left_out)


def _write_products(catalog: Catalog, chosen: Chosen, change: Change) -> set[str]:
    """Write the rows of the product table; return their ids."""
    ids, start = set(), 0
    for batch in catalog.batches("products", schema.PRODUCTS.names):
        rows = []
        for place, row in enumerate(batch.to_pylist(), start):
            if place in chosen.category_of:
                rows.append(row | {"category": chosen.category_of[place]})
                ids.add(row["product_id"])
        start += batch.num_rows
        if rows:
            change.append_products(rows)
    return ids


def _write_images(catalog: Catalog, product_ids: set[str], change: Change, advance: Advance) -> None:
    """Write the rows of the image table with their bytes, some megabytes at a time."""
    block: list[dict[str, Any]] = []
    size_bytes, seen = 0, set()
    for row in _images_of(catalog, product_ids):
        if block and (len(block) >= _ROWS or size_bytes >= _BYTES):
            change.append_images(block)
            block, size_bytes = [], 0
        block.append(row)
        size_bytes += len(row["bytes"] or b"")
        if row["product_id"] not in seen:
            seen.add(row["product_id"])
            advance(1)
    if block:
        change.append_images(block)


def _images_of(catalog: Catalog, product_ids: set[str]) -> Iterator[dict[str, Any]]:
    for batch in catalog.batches("images", schema.IMAGES.names, _READ):
        for place, product_id in enumerate(batch.column("product_id").to_pylist()):
            if product_id in product_ids:
                yield batch.slice(place, 1).to_pylist()[0]
