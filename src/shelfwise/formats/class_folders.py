"""What a folder of class folders looks like: the names of its splits, and of the files that claim to be pictures."""

from __future__ import annotations

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
