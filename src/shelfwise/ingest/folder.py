"""A folder of class folders: nested folders are the tree, an optional train / val / test level lies on top."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shelfwise.errors import SourceError
from shelfwise.files import text_of
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.ingest.tree import taxonomy_of_paths
from shelfwise.ingest.writer import IngestSummary, write_catalog
from shelfwise.progress import SILENT, Progress

SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
# Files with these endings claim to be pictures: they are read, and quarantined where they are not or cannot be used.
PICTURE_ENDINGS = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".webp",
        ".gif",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".heif",
        ".svg",
        ".ico",
        ".psd",
        ".mpo",
    ]
)


@dataclass(frozen=True, slots=True)
class _Found:
    photos: list[PurePosixPath]
    folders: list[PurePosixPath]
    ignored: int


def ingest_folder(root: Path | str, to: Path | str, *, progress: Progress = SILENT) -> IngestSummary:
    """Import a folder of class folders; one photo is one product.

    A photo directly in the root (or in a split folder) has no category. Files that are hidden, lie in hidden folders, or
    do not claim to be pictures are ignored and counted. Raises SourceError for a folder that is missing, holds no photo,
    or has class folders without one or that are links.
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
    source = {"kind": "folder", "path": text_of(root.absolute())}
    return write_catalog(
        records, taxonomy, Path(to), source=source, total=len(records), ignored_files=found.ignored, progress=progress
    )


def _walk(root: Path) -> _Found:
    photos: list[PurePosixPath] = []
    class_folders: list[PurePosixPath] = []
    linked: list[PurePosixPath] = []
    ignored = 0
    for folder, folders, files in os.walk(root, onerror=_refuse_unreadable):
        folders.sort()
        here = PurePosixPath(Path(folder).relative_to(root).as_posix())
        if any(name.startswith((".", "__")) for name in here.parts):
            ignored += len(files)
            continue
        class_folders.append(here)
        linked += [here / name for name in folders if Path(folder, name).is_symlink() and not name.startswith(".")]
        pictures = [n for n in files if not n.startswith(".") and PurePosixPath(n).suffix.lower() in PICTURE_ENDINGS]
        photos += [here / name for name in sorted(pictures)]
        ignored += len(files) - len(pictures)
    if linked:
        raise SourceError(
            f"{len(linked)} folders are links, which are not followed: {_listing(linked)}; copy them in place"
        )
    return _Found(photos, class_folders, ignored)


def _refuse_unreadable(error: OSError) -> None:
    raise SourceError(f"{error.filename} cannot be read: {error.strerror}") from error


def _listing(paths: list[PurePosixPath]) -> str:
    return ", ".join(text_of(path) for path in paths[:10])


def _top_folders_are_splits(found: _Found) -> bool:
    top = {folder.parts[0] for folder in found.folders if folder.parts}
    splits = {name for name in top if name.lower() in SPLIT_NAMES}
    if "train" not in map(str.lower, splits) or not any(len(photo.parts) > 2 for photo in found.photos):
        return False
    if splits != top and len(splits) > 1:
        others = _listing([PurePosixPath(name) for name in sorted(top - splits)])
        raise SourceError(f"{', '.join(sorted(splits))} look like splits, but beside them lies: {others}; move it away")
    return splits == top


def _place(path: PurePosixPath, has_splits: bool) -> tuple[str | None, str]:
    """Return split and category (empty for none) of a photo's path."""
    parts = path.parts[:-1]
    split = SPLIT_NAMES[parts[0].lower()] if has_splits and parts else None
    return split, text_of(PurePosixPath(*parts[has_splits:])) if parts[has_splits:] else ""


def _refuse_empty_folders(found: _Found, has_splits: bool) -> None:
    skip = 1 if has_splits else 0
    filled = {above.parts[skip:] for photo in found.photos for above in photo.parents}
    empty = sorted({folder.parts[skip:] for folder in found.folders} - filled - {()})
    if empty:
        listing = _listing([PurePosixPath(*parts) for parts in empty])
        raise SourceError(f"{len(empty)} class folders hold no photo: {listing}; fill or remove them")


def _records(root: Path, places: dict[PurePosixPath, tuple[str | None, str]]) -> Iterator[ProductRecord]:
    for photo, (split, category) in places.items():
        source = PhotoSource.below(root, photo)
        yield ProductRecord(product_id=source.name, photos=(source,), category=category or None, split=split)
