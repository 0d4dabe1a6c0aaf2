"""Drawn products of 1 to 3 photos in folders and in a table, some photos damaged: imported and embedded."""

from __future__ import annotations

import csv
from pathlib import Path

from drawn_shop import photo, shelf, write
from shelfwise.embed import embed
from shelfwise.images.draw import KINDS
from shelfwise.ingest import ingest
from shelfwise.ingest.table import TableSource
from shelfwise.options import EmbedOptions, TableOptions

DAMAGED, LOST = "test-mug-0", "test-mug-1"
"""A product whose first photo is damaged, and one that has no other photo."""
_SEPARATOR = " | "
_TABLE = TableOptions(
    id="id", image=("images",), image_separator=_SEPARATOR, category=("top", "coarse", "fine"), split="split"
)


def products_catalog(root: Path) -> Path:
    """Draw `root/photos/PRODUCT/N.jpg` and make a catalog of it; every sixth test product lies on a wrong shelf."""
    rows = []
    for split, products, seed in (("train", 4, 0), ("test", 4, 500)):
        for place, kind in enumerate(KINDS):
            for number in range(products):
                name = f"{split}-{kind}-{number}"
                files = [f"{name}/{n}.jpg" for n in range(1 + (number + place) % 3)]
                for n, file in enumerate(files):
                    write(root / "photos" / file, photo(kind, seed + 10 * number + n))
                wrong = split == "test" and (place + number) % 6 == 5
                top, coarse, fine = shelf(KINDS[(place + 1) % len(KINDS)] if wrong else kind).split("/")
                rows.append({"id": name, "split": split, "images": files, "top": top, "coarse": coarse, "fine": fine})
    for name in (DAMAGED, LOST):
        bad = f"{name}/0-bad.jpg"
        write(root / "photos" / bad, b"no picture at all")
        row = next(row for row in rows if row["id"] == name)
        row["images"] = [bad, *(row["images"] if name == DAMAGED else [])]
    for file in (root / "photos" / LOST).glob("[0-9].jpg"):
        file.unlink()
    return _imported(root, rows)


def _imported(root: Path, rows: list[dict]) -> Path:
    table, catalog = root / "products.csv", root / "products.catalog"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"images": _SEPARATOR.join(row["images"])} for row in rows)
    ingest(TableSource(table, _TABLE, root / "photos"), catalog)
    embed(catalog, EmbedOptions(backbone="lite0@96", precision="fp32"))
    return catalog
