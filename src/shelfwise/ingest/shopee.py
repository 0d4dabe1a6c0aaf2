"""Shopee Price Match Guarantee: postings with a photo and a title, and which of them are the same product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from shelfwise.formats.open_table import need, open_table
from shelfwise.formats.rows import BadRow
from shelfwise.ingest.cells import Cells
from shelfwise.ingest.records import ProductRecord
from shelfwise.ingest.table import refuse_missing_folder
from shelfwise.options import TableOptions
from shelfwise.taxonomy import Taxonomy

# Source: kaggle.com/c/shopee-product-matching/data; test.csv has no label_group.
_TEST_COLUMNS = {"posting_id", "image", "image_phash", "title"}
_GROUP = "label_group"


class ShopeeSource:
    """The postings of train.csv, or of test.csv, whose groups nobody knows.

    A posting is a product, and two may share a photo. The perceptual hash that the file gives is not taken: the catalog
    holds its own, of the pixels.
    """

    kind = "shopee"
    ignored_files = 0

    def __init__(self, csv: Path, images: Path) -> None:
        refuse_missing_folder(images)
        self.path = csv
        self._table = open_table(csv)
        is_test = set(self._table.columns) == _TEST_COLUMNS
        need(self._table, sorted(_TEST_COLUMNS | (set() if is_test else {_GROUP})), csv)
        options = TableOptions(id="posting_id", image=("image",), title="title", group=None if is_test else _GROUP)
        self._cells = Cells(options, images, csv.name, PurePosixPath(), {})
        self.taxonomy = Taxonomy([])
        self.facts: dict[str, Any] = {"encoding": self._table.encoding, "groups": "none" if is_test else _GROUP}

    def rows(self) -> Iterator[ProductRecord | BadRow]:
        """Go through the postings in order."""
        yield from map(self._cells.product, self._table.rows())
