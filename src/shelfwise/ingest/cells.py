"""The cells of a row become a product; where one cannot be used, the row becomes a bad one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
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
    table: what messages call it.
    """

    options: TableOptions
    root: Path
    table: str
    folder: PurePosixPath

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
        options, cells = self.options, row.values
        photos = tuple(self.photos(row))
        if options.image and not photos:
            raise CellError("no_image", f"{' and '.join(options.image)}: no photo is named")
        return ProductRecord(
            product_id=photos[0].name if product_id is None else product_id,
            photos=photos,
            category=category_id(self.category(row)) if options.category else None,
            title=_optional(cells, options.title),
            description=_optional(cells, options.description),
            split=_optional(cells, options.split),
            group=_optional(cells, options.group),
            attributes=attributes(cells[options.attributes], options) if options.attributes else (),
            where=where,
            text=row.text,
        )

    def _id(self, row: TableRow) -> str | None:
        if self.options.id is None:
            return None
        found = text(row.values[self.options.id], self.options.id)
        if not found.strip():
            raise CellError("id_missing", f"{self.options.id} is empty")
        return found

    def category(self, row: TableRow) -> tuple[str, ...]:
        """Return the names from the top down; levels that are blank at the end are left out.

        Raises CellError `label_missing` where all are blank, or one above another that is not.
        """
        columns = self.options.category
        levels = [text(row.values[column], column) for column in columns]
        if self.options.category_separator is not None:
            levels = levels[0].split(self.options.category_separator)
        while levels and not levels[-1].strip():
            levels.pop()
        if not levels:
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
                names = path.split(self.options.image_separator) if self.options.image_separator else [path]
                for name in filter(str.strip, names if data is None else [path or f"{row.where}, photo {number + 1}"]):
                    number += 1
                    yield self._file(name) if data is None else PhotoSource(name, data)

    def _file(self, name: str) -> PhotoSource:
        if name.lower().startswith("file://"):
            return PhotoSource(name, ImageError("path_outside", f"{name} is an address, not a path below {self.root}"))
        if _ADDRESS.match(name):
            reason = f"{name} is an address, not a file: download the photos first and name their folder with --images"
            return PhotoSource(name, ImageError("is_url", reason))
        return PhotoSource.below(self.root, self.folder / name)


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


def attributes(value: Any, options: TableOptions) -> tuple[str, ...]:
    """Return the attributes of a cell, or of a list in it, in their order, each once."""
    column = options.attributes or ""
    if isinstance(value, list | tuple):
        parts = [text(part, column) for part in value]
    else:
        parts = text(value, column).split(options.attributes_separator)
    return tuple(dict.fromkeys(part for part in parts if part.strip()))


def _optional(cells: dict[str, Any], column: str | None) -> str | None:
    found = "" if column is None else text(cells[column], column or "")
    return found if found.strip() else None


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
