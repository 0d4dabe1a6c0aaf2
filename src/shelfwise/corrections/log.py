"""What the log of corrections says: who was moved from where, what is settled, what came after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from shelfwise.catalog import Catalog

_SHELVING = ("move", "confirm")


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a product stands by correction: the category that its source named, and the one decided."""

    source: str | None
    category: str | None


def moved_products(catalog: Catalog) -> dict[str, Moved]:
    """Return the products that were moved and not moved back, by id; memory by their number.

    A move that begins where the last one did not end begins anew: the source had said something else in between.
    """
    moved: dict[str, Moved] = {}
    for row in _rows(catalog, ["action", "product_id", "before", "after"]):
        if row["action"] == "move":
            last = moved.get(row["product_id"])
            source = last.source if last and last.category == row["before"] else row["before"]
            moved[row["product_id"]] = Moved(source, row["after"])
    return {product: where for product, where in moved.items() if where.category != where.source}


def settled_products(catalog: Catalog) -> dict[str, str | None]:
    """Return the category that was decided last, by id of the product: a shelf that nobody need be asked about again.

    A decision that was taken back settles nothing. Whoever asks compares with the product's category now.
    """
    settled: dict[str, str | None] = {}
    for row in _rows(catalog, ["action", "product_id", "after", "undoes"]):
        if row["action"] in _SHELVING:
            settled.pop(row["product_id"], None)
            if row["undoes"] is None:
                settled[row["product_id"]] = row["after"]
    return settled


def last_number(catalog: Catalog) -> int:
    """Return the number of the newest correction, 0 for none."""
    return max((row["number"] for row in _rows(catalog, ["number"])), default=0)


def subject(action: str, product_id: str, image_id: str | None) -> tuple[str, str | None]:
    """Return what a correction is about: the shelf of a product, or one of its photos.

    Corrections of one subject follow one another; those of different ones are independent.
    """
    return (product_id, None) if action in _SHELVING else (product_id, image_id)


def _rows(catalog: Catalog, columns: list[str]) -> Iterator[dict[str, Any]]:
    if "corrections" not in catalog.versions:
        return
    for batch in catalog.batches("corrections", columns):
        yield from batch.to_pylist()


def rows_from(catalog: Catalog, number: int) -> list[dict[str, Any]]:
    """Return the corrections from a number on, oldest first."""
    table = catalog.corrections()
    return list(table.filter(pc.greater_equal(table.column("number"), number)).sort_by("number").to_pylist())
