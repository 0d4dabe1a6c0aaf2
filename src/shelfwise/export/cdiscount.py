"""Cdiscount's files: one BSON file a split, and category_names.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from shelfwise.errors import CatalogError
from shelfwise.export.names import split_stems
from shelfwise.export.numbers import all_int64, write_numbers
from shelfwise.export.selection import Selection
from shelfwise.export.summary import ExportSummary
from shelfwise.formats.bson_write import write_documents

# Source: category_names.csv of the Cdiscount challenge.
_NAMES = "category_names.csv"
_LEVELS = 3
_HEADER = ("category_id", *(f"category_level{level + 1}" for level in range(_LEVELS)))
_FIRST_CATEGORY = 1_000_000_000


def write_cdiscount(selection: Selection, folder: Path, summary: ExportSummary) -> None:
    """Write SPLIT.bson for every split, products.bson for products without one, and category_names.csv for the tree.

    Ids that are no whole numbers are replaced: products by their place in the catalog, counted from 1, which product_ids.csv
    tells; categories by numbers from 1,000,000,000 on. Raises CatalogError for a tree of more than three levels.
    """
    categories = _write_categories(selection, folder / _NAMES, summary) if selection.catalog.taxonomy.nodes else {}
    keeps_ids = all_int64(selection.ids.to_pylist())
    if not keeps_ids:
        write_numbers(selection, folder)

    def documents(split: str | None) -> Iterator[tuple[int, int | None, Sequence[bytes]]]:
        for product in selection.products_of(split):
            if not product.photos:
                continue
            category = categories[product.category] if product.category is not None else None
            number = int(product.product_id) if keeps_ids else product.place + 1
            summary.wrote(len(product.photos))
            summary.note("product ids that became numbers", not keeps_ids)
            summary.note("photos that are no JPEG", sum(photo.format != "JPEG" for photo in product.photos))
            yield number, category, [photo.data for photo in product.photos]

    to = Path(summary.to)
    stems = split_stems(selection.splits)
    for split in selection.splits:
        name = f"{stems[split]}.bson"
        with (folder / name).open("xb") as file:
            count = write_documents(file, documents(split))
        if not count:
            (folder / name).unlink()
            continue
        command = ["ingest", "cdiscount", str(to / name)]
        command += ["--categories", str(to / _NAMES)] if categories else []
        command += ["--split", split] if split is not None else []
        summary.ingest.append([*command, "--to", f"{to.name}.catalog"])


def _write_categories(selection: Selection, path: Path, summary: ExportSummary) -> dict[str, int]:
    """Write the names of all leaves and of the categories in use; return the number of each."""
    taxonomy = selection.catalog.taxonomy
    listed = [node for node in taxonomy.nodes_in_order if node in selection.categories or not taxonomy.children(node)]
    keeps_ids = all_int64(listed) and not any(node.startswith("-") for node in listed)
    summary.note("category ids that became numbers", 0 if keeps_ids else len(listed))
    numbers = {node: int(node) if keeps_ids else _FIRST_CATEGORY + place for place, node in enumerate(listed)}
    seen: dict[tuple[str, ...], str] = {}
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        for node in listed:
            names = taxonomy.names(node)
            if len(names) > _LEVELS:
                raise CatalogError(
                    f"{' > '.join(names)}: the tree has {len(names)} levels, Cdiscount's files have three"
                )
            summary.note("categories above the third level, whose name is repeated below", len(names) < _LEVELS)
            filled = (*names, *[names[-1]] * (_LEVELS - len(names)))
            if (other := seen.setdefault(filled, node)) != node:
                raise CatalogError(f"the categories {other!r} and {node!r} would both be {' > '.join(filled)}")
            summary.note_formulas(*filled)
            writer.writerow([numbers[node], *filled])
    return numbers
