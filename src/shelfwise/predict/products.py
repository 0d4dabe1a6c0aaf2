"""What is asked about: files, one by one or a folder at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shelfwise.errors import SourceError


@dataclass(frozen=True, slots=True)
class Product:
    """Photos that get one answer, under the name of the photo or of their folder."""

    name: Path
    photos: tuple[Path, ...]
    is_folder: bool = False


def each_photo(photos: Sequence[Path | str]) -> list[Product]:
    """Return every photo as a product; a folder stands for all files below it but hidden ones.

    Raises SourceError for what does not exist and for a folder without files.
    """
    return [Product(file, (file,)) for file in _files(photos)]


def each_folder(photos: Sequence[Path | str]) -> list[Product]:
    """Return every folder that holds photos as a product, in the order of their first photos; errors as above."""
    folders: dict[Path, dict[Path, None]] = {}
    for file in _files(photos):
        folders.setdefault(file.parent, {})[file] = None
    return [Product(folder, tuple(files), is_folder=True) for folder, files in folders.items()]


def batches(products: Sequence[Product], photos: int) -> Iterator[list[Product]]:
    """Yield products in batches of about so many photos, products whole."""
    batch: list[Product] = []
    for product in products:
        if batch and sum(len(each.photos) for each in batch) + len(product.photos) > photos:
            yield batch
            batch = []
        batch.append(product)
    if batch:
        yield batch


def _files(photos: Sequence[Path | str]) -> Iterator[Path]:
    for photo in map(Path, photos):
        if photo.is_dir():
            hidden = (".", "__")
            below = [
                f for f in sorted(photo.rglob("*")) if not any(p.startswith(hidden) for p in f.relative_to(photo).parts)
            ]
            below = [file for file in below if not file.is_dir()]
            if not below:
                raise SourceError(f"{photo} holds no files")
            yield from below
        elif photo.exists():
            yield photo
        else:
            raise SourceError(f"{photo} does not exist")
