"""A CSV file beside a folder of photos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shelfwise.errors import CatalogError
from shelfwise.export.columns import Columns
from shelfwise.export.names import EXTENSIONS, file_stem, write_new
from shelfwise.export.selection import Product, Selection
from shelfwise.export.summary import ExportSummary
from shelfwise.formats.csv_write import write_csv

# No name of a photo's file holds it.
BETWEEN_IMAGES = "|"
_BETWEEN_ATTRIBUTES = (" ", "|", ";", ",", "/", "\t", "\x1f")
# Characters of a cell that readers take. Source: Python's csv.field_size_limit().
_LONGEST_CELL = 131_072


def write_table(selection: Selection, folder: Path, summary: ExportSummary) -> None:
    """Write products.csv and images/; cells that a spreadsheet could run are led by an apostrophe."""
    columns = Columns.of(selection, summary)
    between = _between_attributes(selection) if columns.has_attributes else None

    def rows() -> Iterator[dict[str, str]]:
        for product in selection.products():
            cells = columns.texts_of(product)
            if columns.has_images:
                cells["images"] = BETWEEN_IMAGES.join(_write_photos(product, folder / "images"))
            if between is not None:
                cells["attributes"] = between.join(product.attributes)
            refused = sum(len(cell) > _LONGEST_CELL or "\0" in cell for cell in cells.values())
            summary.note("cells that `ingest table` does not take: over 131,072 characters, or a zero byte", refused)
            summary.wrote(len(product.photos))
            yield cells

    with (folder / "products.csv").open("xb") as file:
        file.writelines(write_csv(rows(), columns.names))
    more = ["--image-separator", BETWEEN_IMAGES] if columns.has_images else []
    more += ["--attributes-separator", between] if between is not None else []
    summary.ingest.append(columns.ingest(Path(summary.to) / "products.csv", "--escaped", *more))


def _write_photos(product: Product, folder: Path) -> Iterator[str]:
    """Write the photos of a product, named after it, and yield their paths in the cell."""
    for number, photo in enumerate(product.photos):
        stem = file_stem(product.product_id) + (f"#{number}" if len(product.photos) > 1 else "")
        yield f"images/{write_new(folder, stem, EXTENSIONS[photo.format], photo.data)}"


def _between_attributes(selection: Selection) -> str:
    """Choose what stands between attributes: what none of them holds."""
    free = list(_BETWEEN_ATTRIBUTES)
    for batch in selection.batches("attributes"):
        for attribute in batch.column("attributes").flatten().unique().to_pylist():
            free = [mark for mark in free if mark not in attribute]
    if not free:
        raise CatalogError("the attributes hold every mark that could stand between them: export parquet instead")
    return free[0]
