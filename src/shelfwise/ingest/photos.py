"""A product's photos: read, hashed, decoded in a worker, and made into rows of the catalog."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shelfwise.engines.decoders import Decoders
from shelfwise.errors import ImageError, OptionError
from shelfwise.files import text_of
from shelfwise.images.files import read_picture
from shelfwise.ingest.records import FilePart, PhotoSource, ProductRecord


@dataclass(frozen=True, slots=True)
class ReadPhoto:
    """A photo as its source gives it: its bytes with their sha256, or why there are none."""

    source: PhotoSource
    content: bytes | ImageError
    digest: bytes | None

    @property
    def is_missing(self) -> bool:
        """Whether it is not there, which is normal for its source."""
        return (
            self.source.may_be_missing and isinstance(self.content, ImageError) and self.content.code == "file_missing"
        )


def read_photo(photo: PhotoSource) -> ReadPhoto:
    """Read a photo's bytes."""
    try:
        content = _bytes_of(photo.data)
    except ImageError as error:
        return ReadPhoto(photo, error, None)
    return ReadPhoto(photo, content, hashlib.sha256(content).digest())


def _bytes_of(data: bytes | Path | FilePart | ImageError) -> bytes:
    match data:
        case bytes():
            return data
        case Path():
            return read_picture(data)
        case FilePart(path, offset, length):
            return read_part(path, offset, length)
    raise data


def read_part(path: Path, offset: int, length: int) -> bytes:
    """Read a part of a file; raises ImageError `file_unreadable` where it is not there any more."""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            data = file.read(length)
    except OSError as error:
        raise ImageError("file_unreadable", f"{text_of(path)}: {error.strerror}") from None
    if len(data) < length:
        raise ImageError("file_unreadable", f"{text_of(path)} ends before byte {offset + length}")
    return data


def content_digest(
    record: ProductRecord, photos: list[ReadPhoto] | None = None, places: list[Any] | None = None
) -> bytes:
    """Compute 16 bytes over everything that a record says and over its photos' bytes.

    places: where the photos lie, for a catalog that leaves them there: a photo that moved counts as changed.
    """
    read = [read_photo(photo) for photo in record.photos] if photos is None else photos
    pictures = [photo.digest.hex() if photo.digest else _failure(photo) for photo in read]
    said = [
        record.product_id, record.title, record.description, record.category, list(record.attributes), record.group,
        record.split, pictures, places,
    ]  # fmt: skip
    encoded = json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(encoded, digest_size=16).digest()


def _failure(photo: ReadPhoto) -> str:
    return photo.content.code if isinstance(photo.content, ImageError) else ""


def place_of(photo: PhotoSource) -> tuple[str, int] | None:
    """Return file and offset of a photo that lies in a file; None for one that does not."""
    match photo.data:
        case FilePart(path, offset, _):
            return text_of(path.absolute()), offset
        case Path() as path:
            return text_of(path.absolute()), 0
    return None


def image_row(
    product_id: str, position: int, photo: ReadPhoto, decoders: Decoders, *, in_place: bool
) -> dict[str, Any]:
    """Make the row of the image table for a photo, whatever becomes of it.

    Raises OptionError when it is to be left in place but lies in no file of its own.
    """
    uri, offset = place_of(photo.source) or (photo.source.name, None)
    row: dict[str, Any] = {"image_id": f"{product_id}#{position}", "product_id": product_id, "position": position}
    row |= {"uri": uri, "offset": offset, "notes": []}
    if isinstance(photo.content, ImageError):
        if photo.is_missing:
            return row | {"status": "missing", "reason": "not_obtained", "detail": photo.content.detail}
        return row | {"status": "quarantined", "reason": photo.content.code, "detail": photo.content.detail}
    if in_place and offset is None and not isinstance(photo.source.data, ImageError):
        raise OptionError(
            "--in-place: these photos are no files of their own and no parts of a plain file; leave it away"
        )
    row |= {"bytes": None if in_place else photo.content, "length": len(photo.content), "sha256": photo.digest}
    return row | examined(photo.content, photo.source.name, decoders)


def examined(data: bytes, name: str, decoders: Decoders) -> dict[str, Any]:
    """Decode a picture of unknown origin in a worker; return the columns that tell what came out."""
    try:
        picture = decoders.examine(data)
    except ImageError as error:
        return {"status": "quarantined", "reason": error.code, "detail": error.detail}
    notes = list(picture.notes)
    if Path(name).suffix and not _extension_fits(name, picture.format):
        notes.append("img_ext")
    return {
        "perceptual_hash": picture.perceptual_hash,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "mode": picture.mode,
        "frames": picture.frames,
        "status": "ok",
        "notes": notes,
    }


_EXTENSIONS = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"}, "MPO": {".jpg", ".jpeg", ".mpo"}, "PNG": {".png", ".apng"},
    "WEBP": {".webp"}, "GIF": {".gif"}, "BMP": {".bmp", ".dib"}, "TIFF": {".tif", ".tiff"}, "AVIF": {".avif"},
}  # fmt: skip


def _extension_fits(name: str, image_format: str) -> bool:
    return Path(name).suffix.lower() in _EXTENSIONS.get(image_format, set())
