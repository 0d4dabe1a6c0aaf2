"""The Grocery Store Dataset (Klasson et al. 2019): official splits, its folder tree, iconic pictures, descriptions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shelfwise.errors import SourceError
from shelfwise.files import text_of
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.ingest.tree import taxonomy_of_paths
from shelfwise.ingest.writer import IngestSummary, write_catalog
from shelfwise.progress import SILENT, Progress

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


def ingest_grocery(root: Path | str, to: Path | str, *, progress: Progress = SILENT) -> IngestSummary:
    """Import the Grocery Store Dataset.

    root: the folder that holds `dataset`, or that folder itself. Every natural photo is a product with the official split;
    every category brings its iconic picture and description as one more product with the split `iconic`.
    Raises SourceError when a file of the data set is missing or a label contradicts its photo's folder.
    """
    root = Path(root)
    dataset = root / "dataset" if (root / "dataset").is_dir() else root
    classes = _read_classes(dataset)
    listed = [(split, row) for split in SPLITS for row in _read_list(dataset, split, classes)]
    records = [*_iconic_records(dataset, classes.values()), *_natural_records(dataset, listed)]
    taxonomy = taxonomy_of_paths([known.category for known in classes.values()], LEVEL_NAMES)
    source = {"kind": "grocery", "path": text_of(root.absolute())}
    return write_catalog(records, taxonomy, Path(to), source=source, total=len(records), progress=progress)


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
            known = _Class(row[_CLASS], *_places(row[_ICON], row[_DESCRIPTION])) if len(fields) == len(header) else None
            if known is None or not known.category or row[_CLASS_ID] in classes:
                raise SourceError(
                    f"{path}, line {reader.line_num}: no class, or its id a second time: {','.join(fields)!r}"
                )
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


def _read_list(dataset: Path, split: str, classes: dict[str, _Class]) -> Iterator[tuple[str, str]]:
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
        yield fields[0], known.category


def _natural_records(dataset: Path, listed: list[tuple[str, tuple[str, str]]]) -> Iterator[ProductRecord]:
    for split, (name, category) in listed:
        photo = PhotoSource.below(dataset, PurePosixPath(name))
        yield ProductRecord(product_id=name, photos=(photo,), category=category, split=split)


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
        )
