"""What every importer yields: one record a product, its photos as files or parts of files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any, Protocol

from shelfwise.errors import ImageError
from shelfwise.files import text_of
from shelfwise.formats.rows import BadRow
from shelfwise.taxonomy import Taxonomy

_real = lru_cache(maxsize=16)(os.path.realpath)


@dataclass(frozen=True, slots=True)
class FilePart:
    """A photo inside a larger file."""

    path: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class PhotoSource:
    """Where a photo comes from: `name` is what people call it.

    data: its bytes, the path to read, the part of a file to read, or the reason why an importer already knows that it
    cannot be used.
    may_be_missing: a photo that is not there is normal for this source (a dead link): counted, not quarantined.
    """

    name: str
    data: bytes | Path | FilePart | ImageError
    may_be_missing: bool = False

    @classmethod
    def below(cls, root: Path, photo: PurePath, *, may_be_missing: bool = False) -> PhotoSource:
        """Name the file `photo` below `root`; one that leads out of it, by dots or links, is not to be read."""
        name = text_of(photo)
        inside = _real(root.absolute())
        if "\0" in name or not Path(os.path.realpath(root / photo)).is_relative_to(inside):
            return cls(name, ImageError("path_outside", f"{name} leads to a place outside {text_of(Path(inside))}"))
        return cls(name, root / photo, may_be_missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRecord:
    """One product as the source tells it; the category is a node id of the taxonomy.

    where, text: its place in the source and how it begins there, for messages; no part of its content.
    """

    product_id: str
    photos: tuple[PhotoSource, ...]
    category: str | None = None
    title: str | None = None
    description: str | None = None
    split: str | None = None
    group: str | None = None
    attributes: tuple[str, ...] = field(default=())
    where: str = field(default="", compare=False)
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of a source that could not be read: from byte `offset` on, `length` bytes, or all that follows for None."""

    offset: int
    length: int | None
    detail: str


class Source(Protocol):
    """A foreign data set, opened: what it holds can be gone through more than once.

    kind: the command's word (`folder`, `cdiscount`). path: the file or folder. ignored_files: those that claim to be no
    photo. facts: what the summary should tell of this source (`encoding`, `separator`, ...), strings or numbers.
    """

    kind: str
    path: Path
    taxonomy: Taxonomy
    ignored_files: int
    facts: dict[str, Any]

    def rows(self) -> Iterator[ProductRecord | BadRow | Damage]:
        """Go through the rows in order; raises SourceError where the structure of the source is broken."""
        ...
