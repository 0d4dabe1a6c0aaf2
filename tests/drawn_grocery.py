"""Drawn photos laid out as the Grocery Store Dataset: for recipes, which take that data set at tiny scale."""

from __future__ import annotations

from pathlib import Path

from drawn_shop import photo, write

_HEADER = (
    "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),"
    "Iconic Image Path (str),Product Description Path (str)"
)
# Class folders, and the kind of drawn product that stands for each.
CLASSES = {
    "Fruit/Apple/Gala": "mug",
    "Fruit/Apple/Granny-Smith": "boot",
    "Fruit/Kiwi": "plate",
    "Packages/Juice/Apple-Juice": "bottle",
    "Packages/Juice/Orange-Juice": "table-lamp",
    "Packages/Milk/Whole-Milk": "pendant-lamp",
}
PHOTOS = {"train": (8, 0), "val": (3, 100), "test": (4, 200)}


def draw_grocery(root: Path, side_px: int = 64) -> Path:
    """Draw six classes with 8 photos each to learn from, 3 for validation, 4 for testing, and an icon."""
    dataset, lines = root / "dataset", [_HEADER]
    listed: dict[str, list[str]] = {split: [] for split in PHOTOS}
    for number, (folder, kind) in enumerate(CLASSES.items()):
        name = folder.rpartition("/")[2]
        icon = f"iconic-images-and-descriptions/{folder}/{name}"
        lines.append(f"{name},{number},Coarse,0,/{icon}_Iconic.jpg,/{icon}_Description.txt")
        write(dataset / f"{icon}_Iconic.jpg", photo(kind, 900, side_px))
        write(dataset / f"{icon}_Description.txt", f"About {name}.".encode())
        for split, (count, first) in PHOTOS.items():
            for place in range(count):
                path = f"{split}/{folder}/{name}_{place:03}.jpg"
                write(dataset / path, photo(kind, first + place, side_px))
                listed[split].append(f"{path}, {number}, 0")
    for split, photos in listed.items():
        write(dataset / f"{split}.txt", "\n".join(photos).encode())
    write(dataset / "classes.csv", "\n".join(lines).encode())
    return root
