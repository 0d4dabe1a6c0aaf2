"""What every importer yields: one record a product, its photos as files or bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from shelfwise.errors import ImageError
from shelfwise.files import text_of


@dataclass(frozen=True, slots=True)
class PhotoSource:
    """Where a photo comes from: `name` is what people call it.

    data: its bytes, the path to read, or the reason why an importer already knows that it cannot be used.
    """

    name: str
    data: bytes | Path | ImageError

    @classmethod
    def below(cls, root: Path, photo: PurePath) -> PhotoSource:
        """Name the file `photo` below `root`; one that leads out of it, by dots or links, is not to be read."""
        name = text_of(photo)
        if "\0" in name or not Path(os.path.realpath(root / photo)).is_relative_to(os.path.realpath(root)):
            return cls(name, ImageError("path_outside", f"{name} leads to a place outside {root}"))
        return cls(name, root / photo)


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
