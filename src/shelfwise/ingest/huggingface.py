"""A Hugging Face image folder: photos, and metadata.csv / .jsonl / .parquet whose column file_name names them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from shelfwise.errors import OptionError, SourceError
from shelfwise.files import text_of
from shelfwise.formats.class_folders import SPLIT_NAMES
from shelfwise.formats.open_table import need, open_table
from shelfwise.formats.rows import BadRow, Table, TableRow
from shelfwise.ingest.cells import CellError, Cells
from shelfwise.ingest.class_names import class_names
from shelfwise.ingest.folder import FolderSource, Found, find_photos, refuse_beside_splits
from shelfwise.ingest.records import ProductRecord
from shelfwise.ingest.table import taxonomy_of_tables
from shelfwise.options import TableOptions

# Source: huggingface.co/docs/datasets/image_dataset, section ImageFolder.
_ENDINGS = (".csv", ".jsonl", ".parquet")
_COLUMNS = ("file_name", "file_names")


class HuggingFaceSource:
    """An image folder of Hugging Face's `datasets`; without metadata it is a folder of class folders.

    Photos' paths start at the metadata's folder. A product's id is its first photo's path, and its split the folder train /
    validation / test on top, unless options name columns. A photo that no row names is a bad row (`metadata_missing`);
    a row's photo that is not there is quarantined like any.
    Raises SourceError for two metadata files that speak of the same folder, for metadata in a form that is not read, and,
    without metadata, where options name columns.
    """

    kind = "huggingface"

    def __init__(self, root: Path, options: TableOptions | None = None) -> None:
        self.path, self._options = root, options or TableOptions()
        if self._options.separator is not None:
            raise OptionError("--separator: metadata.csv is separated by commas")
        found = find_photos(root)
        metadata = _metadata_files(root, found)
        self.facts: dict[str, Any] = {"metadata": ", ".join(map(text_of, metadata)) or "none"}
        self._folder: FolderSource | None = None
        self._tables: list[tuple[Table, Cells]] = []
        self._photos = found.photos
        if metadata:
            self._has_splits = _has_splits(found)
            self._tables = [self._opened(path) for path in metadata]
            self.taxonomy = taxonomy_of_tables(self._tables)
            self.ignored_files = found.ignored - len(metadata)
            self.facts["encoding"] = ", ".join(sorted({table.encoding for table, _ in self._tables}))
        else:
            self._folder = self._class_folders(found)
            self.taxonomy, self.ignored_files = self._folder.taxonomy, self._folder.ignored_files

    def rows(self) -> Iterator[ProductRecord | BadRow]:
        """Go through the metadata in order, then through the photos that it does not name."""
        if self._folder is not None:
            yield from self._folder.rows()
            return
        named: set[str] = set()
        for table, cells in self._tables:
            for row in table.rows():
                product = cells.product(row)
                named |= _named(cells, row)
                yield self._with_split(product) if isinstance(product, ProductRecord) else product
        for photo in self._photos:
            if (name := text_of(photo)) not in named:
                detail = f"no sound row of {self.facts['metadata']} names this photo"
                yield BadRow(name, "metadata_missing", detail, name)

    def _opened(self, metadata: PurePosixPath) -> tuple[Table, Cells]:
        path = self.path / metadata
        is_text = metadata.suffix.lower() != ".parquet"
        table = open_table(path, encoding=self._options.encoding if is_text else None)
        usual = tuple(column for column in _COLUMNS if column in table.columns) or _COLUMNS[:1]
        options = replace(self._options, image=self._options.image or usual)
        need(table, options.columns, path)
        return table, Cells(options, self.path, text_of(metadata), metadata.parent, class_names(path))

    def _with_split(self, product: ProductRecord) -> ProductRecord:
        top = PurePosixPath(product.photos[0].name).parts[0].lower()
        if not self._has_splits or self._options.split is not None or top not in SPLIT_NAMES:
            return product
        return replace(product, split=SPLIT_NAMES[top])

    def _class_folders(self, found: Found) -> FolderSource:
        if not found.photos:
            raise SourceError(f"{self.path} holds neither photos nor metadata; a Parquet file is for `ingest table`")
        if columns := self._options.columns:
            raise SourceError(
                f"{self.path} holds no metadata.csv, .jsonl or .parquet, so there are no columns {list(columns)}"
            )
        return FolderSource(self.path)


def _metadata_files(root: Path, found: Found) -> list[PurePosixPath]:
    """Return the metadata files, whatever the case of their names."""
    metadata = [path for path in found.others if path.name.lower().startswith("metadata.")]
    for path in metadata:
        if path.name.lower() not in {f"metadata{ending}" for ending in _ENDINGS}:
            raise SourceError(f"{root / path} is not read: metadata is .csv, .jsonl or .parquet; convert or rename it")
        for other in metadata:
            if other != path and other.parent in (path.parent, *path.parent.parents):
                both = " and ".join(sorted(map(text_of, (path, other))))
                raise SourceError(f"{root}: {both} both speak of the photos in {text_of(path.parent)}: keep one")
    return metadata


def _has_splits(found: Found) -> bool:
    top = {photo.parts[0] for photo in found.photos if len(photo.parts) > 1}
    refuse_beside_splits(top)
    return any(name.lower() in SPLIT_NAMES for name in top)


def _named(cells: Cells, row: TableRow | BadRow) -> set[str]:
    """Return the photos that a row names, also where the row cannot become a product."""
    try:
        return {os.path.normpath(photo.name) for photo in cells.photos(row)} if isinstance(row, TableRow) else set()
    except CellError:
        return set()
