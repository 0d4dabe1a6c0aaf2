"""Turn records into a catalog: decode and hash every photo, quarantine what cannot be used, count everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from shelfwise.catalog import Catalog
from shelfwise.engines import available_cores, map_ordered
from shelfwise.errors import ImageError, SourceError
from shelfwise.images.decode import decode
from shelfwise.images.files import read_picture
from shelfwise.images.hashes import perceptual_hash, picture_digest
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.progress import SILENT, Advance, Progress
from shelfwise.taxonomy import Taxonomy

# Products per commit, and bytes of photos: few enough to keep in memory, many enough to keep a big import to few versions.
_CHUNK, _CHUNK_BYTES = 2048, 256 * 2**20


@dataclass(slots=True)
class IngestSummary:
    """Counts of an import: photos = images + quarantined + duplicates."""

    catalog: str
    products: int = 0
    photos: int = 0
    images: int = 0
    quarantined: int = 0
    duplicates: int = 0
    ignored_files: int = 0
    products_by_split: dict[str, int] = field(default_factory=dict)
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    categories: int = 0
    levels: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)


def write_catalog(
    records: Iterable[ProductRecord],
    taxonomy: Taxonomy,
    to: Path,
    *,
    source: dict[str, Any],
    total: int | None = None,
    ignored_files: int = 0,
    progress: Progress = SILENT,
) -> IngestSummary:
    """Write a new catalog from records; either all of it appears at `to`, or nothing does.

    A product id that was seen before counts its photos as duplicates when the record says the same.
    Raises SourceError when the same id comes with other content, or when there are no records.
    """
    summary = IngestSummary(
        str(to), ignored_files=ignored_files, categories=len(taxonomy.leaves), levels=taxonomy.depth
    )
    with Catalog.create(to, taxonomy, source) as catalog, progress.task("ingest", total) as advance:
        fresh = _without_repeats(iter(records), summary)
        while chunk := list(islice(fresh, _CHUNK)):
            catalog.append_products([_product_row(record, source["kind"]) for record in chunk])
            _count_products(summary, chunk)
            for rows in _image_rows(chunk, advance):
                catalog.append_images(rows)
                _count_images(summary, rows)
        if not summary.photos:
            raise SourceError("no photos found: nothing was written")
    return summary


def _without_repeats(records: Iterator[ProductRecord], summary: IngestSummary) -> Iterator[ProductRecord]:
    seen: dict[str, int] = {}
    for record in records:
        content = hash(record)
        if record.product_id not in seen:
            seen[record.product_id] = content
            yield record
        elif seen[record.product_id] == content:
            summary.duplicates += len(record.photos)
            summary.photos += len(record.photos)
        else:
            raise SourceError(f"product {record.product_id!r} occurs twice with different content")


def _product_row(record: ProductRecord, source: str) -> dict[str, Any]:
    return {
        "product_id": record.product_id,
        "title": record.title,
        "description": record.description,
        "category": record.category,
        "attributes": list(record.attributes),
        "group": record.group,
        "split": record.split,
        "quality": None,
        "source": source,
    }


def _image_rows(chunk: list[ProductRecord], advance: Advance) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of the photos of some products, in parts of bounded size."""
    photos = [(record.product_id, position, photo) for record in chunk for position, photo in enumerate(record.photos)]
    rows: list[dict[str, Any]] = []
    size_bytes = 0
    for row in map_ordered(_image_row, photos, available_cores()):
        rows.append(row)
        size_bytes += row.get("length", 0)
        advance(1)
        if size_bytes >= _CHUNK_BYTES:
            yield rows
            rows, size_bytes = [], 0
    if rows:
        yield rows


def _image_row(photo: tuple[str, int, PhotoSource]) -> dict[str, Any]:
    product_id, position, source = photo
    row: dict[str, Any] = {"image_id": f"{product_id}#{position}", "product_id": product_id, "position": position}
    row |= {"uri": source.name, "notes": []}
    try:
        data = _read(source.data)
        row |= {"bytes": data, "length": len(data), "sha256": bytes.fromhex(picture_digest(data))}
        picture = decode(data)
    except ImageError as error:
        return row | {"status": "quarantined", "reason": error.code, "detail": error.detail}
    notes = list(picture.notes)
    if Path(source.name).suffix and not _extension_fits(source.name, picture.format):
        notes.append("img_ext")
    return row | {
        "perceptual_hash": perceptual_hash(picture.pixels),
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "mode": picture.mode,
        "status": "ok",
        "notes": notes,
    }


def _read(source: Path | bytes | ImageError) -> bytes:
    if isinstance(source, ImageError):
        raise source
    return source if isinstance(source, bytes) else read_picture(source)


_EXTENSIONS = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"}, "MPO": {".jpg", ".jpeg", ".mpo"}, "PNG": {".png", ".apng"},
    "WEBP": {".webp"}, "GIF": {".gif"}, "BMP": {".bmp", ".dib"}, "TIFF": {".tif", ".tiff"}, "AVIF": {".avif"},
}  # fmt: skip


def _extension_fits(name: str, image_format: str) -> bool:
    return Path(name).suffix.lower() in _EXTENSIONS.get(image_format, set())


def _count_products(summary: IngestSummary, chunk: list[ProductRecord]) -> None:
    summary.products += len(chunk)
    for record in chunk:
        split = record.split or "none"
        summary.products_by_split[split] = summary.products_by_split.get(split, 0) + 1


def _count_images(summary: IngestSummary, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        summary.photos += 1
        summary.images += row["status"] == "ok"
        summary.quarantined += row["status"] == "quarantined"
        if row["status"] == "quarantined":
            summary.quarantined_by_reason[row["reason"]] = summary.quarantined_by_reason.get(row["reason"], 0) + 1
        for note in row["notes"]:
            summary.notes[note] = summary.notes.get(note, 0) + 1
