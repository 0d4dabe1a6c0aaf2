"""Shopee's files: train.csv and a folder of photos, where postings with the same picture share one file."""

from __future__ import annotations

import csv
from pathlib import Path

from shelfwise.export.names import EXTENSIONS
from shelfwise.export.selection import Photo, Selection
from shelfwise.export.summary import ExportSummary

# Source: train.csv of the Shopee Price Match Guarantee challenge.
_COLUMNS = ("posting_id", "image", "image_phash", "title", "label_group")


def write_shopee(selection: Selection, folder: Path, summary: ExportSummary) -> None:
    """Write train.csv and train_images/; a product is its first photo.

    Cells are written as they are, as in the original: open the file in no spreadsheet that runs what looks like a formula.
    """
    images = folder / "train_images"
    images.mkdir()
    with (folder / "train.csv").open("x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for product in selection.products():
            if not product.photos:
                continue
            photo = product.photos[0]
            summary.wrote(1)
            texts = (product.product_id, product.title or "", product.group or "")
            summary.note_formulas(*texts)
            phash = f"{photo.perceptual_hash:016x}"
            writer.writerow([texts[0], _write_once(photo, images), phash, *texts[1:]])
    if not summary.products:
        return
    to = Path(summary.to)
    command = ["ingest", "shopee", str(to / "train.csv"), "--images", str(to / images.name)]
    summary.ingest.append([*command, "--to", f"{to.name}.catalog"])


def _write_once(photo: Photo, images: Path) -> str:
    """Write a picture under its digest unless it is there, and return the name."""
    path = images / f"{photo.sha256.hex()}{EXTENSIONS[photo.format]}"
    if not path.exists():
        path.write_bytes(photo.data)
    return path.name
