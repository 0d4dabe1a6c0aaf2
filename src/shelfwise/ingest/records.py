"""What every importer yields: one record a product, its photos as files or bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from shelfwise.errors import ImageError


@dataclass(frozen=True, slots=True)
class PhotoSource:
    """Where a photo comes from: `name` is what people call it.

    data: its bytes, the path to read, or the reason why an importer already knows that it cannot be used.
    """

    name: str
    data: bytes | Path | ImageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRecord:
    """One product as the source tells it; the category is a node id of the taxonomy."""

    product_id: str
    photos: tuple[PhotoSource, ...]
    category: str | None = None
    title: str | None = None
    description: str | None = None
    split: str | None = None
    group: str | None = None
    attributes: tuple[str, ...] = field(default=())
