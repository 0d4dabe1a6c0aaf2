"""The table of findings: every one of them, a row each, in a file that spreadsheets and programs read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.findings import Found
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory
from shelfwise.files import room_for
from shelfwise.formats.csv_write import write_csv

COLUMNS = (
    "kind", "set", "product_id", "image_id", "split", "shelf", "shelf_path", "score", "kept", "suggested", "suggested_path",
)  # fmt: skip
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """A finding with ids in the place of numbers; None for what it does not have."""

    kind: str
    set: int
    product_id: str
    image_id: str | None
    split: str | None
    shelf: str | None
    score: float
    kept: str | None
    suggested: str | None


def rows(catalog: Catalog, inventory: Inventory, found: Found) -> Iterator[Row]:
    """Read the ids of findings, some thousand at a time."""
    for start in range(0, len(found), _BLOCK):
        block = slice(start, start + _BLOCK)
        product, photo, kept = found.product[block], found.photo[block], found.kept[block]
        products = _texts(catalog.product_ids, product)
        keeping = _texts(catalog.product_ids, kept)
        images = _texts(catalog.image_ids, np.where(photo >= 0, inventory.photo_row[photo], -1))
        for at in range(len(product)):
            yield Row(
                found.kind, int(found.set[start + at]), products[at] or "", images[at],
                _named(inventory.splits, inventory.split[product[at]]),
                _named(inventory.categories, inventory.category[product[at]]), float(found.score[start + at]),
                keeping[at], _named(inventory.categories, found.shelf[start + at]),
            )  # fmt: skip


def write_table(path: Path, catalog: Catalog, inventory: Inventory, found: Sequence[Found]) -> None:
    """Replace the file `path` by the table of all findings."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")  # of this run alone: another may write here, too
    lines = write_csv((_cells(catalog, row) for part in found for row in rows(catalog, inventory, part)), COLUMNS)
    with room_for(path):
        try:
            with beside.open("wb") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def shelf_path(catalog: Catalog, category: str | None) -> str:
    """Write a category as its names from the top; empty for none."""
    return " > ".join(catalog.taxonomy.names(category)) if category else ""


def _cells(catalog: Catalog, row: Row) -> dict[str, str]:
    return {
        "kind": row.kind, "set": str(row.set), "product_id": row.product_id, "image_id": row.image_id or "",
        "split": row.split or "", "shelf": row.shelf or "", "shelf_path": shelf_path(catalog, row.shelf),
        "score": f"{row.score:.4g}", "kept": row.kept or "", "suggested": row.suggested or "",
        "suggested_path": shelf_path(catalog, row.suggested),
    }  # fmt: skip


def _texts(read: Callable[[NDArray[np.int64]], list[str]], numbers: NDArray[np.integer[Any]]) -> list[str | None]:
    """Read the texts of rows, None for -1."""
    there = np.flatnonzero(numbers >= 0)
    texts: list[str | None] = [None] * len(numbers)
    if len(there):
        distinct, place = np.unique(numbers[there], return_inverse=True)
        found = read(distinct)
        for at, number in zip(there.tolist(), place.tolist(), strict=True):
            texts[at] = found[number]
    return texts


def _named(names: tuple[str, ...], number: int) -> str | None:
    return names[number] if number >= 0 else None
