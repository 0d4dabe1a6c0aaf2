"""A folder of class folders: nested folders are the tree, an optional train / val / test level lies on top."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from shelfwise.errors import SourceError
from shelfwise.files import text_of
from shelfwise.formats.class_folders import PICTURE_ENDINGS, SPLIT_NAMES
from shelfwise.ingest.records import PhotoSource, ProductRecord
from shelfwise.ingest.tree import taxonomy_of_paths


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in a folder and below: photos and folders by path, other files by number and name."""

    photos: list[PurePosixPath]
    folders: list[PurePosixPath]
    others: list[PurePosixPath]
    hidden: int

    @property
    def ignored(self) -> int:
        """Number of files that are hidden, lie in hidden folders, or do not claim to be pictures."""
        return len(self.others) + self.hidden


class FolderSource:
    """A folder of class folders; one photo is one product.

    A photo directly in the root (or in a split folder) has no category. Files that are hidden, lie in hidden folders, or
    do not claim to be pictures are ignored and counted. Raises SourceError for a folder that is missing, holds no photo,
    or has class folders without one or that are links.
    """

    kind = "folder"

    def __init__(self, root: Path | str) -> None:
        root = Path(root)
        self.path = root
        found = find_photos(root)
        has_splits = _top_folders_are_splits(found)
        self._places = {photo: _place(photo, has_splits) for photo in found.photos}
        _refuse_empty_folders(found, has_splits)
        self.taxonomy = taxonomy_of_paths(category for _, category in self._places.values() if category)
        self.ignored_files = found.ignored
        self.facts: dict[str, Any] = {}

    def rows(self) -> Iterator[ProductRecord]:
        """Go through the photos by folder and name."""
        for photo, (split, category) in self._places.items():
            source = PhotoSource.below(self.path, photo)
            yield ProductRecord(
                product_id=source.name, photos=(source,), category=category or None, split=split, where=source.name
            )


def find_photos(root: Path) -> Found:
    """Walk through a folder, by name; raises SourceError for one that cannot be read or that is a link."""
    if not root.is_dir():
        raise SourceError(f"{root} is not a folder")
    found = Found([], [], [], 0)
    linked: list[PurePosixPath] = []
    hidden = 0
    for folder, folders, files in os.walk(root, onerror=_refuse_unreadable):
        folders.sort()
        here = PurePosixPath(Path(folder).relative_to(root).as_posix())
        if any(name.startswith((".", "__")) for name in here.parts):
            hidden += len(files)
            continue
        found.folders.append(here)
        linked += [here / name for name in folders if Path(folder, name).is_symlink() and not name.startswith(".")]
        shown = [here / name for name in sorted(files) if not name.startswith(".")]
        found.photos.extend(path for path in shown if path.suffix.lower() in PICTURE_ENDINGS)
        found.others.extend(path for path in shown if path.suffix.lower() not in PICTURE_ENDINGS)
        hidden += len(files) - len(shown)
    if linked:
        raise SourceError(
            f"{len(linked)} folders are links, which are not followed: {_listing(linked)}; copy them in place"
        )
    return Found(found.photos, found.folders, found.others, hidden)


def _refuse_unreadable(error: OSError) -> None:
    raise SourceError(f"{error.filename} cannot be read: {error.strerror}") from error


def _listing(paths: list[PurePosixPath]) -> str:
    return ", ".join(text_of(path) for path in paths[:10])


def _top_folders_are_splits(found: Found) -> bool:
    top = {folder.parts[0] for folder in found.folders if folder.parts}
    splits = {name for name in top if name.lower() in SPLIT_NAMES}
    if "train" not in map(str.lower, splits) or not any(len(photo.parts) > 2 for photo in found.photos):
        return False
    if len(splits) > 1:
        refuse_beside_splits(top)
    return splits == top


def refuse_beside_splits(top: Iterable[str]) -> None:
    """Raise SourceError when beside folders that are called like splits lie others."""
    splits = sorted(name for name in top if name.lower() in SPLIT_NAMES)
    if splits and (beside := sorted(set(top) - set(splits))):
        others = _listing([PurePosixPath(name) for name in beside])
        raise SourceError(f"{', '.join(splits)} look like splits, but beside them lies: {others}; move it away")


def _place(path: PurePosixPath, has_splits: bool) -> tuple[str | None, str]:
    """Return split and category (empty for none) of a photo's path."""
    parts = path.parts[:-1]
    split = SPLIT_NAMES[parts[0].lower()] if has_splits and parts else None
    return split, text_of(PurePosixPath(*parts[has_splits:])) if parts[has_splits:] else ""


def _refuse_empty_folders(found: Found, has_splits: bool) -> None:
    skip = 1 if has_splits else 0
    filled = {above.parts[skip:] for photo in found.photos for above in photo.parents}
    empty = sorted({folder.parts[skip:] for folder in found.folders} - filled - {()})
    if empty:
        listing = _listing([PurePosixPath(*parts) for parts in empty])
        raise SourceError(f"{len(empty)} class folders hold no photo: {listing}; fill or remove them")
