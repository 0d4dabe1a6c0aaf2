"""iMaterialist's files: one JSON file a split, its labels the products' attributes, beside a folder of photos."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from shelfwise.export.names import EXTENSIONS, file_stem, write_new
from shelfwise.export.numbers import all_int64, write_numbers
from shelfwise.export.selection import Product, Selection
from shelfwise.export.summary import ExportSummary


def write_imaterialist(selection: Selection, folder: Path, summary: ExportSummary) -> None:
    """Write SPLIT.json for every split, products.json for products without one, and images/.

    A product is its first photo; one whose photos were never obtained is listed all the same, as in the original. Ids that
    no file can be called by are replaced by the place in the catalog, counted from 1, which product_ids.csv tells.
    """
    (folder / "images").mkdir()
    ids = selection.ids.to_pylist()
    keeps_ids = all(file_stem(product_id) == product_id for product_id in ids)
    are_integers = not keeps_ids or all_int64(ids)
    if not keeps_ids:
        write_numbers(selection, folder)
    for split in selection.splits:
        path = folder / f"{'products' if split is None else file_stem(split)}.json"
        with path.open("x", encoding="utf-8") as file, TemporaryFile("w+", encoding="utf-8", dir=folder) as labels:
            file.write('{"images": [')
            separators = chain([""], repeat(","))
            for product in _listed(selection, split, summary):
                known = product.product_id if keeps_ids else str(product.place + 1)
                _write_photo(product, known, folder / "images", summary)
                summary.note("product ids that became numbers", not keeps_ids)
                image_id = int(known) if are_integers else known
                _write_element(file, next(separators), {"image_id": image_id, "url": ""})
                if product.attributes:
                    separator = "," if labels.tell() else ""
                    _write_element(labels, separator, {"image_id": image_id, "label_id": [*product.attributes]})
            _append_annotations(file, labels)
        to = Path(summary.to)
        command = ["ingest", "imaterialist", str(to / path.name), "--images", str(to / "images")]
        command += ["--split", split] if split is not None else []
        summary.ingest.append([*command, "--to", f"{to.name}.catalog"])


def _listed(selection: Selection, split: str | None, summary: ExportSummary) -> Iterator[Product]:
    """Go through the products of a split that have a photo or a dead link, and count what has no place."""
    for product in selection.products_of(split):
        if product.photos or product.missing:
            summary.leave_out("missing photos", product.missing - (not product.photos))
            yield product
        else:
            summary.leave_out("products without photos")


def _write_photo(product: Product, name: str, folder: Path, summary: ExportSummary) -> None:
    for photo in product.photos[:1]:
        write_new(folder, name, EXTENSIONS[photo.format], photo.data)
    summary.wrote(len(product.photos[:1]))


def _write_element(file: IO[str], separator: str, element: dict[str, Any]) -> None:
    file.write(f"{separator}\n{json.dumps(element, ensure_ascii=False)}")


def _append_annotations(file: IO[str], labels: IO[str]) -> None:
    """End the file with the annotations; the file of a test has none."""
    file.write("\n]")
    if labels.tell():
        labels.seek(0)
        file.write(', "annotations": [')
        shutil.copyfileobj(labels, file)
        file.write("\n]")
    file.write("}\n")
