"""Catalogs for export tests, what counts as equal, and reading an export back by the command that its summary tells."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from shelfwise.catalog import Catalog, changing, schema
from shelfwise.export import ExportSummary, export
from shelfwise.formats.rows import BadRow
from shelfwise.ingest import FolderSource, ingest
from shelfwise.ingest.cdiscount import CdiscountSource
from shelfwise.ingest.imaterialist import ImaterialistSource
from shelfwise.ingest.records import PhotoSource, ProductRecord, Source
from shelfwise.ingest.shopee import ShopeeSource
from shelfwise.ingest.table import TableSource
from shelfwise.ingest.tree import category_id, taxonomy_of_names
from shelfwise.options import ExportOptions, TableOptions
from shelfwise.taxonomy import Taxonomy

# What a round trip need not keep: where a photo lay (what is said of that too), which importer brought it, and what follows
# from those.
_NOT_COMPARED = {"uri", "offset", "detail", "source", "fingerprint", "quality", "bytes"}


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


def make_undecoded(to: Path, records: Sequence[ProductRecord], tree: Sequence[tuple[str, ...]]) -> Path:
    """Write the same rows by hand, without a look at the photos, which are taken for JPEG."""
    with changing(to, "make") as change:
        change.replace_taxonomy(taxonomy_of_names(tree))
        rows = [{name: getattr(record, name) for name in _RECORD} for record in records]
        change.append_products([row | {"attributes": list(row["attributes"]), "source": "made"} for row in rows])
        change.append_images(
            [
                {
                    "image_id": f"{record.product_id}#{position}", "product_id": record.product_id, "position": position,
                    "bytes": photo.data, "length": len(photo.data), "sha256": hashlib.sha256(photo.data).digest(),
                    "perceptual_hash": position, "format": "JPEG", "status": "ok", "notes": [],
                }
                for record in records for position, photo in enumerate(record.photos)
            ]
        )  # fmt: skip
    return to


_RECORD = ("product_id", "title", "description", "category", "attributes", "group", "split")


def told(records: Iterable[Any], taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Everything that records say, with the digests of their photos; none may be a bad row."""
    records = list(records)
    assert [record.detail for record in records if isinstance(record, BadRow)] == []
    return [
        {name: getattr(record, name) for name in _RECORD}
        | {"category": record.category and taxonomy.names(record.category)}
        | {"photos": [_digest(photo) for photo in record.photos]}
        for record in records
    ]


def _digest(photo: PhotoSource) -> str:
    data = photo.data.read_bytes() if isinstance(photo.data, Path) else photo.data
    return hashlib.sha256(data).hexdigest()


def exported(catalog: Path, kind: str, name: str = "out", split: str | None = None) -> tuple[ExportSummary, Path]:
    to = catalog.parent / name
    return export(catalog, to, ExportOptions(format=kind, split=split)), to


def read_back(summary: ExportSummary, to: Path) -> Path:
    """Do what the commands of the summary say, into a catalog of another name."""
    for command in summary.ingest:
        ingest(source_of(command, summary), to)
    return to


def source_of(command: list[str], summary: ExportSummary) -> Source:
    """Open the source that a command names."""
    given = _COMMAND.parse_args(command)
    assert (given.verb, given.to) == ("ingest", f"{Path(summary.to).name}.catalog")
    return _source(given)


_COMMAND = argparse.ArgumentParser(exit_on_error=False)
for word in ("verb", "kind", "path"):
    _COMMAND.add_argument(word)
_FLAGS = ("to", "id", "title", "description", "attributes", "group", "split", "image-separator", "attributes-separator")
for word in (*_FLAGS, "images", "categories"):
    _COMMAND.add_argument(f"--{word}")
for word in ("image", "category"):
    _COMMAND.add_argument(f"--{word}", action="append", default=[])
for word in ("escaped", "incomplete"):
    _COMMAND.add_argument(f"--{word}", action="store_true")


def _source(given: argparse.Namespace) -> Source:
    path, images = Path(given.path), given.images and Path(given.images)
    match given.kind:
        case "folder":
            return FolderSource(path)
        case "table":
            return TableSource(path, table_options(given))
        case "cdiscount":
            return CdiscountSource(path, given.categories and Path(given.categories), split=given.split)
        case "imaterialist":
            return ImaterialistSource(path, images, given.split)
        case "shopee":
            return ShopeeSource(path, images)
    raise AssertionError(given.kind)


def table_options(given: argparse.Namespace) -> TableOptions:
    known = {option.name for option in fields(TableOptions)}
    told = {name: value for name, value in vars(given).items() if name in known and value}
    return TableOptions(**told | {name: tuple(told.get(name, ())) for name in ("image", "category")})


def products(catalog: Path) -> list[dict[str, Any]]:
    """Everything that a catalog says of its products, in order, categories by their names."""
    opened = Catalog(catalog)
    rows = opened.products().to_pylist()
    for row in rows:
        row["category"] = row["category"] and opened.taxonomy.names(row["category"])
    return [{name: value for name, value in row.items() if name not in _NOT_COMPARED} for row in rows]


def images(catalog: Path) -> list[dict[str, Any]]:
    """Everything that a catalog says of its photos, in order, with the digest of the bytes that it gives back."""
    opened = Catalog(catalog)
    rows = opened.images([name for name in schema.IMAGES.names if name not in _NOT_COMPARED]).to_pylist()
    readable = [place for place, row in enumerate(rows) if row["sha256"] is not None]
    for place, data in zip(readable, opened.image_bytes(readable) if readable else [], strict=True):
        rows[place]["bytes"] = hashlib.sha256(data).digest()
    return rows


def tree(catalog: Path) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Level names, and the names on the way down to every category, in order."""
    taxonomy = Catalog(catalog).taxonomy
    return taxonomy.level_names, [taxonomy.names(node) for node in taxonomy.nodes_in_order]


def assert_equal(one: Path, other: Path) -> None:
    """Compare two catalogs row for row."""
    assert products(one) == products(other)
    assert images(one) == images(other)
    assert tree(one) == tree(other)


def pictures(folder: Path) -> list[str]:
    """Digests of all files below a folder that are photos, sorted."""
    files = [path for path in folder.rglob("*") if path.suffix in (".jpg", ".png", ".gif")]
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


def digests(*photos: bytes) -> list[str]:
    return sorted(hashlib.sha256(photo).hexdigest() for photo in photos)
