"""Read picture files."""

from __future__ import annotations

from pathlib import Path

from shelfwise.errors import ImageError
from shelfwise.files import text_of
from shelfwise.images.decode import IMPORT_LIMITS, Limits


def read_picture(path: Path, limits: Limits = IMPORT_LIMITS) -> bytes:
    """Read a file that claims to be a picture; a device or a FIFO is never opened.

    Raises ImageError `file_missing`, `path_outside` (no regular file), `file_unreadable` or `img_too_large`, nothing else.
    """
    try:
        if not path.is_file():
            if path.exists():
                raise ImageError("path_outside", f"{text_of(path)} is no regular file, so it was not opened")
            raise ImageError("file_missing", f"{text_of(path)} is not there")
        size_bytes = path.stat().st_size
        if size_bytes > limits.size_bytes:
            raise ImageError("img_too_large", f"{size_bytes:,} bytes, limit {limits.size_bytes:,}")
        return path.read_bytes()
    except OSError as error:
        raise ImageError("file_unreadable", f"{text_of(path)}: {error.strerror}") from None
