"""Catalogs for export tests, what counts as equal, and reading an export back by the command that its summary tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drawn_shop import tiny
from shelfwise.catalog import Catalog
from shelfwise.export import ExportSummary, export
from shelfwise.ingest import FolderSource, ingest
from shelfwise.ingest.cdiscount import CdiscountSource
from shelfwise.ingest.imaterialist import ImaterialistSource
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.ingest.shopee import ShopeeSource
from shelfwise.ingest.table import TableSource
from shelfwise.ingest.tree import category_id, taxonomy_of_names
from shelfwise.options import ExportOptions, TableOptions
from shelfwise.taxonomy import Taxonomy

# What a round trip need not keep: where a photo lay, which importer brought it, and what is computed from those.
_NOT_COMPARED = {"uri", "offset", "source", "fingerprint", "quality", "bytes"}


@dataclass
class Records:
    """A source whose products are given."""

    records: Sequence[ProductRecord]
    taxonomy: Taxonomy
    kind: str = "records"
    path: Path = Path("records")
    ignored_files: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    def rows(self) -> Iterator[ProductRecord]:
        yield from self.records


def product(
    product_id: str, *photos: bytes, category: tuple[str, ...] | None = None, names: str = "photo", **rest: Any
) -> ProductRecord:
    """Make a product of photos' bytes and the names of its category."""
    sources = tuple(PhotoSource(f"{names} {number}", data) for number, data in enumerate(photos))
    filed = category_id(category) if category else None
    return ProductRecord(product_id=product_id, photos=sources, category=filed, **rest)


def make(to: Path, *records: ProductRecord, tree: Sequence[tuple[str, ...]], level_names: Sequence[str] = ()) -> Path:
    """Bring products into a catalog."""
    ingest(Records(records, taxonomy_of_names(tree, level_names)), to)
    return to


def exported(catalog: Path, kind: str, name: str = "out", split: str | None = None) -> tuple[ExportSummary, Path]:
    to = catalog.parent / name
    return export(catalog, to, ExportOptions(format=kind, split=split)), to


def read_back(summary: ExportSummary, to: Path) -> Path:
    """Do what the commands of the summary say, into a catalog of another name."""
    for command in summary.ingest:
        verb, kind, path, *flags = command
        given: dict[str, list[str]] = {}
        for word in flags:
            if word.startswith("--") and (not given or given[flag] or flag in _SWITCHES):
                flag = word.removeprefix("--").replace("-", "_")
                given.setdefault(flag, [])
                repeated = len(given[flag])
            else:
                given[flag].append(word)
        assert verb == "ingest"
        assert given.pop("to") == [f"{Path(summary.to).name}.catalog"]
        ingest(_source(kind, Path(path), given), to)
    return to
