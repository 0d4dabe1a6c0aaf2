"""Open sources in tests and take apart what they yield."""

from __future__ import annotations

from pathlib import Path

from shelfwise.errors import ImageError
from shelfwise.formats.rows import BadRow
from shelfwise.ingest.records import PhotoSource, ProductRecord, Source


def products(source: Source) -> list[ProductRecord]:
    return [row for row in source.rows() if isinstance(row, ProductRecord)]


def bad_rows(source: Source) -> list[BadRow]:
    return [row for row in source.rows() if isinstance(row, BadRow)]


def told(source: Source) -> dict[str, str]:
    """Code of every bad row by its place."""
    return {bad.where: bad.code for bad in bad_rows(source)}


def fault(photo: PhotoSource) -> str | None:
    """Code of a photo that cannot be used, as far as the source knows."""
    return photo.data.code if isinstance(photo.data, ImageError) else None


def table(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return path
