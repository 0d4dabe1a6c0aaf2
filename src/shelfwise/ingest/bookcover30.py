"""BookCover30: covers, titles and 30 genres, as a listing without a header line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from shelfwise.errors import SourceError
from shelfwise.formats.open_table import open_table
from shelfwise.formats.rows import BadRow, TableRow
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.ingest.table import refuse_missing_folder
from shelfwise.taxonomy import Node, Taxonomy

# Source: github.com/uchidalab/book-dataset, Task1; `id` is the file's number without its leading zeros.
COLUMNS = ("id", "file", "url", "title", "author", "category_id", "category")


class BookCover30Source:
    """A listing of books; the name of the cover's file is the product's id, since the listing's own lost its leading zeros.

    images: the folder of covers; one that is not there is normal. None: titles alone. split: that of all its books.
    Raises SourceError for a genre that has two names. Authors are not taken: a catalog has no place for them.
    """

    kind = "bookcover30"
    ignored_files = 0

    def __init__(self, listing: Path, images: Path | None = None, split: str | None = None) -> None:
        refuse_missing_folder(images)
        self.path, self._images, self._split = listing, images, split
        # Most lines are UTF-8; what is not was damaged in a conversion, and no other encoding makes it readable.
        self._table = open_table(listing, encoding="utf-8", separator=",", columns=COLUMNS)
        self.taxonomy = self._genres()
        self.facts: dict[str, Any] = {"encoding": self._table.encoding}

    def rows(self) -> Iterator[ProductRecord | BadRow]:
        """Go through the books in order."""
        for row in self._table.rows():
            where = f"{self.path.name}, {row.where}"
            if isinstance(row, BadRow):
                yield BadRow(where, row.code, row.detail, row.text)
            else:
                yield self._book(row, where)

    def _book(self, row: TableRow, where: str) -> ProductRecord | BadRow:
        cells = row.values
        product_id = PurePosixPath(cells["file"]).stem
        if not product_id.strip():
            return BadRow(where, "id_missing", "the name of the cover's file is empty", row.text)
        if not _has_genre(row):
            return BadRow(where, "label_missing", "the genre has no id or no name", row.text, product_id)
        photos: tuple[PhotoSource, ...] = ()
        if self._images is not None:
            photos = (PhotoSource.below(self._images, PurePosixPath(cells["file"]), may_be_missing=True),)
        return ProductRecord(
            product_id=product_id,
            photos=photos,
            category=cells["category_id"],
            title=cells["title"] or None,
            split=self._split,
            where=where,
            text=row.text,
        )

    def _genres(self) -> Taxonomy:
        names: dict[str, tuple[str, str]] = {}
        for row in self._table.rows():
            if not isinstance(row, TableRow) or not _has_genre(row):
                continue
            genre, name = row.values["category_id"], row.values["category"]
            before, where = names.setdefault(genre, (name, row.where))
            if before != name:
                raise SourceError(
                    f"{self.path}, {row.where}: the genre {genre} is called {name!r} here and {before!r} on {where}"
                )
        level_names = ("genre",) if names else ()
        return Taxonomy([Node(genre, name, None) for genre, (name, _) in sorted(names.items())], level_names)


def _has_genre(row: TableRow) -> bool:
    return bool(row.values["category_id"].strip() and row.values["category"].strip())
