"""A source that yields what a test gives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shelfwise.errors import ImageError
from shelfwise.formats.rows import BadRow
from shelfwise.ingest.records import Damage, FilePart, PhotoSource, ProductRecord
from shelfwise.ingest.tree import taxonomy_of_paths


class GivenSource:
    """Rows in a list; their categories are paths."""

    def __init__(self, *rows: ProductRecord | BadRow | Damage, path: Path = Path("given.csv")) -> None:
        self.kind, self.path, self._rows = "given", path, rows
        self.taxonomy = taxonomy_of_paths(
            row.category for row in rows if isinstance(row, ProductRecord) and row.category
        )
        self.ignored_files, self.facts = 0, {"encoding": "utf-8"}

    def rows(self) -> Iterator[ProductRecord | BadRow | Damage]:
        yield from self._rows


def record(name: str, *photos: bytes | Path | FilePart | ImageError, **fields: Any) -> ProductRecord:
    missing = fields.pop("may_be_missing", False)
    sources = tuple(PhotoSource(f"{name}-{place}.png", photo, missing) for place, photo in enumerate(photos))
    return ProductRecord(product_id=name, photos=sources, **{"category": "a", "where": f"line {name}"} | fields)
