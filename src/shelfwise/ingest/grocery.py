"""The Grocery Store Dataset (Klasson et al. 2019): official splits, its folder tree, iconic pictures, descriptions."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shelfwise.errors import SourceError
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
    icon: Path
    description: Path


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
    records = [*_iconic_records(classes.values()), *_natural_records(dataset, listed)]
    taxonomy = taxonomy_of_paths([known.category for known in classes.values()], LEVEL_NAMES)
    source = {"kind": "grocery", "path": str(root.absolute())}
    return write_catalog(records, taxonomy, Path(to), source=source, total=len(records), progress=progress)


def _read_classes(dataset: Path) -> dict[str, _Class]:
    path = dataset / "classes.csv"
    if not path.is_file():
        raise SourceError(f"{path} is missing: {dataset} is not the Grocery Store Dataset")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, strict=True)
        missing = {_CLASS, _CLASS_ID, _ICON, _DESCRIPTION} - set(reader.fieldnames or ())
        if missing:
            raise SourceError(f"{path}: found columns {reader.fieldnames}, need {sorted(missing)}")
        return {row[_CLASS_ID]: _read_class(dataset, row) for row in reader}


def _read_class(dataset: Path, row: dict[str, str]) -> _Class:
    icon = PurePosixPath(row[_ICON].lstrip("/"))
    category = PurePosixPath(*icon.parts[1:-1])
    return _Class(row[_CLASS], str(category), dataset / icon, dataset / row[_DESCRIPTION].lstrip("/"))


def _read_list(dataset: Path, split: str, classes: dict[str, _Class]) -> Iterator[tuple[str, str]]:
    path = dataset / f"{split}.txt"
    if not path.is_file():
        raise SourceError(f"{path} is missing: it lists the photos of the split {split}")
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3 or fields[1] not in classes:
            raise SourceError(f"{path}, line {number}: expected 'photo, class id, coarse id', found {line!r}")
        folder, known = PurePosixPath(fields[0]).parent.name, classes[fields[1]]
        if folder != known.name:  # not the whole path: Brown-Cap-Mushroom's photos lie one level higher than its icon
            raise SourceError(f"{path}, line {number}: the photo lies in {folder!r}, its label {fields[1]} is {known.name!r}")
        yield fields[0], known.category


def _natural_records(dataset: Path, listed: list[tuple[str, tuple[str, str]]]) -> Iterator[ProductRecord]:
    for split, (name, category) in listed:
        yield ProductRecord(
            product_id=name, photos=(PhotoSource(name, dataset / name),), category=category, split=split
        )


def _iconic_records(classes: Iterable[_Class]) -> Iterator[ProductRecord]:
    for known in classes:
        described = known.description.is_file()
        yield ProductRecord(
            product_id=f"iconic/{known.category}",
            photos=(PhotoSource(f"iconic/{known.category}/{known.icon.name}", known.icon),),
            category=known.category,
            title=known.name.replace("-", " "),
            description=known.description.read_text(encoding="utf-8").strip() if described else None,
            split="iconic",
        )
