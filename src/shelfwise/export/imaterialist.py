"""iMaterialist's files: one JSON file a split, its labels the products' attributes, beside a folder of photos."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from shelfwise.export.names import EXTENSIONS, file_stem, split_stems, write_new
from shelfwise.export.numbers import all_int64, write_numbers
from shelfwise.export.selection import Product, Selection
from shelfwise.export.summary import ExportSummary


def write_imaterialist(selection: Selection, folder: Path, summary: ExportSummary) -> None:
    """Write SPLIT.json for every split, products.json for products without one, and images/.

    A product is its first photo; one whose photos were never obtained is listed all the same, as in the original. Ids that
    no file can be called by are replaced by the place in the catalog, counted from 1, which product_ids.csv tells.
    """
    images, to = folder / "images", Path(summary.to)
    images.mkdir()
    ids = selection.ids.to_pylist()
    keeps_ids = all(file_stem(product_id) == product_id for product_id in ids)
    are_integers = not keeps_ids or all_int64(ids)
    if not keeps_ids:
        write_numbers(selection, folder)

    def listed(split: str | None) -> Iterator[tuple[int | str, tuple[str, ...]]]:
        for product in _with_place(selection.products_of(split), summary):
            image_id = product.product_id if keeps_ids else str(product.place + 1)
            for photo in product.photos[:1]:
                write_new(images, image_id, EXTENSIONS[photo.format], photo.data)
            summary.wrote(len(product.photos[:1]))
            summary.note("product ids that became numbers", not keeps_ids)
            yield int(image_id) if are_integers else image_id, product.attributes

    stems = split_stems(selection.splits)
    for split in selection.splits:
        name = f"{stems[split]}.json"
        if not _write_json(folder / name, listed(split)):
            (folder / name).unlink()
            continue
        command = ["ingest", "imaterialist", str(to / name), "--images", str(to / images.name)]
        command += ["--split", split] if split is not None else []
        summary.ingest.append([*command, "--to", f"{to.name}.catalog"])


def _with_place(products: Iterator[Product], summary: ExportSummary) -> Iterator[Product]:
    """Go through the products that have a photo or a dead link, and count what has no place."""
    for product in products:
        if product.photos or product.missing:
            summary.leave_out("missing photos", product.missing - (not product.photos))
            yield product
        else:
            summary.leave_out("products without photos")


def _write_json(path: Path, images: Iterator[tuple[int | str, tuple[str, ...]]]) -> int:
    """Write images of id and labels, and return their number; a file without labels has no annotations, as that of a test."""
    count = 0
    with (
        path.open("x", encoding="utf-8") as file,
        TemporaryFile("w+", encoding="utf-8", dir=path.parent) as annotations,
    ):
        file.write('{"images": [')
        for image_id, labels in images:
            _write_element(file, {"image_id": image_id, "url": ""}, is_first=not count)
            count += 1
            if labels:
                element = {"image_id": image_id, "label_id": [*labels]}
                _write_element(annotations, element, is_first=not annotations.tell())
        file.write("\n]")
        if annotations.tell():
            annotations.seek(0)
            file.write(', "annotations": [')
            shutil.copyfileobj(annotations, file)
            file.write("\n]")
        file.write("}\n")
    return count


def _write_element(file: IO[str], element: dict[str, Any], *, is_first: bool) -> None:
    file.write(("" if is_first else ",") + f"\n{json.dumps(element, ensure_ascii=False)}")
