"""The cells of a row become a product; where one cannot be used, the row becomes a bad one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from shelfwise.errors import ImageError
from shelfwise.formats.rows import BadRow, TableRow
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.ingest.tree import category_id
from shelfwise.options import TableOptions

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class CellError(Exception):
    """A cell that cannot be used; ends as a BadRow."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Cells:
    """How the rows of one table are read.

    root: photos lie below it. folder: where the table lies, as seen from `root`; its photos' paths start there.
    table: what messages call it. class_names: of columns that hold numbers and say what those are called.
    """

    options: TableOptions
    root: Path
    table: str
    folder: PurePosixPath
    class_names: Mapping[str, Sequence[str]]

    def product(self, row: TableRow | BadRow) -> ProductRecord | BadRow:
        """Turn a row into a product. Without a column of ids, the first photo's name is the id."""
        where = f"{self.table}, {row.where}"
        if isinstance(row, BadRow):
            return BadRow(where, row.code, row.detail, row.text, row.product_id)
        product_id = None
        try:
            product_id = self._id(row)
            return self._product(row, product_id, where)
        except CellError as refused:
            return BadRow(where, refused.code, refused.detail, row.text, product_id)

    def _product(self, row: TableRow, product_id: str | None, where: str) -> ProductRecord:
        options = self.options
        photos = tuple(self.photos(row))
        if options.image and not photos and not options.incomplete:
            raise CellError("no_image", f"{' and '.join(options.image)}: no photo is named")
        return ProductRecord(
            product_id=photos[0].name if product_id is None else product_id,
            photos=photos,
            category=category_id(self.category(row)) or None if options.category else None,
            title=self._optional(row, options.title),
            description=self._optional(row, options.description),
            split=self._optional(row, options.split),
            group=self._optional(row, options.group),
            attributes=self._attributes(row),
            where=where,
            text=row.text,
        )

    def _id(self, row: TableRow) -> str | None:
        if self.options.id is None:
            return None
        found = self._text(row.values[self.options.id], self.options.id)
        if not found.strip():
            raise CellError("id_missing", f"{self.options.id} is empty")
        return found

    def category(self, row: TableRow) -> tuple[str, ...]:
        """Return the names from the top down; levels that are blank at the end are left out.

        Raises CellError `label_missing` where all are blank, or one above another that is not.
        """
        columns = self.options.category
        levels = [self._text(row.values[column], column) for column in columns]
        if self.options.category_separator is not None:
            levels = levels[0].split(self.options.category_separator)
        while levels and not levels[-1].strip():
            levels.pop()
        if not levels and not self.options.incomplete:
            raise CellError("label_missing", f"{' and '.join(columns)}: the category is empty")
        if not all(name.strip() for name in levels):
            shown = " > ".join(name.strip() or "?" for name in levels)
            raise CellError("label_missing", f"{' and '.join(columns)}: a level is empty above others: {shown}")
        return tuple(levels)

    def photos(self, row: TableRow) -> Iterator[PhotoSource]:
        """Yield the photos of all image columns; a cell that is empty holds none."""
        number = 0
        for column in self.options.image:
            for cell in _flat(row.values[column]):
                path, data = _path_and_data(cell, column)
                if data is not None:
                    number += 1
                    yield PhotoSource(path if path.strip() else f"{row.where}, photo {number}", data)
                    continue
                names = path.split(self.options.image_separator) if self.options.image_separator else [path]
                for name in filter(str.strip, names):
                    number += 1
                    yield self._file(name)

    def _file(self, name: str) -> PhotoSource:
        if name.lower().startswith("file://"):
            return PhotoSource(name, ImageError("path_outside", f"{name} is an address, not a path below {self.root}"))
        if _ADDRESS.match(name):
            reason = f"{name} is an address, not a file: download the photos first and name their folder with --images"
            return PhotoSource(name, ImageError("is_url", reason))
        return PhotoSource.below(self.root, self.folder / name)

    def _attributes(self, row: TableRow) -> tuple[str, ...]:
        """Return the attributes of a cell, or of a list in it, in their order, each once."""
        if (column := self.options.attributes) is None:
            return ()
        value = row.values[column]
        if isinstance(value, list | tuple):
            parts = [self._text(part, column) for part in value]
        else:
            parts = self._text(value, column).split(self.options.attributes_separator)
        return tuple(dict.fromkeys(part for part in parts if part.strip()))

    def _optional(self, row: TableRow, column: str | None) -> str | None:
        found = "" if column is None else self._text(row.values[column], column)
        return found if found.strip() else None

    def _text(self, value: Any, column: str) -> str:
        names = self.class_names.get(column)
        if names is None or not isinstance(value, int):
            return text(value, column)
        if value == -1:  # Hugging Face's "no label"
            return ""
        if not 0 <= value < len(names):
            raise CellError("label_unknown", f"{column} holds {value}, but names only 0 to {len(names) - 1}")
        return names[value]


def text(value: Any, column: str) -> str:
    """Return a cell as text, kept as written; nothing (null, the NaN of a column of floats) is the empty text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal | date | time):
        return str(value)
    raise CellError("cell_type", f"{column} holds {_kind(value)} where text is expected")


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _path_and_data(cell: Any, column: str) -> tuple[str, bytes | None]:
    """Read a photo's cell: a path, its bytes, or both as Hugging Face writes them, {"bytes": ..., "path": ...}."""
    if isinstance(cell, dict) and cell.keys() <= {"bytes", "path"}:
        path, data = text(cell.get("path"), column), cell.get("bytes")
    else:
        path, data = ("", cell) if isinstance(cell, bytes) else (cell, None)
    if not isinstance(data, bytes | None) or not isinstance(path, str | None):
        raise CellError("cell_type", f"{column} holds {_kind(cell)} where a photo's path or bytes are expected")
    return path or "", data


def _kind(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        bytes: "bytes",
        int: "a number",
        float: "a number",
        bool: "true or false",
    }
    return names.get(type(value), f"a {type(value).__name__}")
