"""A table whose columns are named: CSV, TSV, JSON, JSON Lines or Parquet; a row is a product."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from shelfwise.errors import OptionError, SourceError
from shelfwise.formats.csv_write import unescaped
from shelfwise.formats.open_table import need, open_table
from shelfwise.formats.rows import BadRow, Table, TableRow
from shelfwise.ingest.cells import CellError, Cells
from shelfwise.ingest.class_names import class_names
from shelfwise.ingest.records import ProductRecord
from shelfwise.ingest.tree import taxonomy_of_names
from shelfwise.options import TableOptions
from shelfwise.taxonomy import Taxonomy


class TableSource:
    """A table of products.

    images: the folder that the paths of photos start from; default: the table's. A category may have products of its own
    beside categories below it. Without a column of photos, titles alone are a catalog. Numbers that a Parquet file of
    Hugging Face's `datasets` names are read as their names.
    Raises SourceError for a column that does not exist and for a table that is broken or has no rows.
    """

    kind = "table"
    ignored_files = 0

    def __init__(self, path: Path, options: TableOptions, images: Path | None = None) -> None:
        if options.id is None:
            raise OptionError("--id: name the column of the product ids")
        refuse_missing_folder(images)
        self.path = path
        self._table = open_table(path, encoding=options.encoding, separator=options.separator)
        if options.escaped:
            self._table = replace(self._table, rows=partial(_unescaped, self._table))
        need(self._table, options.columns, path)
        self._cells = Cells(options, images or path.parent, path.name, PurePosixPath(), class_names(path))
        self.taxonomy = taxonomy_of_tables([(self._table, self._cells)])
        self.facts: dict[str, Any] = {"encoding": self._table.encoding}

    def rows(self) -> Iterator[ProductRecord | BadRow]:
        """Go through the rows in order."""
        yield from map(self._cells.product, self._table.rows())


def _unescaped(table: Table) -> Iterator[TableRow | BadRow]:
    for row in table.rows():
        if isinstance(row, TableRow):
            values = {name: unescaped(cell) if isinstance(cell, str) else cell for name, cell in row.values.items()}
            row = replace(row, values=values)
        yield row


def refuse_missing_folder(images: Path | None) -> None:
    """Raise SourceError for a folder of photos that is none."""
    if images is not None and not images.is_dir():
        raise SourceError(f"{images} is not a folder: name the one that holds the photos")


def taxonomy_of_tables(tables: Iterable[tuple[Table, Cells]]) -> Taxonomy:
    """Build the tree of all categories that occur, in one pass; its levels are called like their columns."""
    categories: set[tuple[str, ...]] = set()
    level_names: tuple[str, ...] = ()
    for table, cells in tables:
        if not cells.options.category:
            continue
        if cells.options.category_separator is None:
            level_names = cells.options.category
        for row in table.rows():
            if isinstance(row, TableRow):
                with suppress(CellError):  # such a row is a bad one when its turn comes
                    categories.add(cells.category(row))
    return taxonomy_of_names(categories, level_names)
