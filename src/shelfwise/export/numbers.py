"""Whole numbers for formats whose ids are such: those of the catalog where all are, else others and a table of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from shelfwise.export.selection import Selection
from shelfwise.formats.csv_write import write_csv

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def all_int64(ids: Iterable[str]) -> bool:
    """Tell whether every id is a whole number of 64 bits, written as Python writes it."""
    return all(map(_is_int64, ids))


def _is_int64(text: str) -> bool:
    try:
        return len(text) <= 20 and str(number := int(text)) == text and _SMALLEST <= number <= _LARGEST
    except ValueError:
        return False


def write_numbers(selection: Selection, folder: Path) -> None:
    """Write product_ids.csv: the number of each product, its place in the catalog counted from 1, and its id."""
    rows = ({"number": str(place + 1), "product_id": product_id} for place, product_id in selection.numbered_ids())
    with (folder / "product_ids.csv").open("xb") as file:
        file.writelines(write_csv(rows, ["number", "product_id"]))
