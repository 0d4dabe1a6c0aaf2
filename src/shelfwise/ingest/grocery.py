"""The Grocery Store Dataset (Klasson et al. 2019): official splits, its folder tree, iconic pictures, descriptions."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from shelfwise.errors import OptionError, SourceError
from shelfwise.formats.rows import EXCERPT
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.ingest.tree import taxonomy_of_paths

SPLITS = ("train", "val", "test")
LEVEL_NAMES = ("top", "coarse", "fine")
_CLASS, _CLASS_ID, _ICON, _DESCRIPTION = (
    "Class Name (str)", "Class ID (int)", "Iconic Image Path (str)", "Product Description Path (str)",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Class:
    name: str
    category: str
    icon: PurePosixPath
    description: PurePosixPath
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    split: str
    category: str
    where: str
    text: str


class GrocerySource:
    """The Grocery Store Dataset.

    root: the folder that holds `dataset`, or that folder itself. Every natural photo is a product with the official split;
    every category brings its iconic picture and description as one more product with the split `iconic`.
    photos_per_product: above 1, photos of the same category and split are bound, in the order of the listing, into products of
    1 to so many photos: a stand-in for shops with several photos a product, no statement about the things in them.
    Raises SourceError when a file of the data set is missing or a label contradicts its photo's folder.
    """

    kind = "grocery"
    ignored_files = 0

    def __init__(self, root: Path | str, photos_per_product: int = 1) -> None:
        root = Path(root)
        if photos_per_product < 1:
            raise OptionError(f"--photos-per-product {photos_per_product}: at least 1")
        self.path, self._most = root, photos_per_product
        self._dataset = root / "dataset" if (root / "dataset").is_dir() else root
        self._classes = _read_classes(self._dataset)
        self._listed = [photo for split in SPLITS for photo in _read_list(self._dataset, split, self._classes)]
        if photos_per_product > 1:
            _refuse_repeats(self._listed)
        self.taxonomy = taxonomy_of_paths([known.category for known in self._classes.values()], LEVEL_NAMES)
        self.facts: dict[str, Any] = {}

    def rows(self) -> Iterator[ProductRecord]:
        """Go through the iconic pictures, then through the photos in the order of the listings."""
        yield from _iconic_records(self._dataset, self._classes.values())
        for photos in _bound(self._listed, self._most):
            first = photos[0]
            yield ProductRecord(
                product_id=first.name,
                photos=tuple(PhotoSource.below(self._dataset, PurePosixPath(photo.name)) for photo in photos),
                category=first.category,
                split=first.split,
                where=first.where,
                text=first.text,
            )


def _read_classes(dataset: Path) -> dict[str, _Class]:
    path = dataset / "classes.csv"
    if not path.is_file():
        raise SourceError(f"{path} is missing: {dataset} is not the Grocery Store Dataset")
    reader = csv.reader(io.StringIO(_read_text(path), newline=""), strict=True)
    classes: dict[str, _Class] = {}
    try:
        header = next(reader, [])
        if missing := {_CLASS, _CLASS_ID, _ICON, _DESCRIPTION} - set(header):
            raise SourceError(f"{path}: found columns {header}, need {sorted(missing)}")
        for fields in filter(None, reader):
            row = dict(zip(header, fields, strict=False))
            where, text = f"{path.name}, line {reader.line_num}", ",".join(fields)
            known = None
            if len(fields) == len(header):
                known = _Class(row[_CLASS], *_places(row[_ICON], row[_DESCRIPTION]), where, text[:EXCERPT])
            if known is None or not known.category or row[_CLASS_ID] in classes:
                raise SourceError(f"{path}, line {reader.line_num}: no class, or its id a second time: {text!r}")
            classes[row[_CLASS_ID]] = known
    except csv.Error as error:
        raise SourceError(f"{path}, line {reader.line_num}: {error}") from error
    return classes


def _places(icon: str, description: str) -> tuple[str, PurePosixPath, PurePosixPath]:
    """Return category, icon and description; the category is the icon's folder without the first one, `.../Fruit/Apple`."""
    icon_file = PurePosixPath(icon.lstrip("/"))
    return "/".join(icon_file.parts[1:-1]), icon_file, PurePosixPath(description.lstrip("/"))


def _read_text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(f"{path}, line {line}: the byte {data[error.start]:#04x} is no UTF-8") from None


def _read_list(dataset: Path, split: str, classes: dict[str, _Class]) -> Iterator[_Listed]:
    path = dataset / f"{split}.txt"
    if not path.is_file():
        raise SourceError(f"{path} is missing: it lists the photos of the split {split}")
    for number, line in enumerate(_read_text(path).splitlines(), 1):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3 or fields[1] not in classes:
            raise SourceError(f"{path}, line {number}: expected 'photo, class id, coarse id', found {line!r}")
        folder, known = PurePosixPath(fields[0]).parent.name, classes[fields[1]]
        if folder != known.name:  # not the whole path: Brown-Cap-Mushroom's photos lie one level higher than its icon
            raise SourceError(
                f"{path}, line {number}: the photo lies in {folder!r}, its label {fields[1]} is {known.name!r}"
            )
        yield _Listed(fields[0], split, known.category, f"{path.name}, line {number}", line[:EXCERPT])


def _refuse_repeats(listed: list[_Listed]) -> None:
    seen: dict[str, str] = {}
    for photo in listed:
        if (before := seen.setdefault(photo.name, photo.where)) != photo.where:
            raise SourceError(f"{photo.where}: {photo.name} is listed before, at {before}: it cannot be bound twice")


def _bound(listed: list[_Listed], most: int) -> Iterator[list[_Listed]]:
    """Bind photos of one category and split into products of 1 to `most`, by a hash of the first one's name."""
    shelves: dict[tuple[str, str], list[_Listed]] = {}
    for photo in listed if most > 1 else ():
        shelves.setdefault((photo.split, photo.category), []).append(photo)
    for photos in shelves.values() if most > 1 else ([photo] for photo in listed):
        start = 0
        while start < len(photos):
            digest = hashlib.sha256(photos[start].name.encode("utf-8", "surrogateescape")).digest()
            size = 1 + int.from_bytes(digest[:8], "big") % most
            yield photos[start : start + size]
            start += size


def _iconic_records(dataset: Path, classes: Iterable[_Class]) -> Iterator[ProductRecord]:
    for known in classes:
        described = PhotoSource.below(dataset, known.description).data
        yield ProductRecord(
            product_id=f"iconic/{known.category}",
            photos=(PhotoSource.below(dataset, known.icon),),
            category=known.category,
            title=known.name.replace("-", " "),
            description=_read_text(described).strip() if isinstance(described, Path) and described.is_file() else None,
            split="iconic",
            where=known.where,
            text=known.text,
        )
