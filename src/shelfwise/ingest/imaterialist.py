"""iMaterialist Fashion 2018 (FGVC5): several labels a photo, as one JSON file beside a folder of photos fetched from it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from shelfwise.errors import ImageError
from shelfwise.formats.class_folders import PICTURE_ENDINGS
from shelfwise.formats.json_rows import read_members
from shelfwise.formats.json_text import JsonText
from shelfwise.formats.rows import BadRow, TableRow
from shelfwise.formats.text import open_text
from shelfwise.ingest.cells import CellError, text
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.ingest.table import refuse_missing_folder
from shelfwise.taxonomy import Taxonomy

# Both spellings are in use: the first in the JSON files, the second in the CSV made from them.
_IMAGE, _LABELS = ("image_id", "imageId"), ("label_id", "labelId")


class ImaterialistSource:
    """The images of a file, the labels that its annotations give them, and the photos that were obtained.

    A file of a test has no annotations. The photo of image 7 is `images`/7 with any usual ending; one that is not there is
    a dead link, which is normal. Labels are attributes, each once. An annotation that cannot be used, or that contradicts
    another one, makes a bad row of its image.
    Raises SourceError for a file without images, or that is no JSON.
    """

    kind = "imaterialist"

    def __init__(self, json: Path, images: Path, split: str | None = None) -> None:
        refuse_missing_folder(images)
        self.path, self._images, self._split = json, images, split
        self._has_annotations = _has_member(json, "annotations")
        self._endings, self._twice, self.ignored_files = _photo_files(images)
        self.taxonomy = Taxonomy([])
        self.facts: dict[str, Any] = {"encoding": open_text(json).encoding, "photo_files": len(self._endings)}

    def rows(self) -> Iterator[ProductRecord | BadRow]:
        """Go through the images in order, then through the annotations of none; `facts` tells the counts afterwards."""
        given = self._read_annotations()
        yield from given.bad_rows
        unknown = given.labels.keys() | given.refused.keys()
        obtained: set[str] = set()
        images = without = 0
        for row in read_members(self.path, ["images"]):
            product = self._product(row, given)
            images += 1
            without += isinstance(product, ProductRecord) and product.product_id not in given.labels
            if product.product_id is not None:
                unknown.discard(product.product_id)
                obtained |= {product.product_id} & self._endings.keys()
            yield product
        yield from self._of_unknown_images(unknown)
        self.facts |= {
            "images": images,
            "annotations": given.count,
            "annotations_repeated": given.repeated,
            "images_without_annotation": without,
            "photo_files_of_no_image": len(self._endings) - len(obtained),
        }

    def _product(self, row: TableRow | BadRow, given: _Annotations) -> ProductRecord | BadRow:
        where, image_id = f"{self.path.name}, {row.where}", None
        if isinstance(row, BadRow):
            return BadRow(where, row.code, row.detail, row.text)
        try:
            image_id = _image_id(row)
            if image_id in given.refused:
                raise given.refused[image_id]
            photo = self._photo(image_id)
        except CellError as error:
            return BadRow(where, error.code, error.detail, row.text, image_id)
        return ProductRecord(
            product_id=image_id,
            photos=(photo,),
            attributes=given.labels.get(image_id, ()),
            split=self._split,
            where=where,
            text=row.text,
        )

    def _photo(self, image_id: str) -> PhotoSource:
        if image_id in self._twice:
            detail = f"several files are called {image_id} in {self._images}, with different endings: keep one"
            return PhotoSource(image_id, ImageError("file_ambiguous", detail))
        name = f"{image_id}{self._endings.get(image_id, '.jpg')}"
        return PhotoSource.below(self._images, PurePosixPath(name), may_be_missing=True)

    def _annotation_rows(self) -> Iterator[TableRow | BadRow]:
        return read_members(self.path, ["annotations"]) if self._has_annotations else iter(())

    def _read_annotations(self) -> _Annotations:
        given = _Annotations()
        for row in self._annotation_rows():
            given.count += 1
            where = f"{self.path.name}, {row.where}"
            if isinstance(row, BadRow):
                given.bad_rows.append(BadRow(where, row.code, row.detail, row.text))
                continue
            try:
                given.take(_image_id(row), row)
            except CellError as error:
                given.bad_rows.append(BadRow(where, error.code, error.detail, row.text))
        return given

    def _of_unknown_images(self, unknown: set[str]) -> Iterator[BadRow]:
        for row in self._annotation_rows() if unknown else ():
            with suppress(CellError):
                if isinstance(row, TableRow) and (image_id := _image_id(row)) in unknown:
                    detail = f"the image {image_id!r} of this annotation is not listed under images"
                    yield BadRow(f"{self.path.name}, {row.where}", "image_unknown", detail, row.text, image_id)


@dataclass(slots=True)
class _Annotations:
    """Labels by image; images whose annotations cannot be used, with the reason; annotations that name no image."""

    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: dict[str, CellError] = field(default_factory=dict)
    bad_rows: list[BadRow] = field(default_factory=list)
    count: int = 0
    repeated: int = 0

    def take(self, image_id: str, row: TableRow) -> None:
        """Note the labels of one annotation."""
        try:
            found = _labels(row)
        except CellError as error:
            self.refused[image_id] = CellError(error.code, f"{row.where}: {error.detail}")
            return
        before = self.labels.setdefault(image_id, found)
        self.repeated += before is not found
        if set(before) != set(found):
            said = f"{row.where} says {' '.join(found)!r}, an annotation before it {' '.join(before)!r}"
            self.refused[image_id] = CellError("label_conflict", said)


def _image_id(row: TableRow) -> str:
    key = next((key for key in _IMAGE if key in row.values), _IMAGE[0])
    image_id = text(row.values.get(key), key)
    if not image_id.strip():
        raise CellError("id_missing", f"{key} is missing or empty")
    return image_id


def _labels(row: TableRow) -> tuple[str, ...]:
    key = next((key for key in _LABELS if key in row.values), None)
    if key is None:
        raise CellError("label_missing", f"{_LABELS[0]} is missing")
    value = row.values[key]
    labels = [text(label, key) for label in (value if isinstance(value, list) else [value])]
    if not all(label.strip() for label in labels):
        raise CellError("label_missing", f"{key}: a label is empty")
    return tuple(sys.intern(label) for label in dict.fromkeys(labels))


def _has_member(path: Path, wanted: str) -> bool:
    """Tell whether the object of a file has a member."""
    with JsonText.opened(open_text(path)) as json:
        for name in json.members():
            if name == wanted:
                return True
            json.skip()
    return False


def _photo_files(folder: Path) -> tuple[dict[str, str], set[str], int]:
    """Return the endings of the pictures in a folder by name, names with several endings, and how many files are no picture."""
    endings: dict[str, str] = {}
    twice: set[str] = set()
    others = 0
    for file in os.scandir(folder):
        stem, ending = os.path.splitext(file.name)  # noqa: PTH122 (a million names: no objects)
        if file.is_dir():
            continue
        if ending.lower() not in PICTURE_ENDINGS or file.name.startswith("."):
            others += 1
        elif endings.setdefault(stem, sys.intern(ending)) != ending:
            twice.add(stem)
    return endings, twice, others
