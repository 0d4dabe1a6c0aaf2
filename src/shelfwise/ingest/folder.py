"""A folder of class folders: nested folders are the tree, an optional train / val / test level lies on top."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shelfwise.errors import ImageError, SourceError
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.ingest.tree import taxonomy_of_paths
from shelfwise.ingest.writer import IngestSummary, write_catalog
from shelfwise.progress import SILENT, Progress

SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
# Files with these endings claim to be pictures: they are read, and quarantined where they are not or cannot be used.
PICTURE_ENDINGS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .gif .bmp .dib .tif .tiff .avif .heic .heif .svg .ico .psd .mpo".split()
)


@dataclass(frozen=True, slots=True)
class _Found:
    photos: list[PurePosixPath]
    folders: list[PurePosixPath]
    ignored: int


def ingest_folder(root: Path | str, to: Path | str, *, progress: Progress = SILENT) -> IngestSummary:
    """Import a folder of class folders; one photo is one product.

    A photo directly in the root (or in a split folder) has no category. Hidden files and files that do not claim to be
    pictures are ignored and counted. Raises SourceError for a folder that is missing, holds no photo, or has class
    folders without one.
    """
    root = Path(root)
    if not root.is_dir():
        raise SourceError(f"{root} is not a folder")
    found = _walk(root)
    has_splits = _top_folders_are_splits(found)
    places = {photo: _place(photo, has_splits) for photo in found.photos}
    _refuse_empty_folders(found, has_splits)
    records = list(_records(root, places))
    taxonomy = taxonomy_of_paths(category for _, category in places.values() if category)
    source = {"kind": "folder", "path": str(root.absolute())}
    return write_catalog(
        records, taxonomy, Path(to), source=source, total=len(records), ignored_files=found.ignored, progress=progress
    )


def _walk(root: Path) -> _Found:
    found = _Found([], [], 0)
    ignored = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        here = PurePosixPath(Path(folder).relative_to(root).as_posix())
        found.folders.append(here)
        pictures = [n for n in files if not n.startswith(".") and PurePosixPath(n).suffix.lower() in PICTURE_ENDINGS]
        found.photos.extend(here / name for name in sorted(pictures))
        ignored += len(files) - len(pictures)
    return _Found(found.photos, found.folders, ignored)


def _top_folders_are_splits(found: _Found) -> bool:
    top = {folder.parts[0] for folder in found.folders if folder.parts}
    return "train" in top and top <= set(SPLIT_NAMES) and any(len(photo.parts) > 2 for photo in found.photos)


def _place(path: PurePosixPath, has_splits: bool) -> tuple[str | None, str]:
    """Return split and category (empty for none) of a photo's path."""
    parts = path.parts[:-1]
    split = SPLIT_NAMES[parts[0]] if has_splits and parts else None
    return split, str(PurePosixPath(*parts[1:] if has_splits else parts)) if parts[has_splits:] else ""


def _refuse_empty_folders(found: _Found, has_splits: bool) -> None:
    skip = 1 if has_splits else 0
    filled = {above.parts[skip:] for photo in found.photos for above in photo.parents}
    empty = sorted({"/".join(folder.parts[skip:]) for folder in found.folders if folder.parts[skip:] not in filled} - {""})
    if empty:
        raise SourceError(f"{len(empty)} class folders hold no photo: {', '.join(empty[:10])}; fill or remove them")


def _records(root: Path, places: dict[PurePosixPath, tuple[str | None, str]]) -> Iterator[ProductRecord]:
    inside = root.resolve()
    for photo, (split, category) in places.items():
        path, name = root / photo, str(photo)
        outside = path.is_symlink() and not path.resolve().is_relative_to(inside)
        data = ImageError("path_outside", f"{name} links to a place outside {root}") if outside else path
        yield ProductRecord(product_id=name, photos=(PhotoSource(name, data),), category=category or None, split=split)
