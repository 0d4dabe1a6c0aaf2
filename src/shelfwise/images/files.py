"""Read picture files."""

from __future__ import annotations

from pathlib import Path

from shelfwise.errors import ImageError
from shelfwise.files import text_of
from shelfwise.images.decode import IMPORT_LIMITS, Limits


def read_picture(path: Path, limits: Limits = IMPORT_LIMITS) -> bytes:
    """Read a file that claims to be a picture; a device or a FIFO is never opened.

    Raises ImageError `file_missing`, `file_unreadable` or `img_too_large`, and nothing else.
    """
    try:
        if not path.is_file():
            raise ImageError(
                "file_missing", f"{text_of(path)} is {'no regular file' if path.exists() else 'not there'}"
            )
        size_bytes = path.stat().st_size
        if size_bytes > limits.size_bytes:
            raise ImageError("img_too_large", f"{size_bytes:,} bytes, limit {limits.size_bytes:,}")
        return path.read_bytes()
    except OSError as error:
        raise ImageError("file_unreadable", f"{text_of(path)}: {error.strerror}") from None
