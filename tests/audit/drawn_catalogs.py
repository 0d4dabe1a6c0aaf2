"""A small catalog whose every count is known, and pages over it and over Cdiscount's number of categories."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from shelfwise.ingest import ingest
from shelfwise.ingest.table import TableSource
from shelfwise.options import TableOptions

# id, category, attributes, split, photos as (width, height, level of red, of green, of blue).
PRODUCTS = [
    ("a1", "Food > Apple", "red round red", "train", [(64, 64, 200, 0, 0)]),
    ("a2", "Food > Apple", "red", "train", [(64, 64, 210, 0, 0), (64, 48, 0, 0, 0)]),
    ("a3", "Food > Apple", "green round", "test", [(64, 64, 0, 200, 0)]),
    ("a4", "Food > Apple", "", "test", [(64, 64, 0, 210, 0)]),
    ("p1", "Food > Pear", "green", "test", [(300, 100, 250, 250, 250)]),
    ("f1", "Food", "", "train", [(32, 32, 10, 10, 10)]),
    ("c1", "Toys > Car", "red wheels", "train", [(64, 64, 90, 90, 90)]),
    ("c2", "Toys > Car", "wheels red round", "train", [(64, 64, 91, 91, 91)]),
    ("d1", "Toys > Doll", "", "val", [(64, 64, 92, 92, 92)]),
    ("n1", "", "red", "train", [(64, 64, 93, 93, 93)]),
]


def known_catalog(root: Path) -> Path:
    """Ingest PRODUCTS: ten products, eleven photos, six categories on two levels."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "shop.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "one", "two", "category", "attributes", "split"])
        for product, category, attributes, split, photos in PRODUCTS:
            names = [_drawn(root / f"{product}-{place}.png", *photo) for place, photo in enumerate(photos)]
            table.writerow([product, *[*names, ""][:2], category, attributes, split])
    options = TableOptions(
        id="id", image=("one", "two"), category=("category",), category_separator=" > ", attributes="attributes", split="split",
        incomplete=True,
    )  # fmt: skip
    ingest(TableSource(root / "shop.csv", options), root / "shop.catalog")
    return root / "shop.catalog"


def _drawn(path: Path, width: int, height: int, red: int, green: int, blue: int) -> str:
    Image.fromarray(np.full((height, width, 3), (red, green, blue), np.uint8)).save(path)
    return path.name
