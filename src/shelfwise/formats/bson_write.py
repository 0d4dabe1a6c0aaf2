"""Write products as BSON in exactly the layout of Cdiscount's train.bson and test.bson."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import IO

from shelfwise.errors import SourceError
from shelfwise.formats.bson_document import MAX_DOCUMENT

_INT32, _INT64 = Struct("<i"), Struct("<q")


def write_documents(file: IO[bytes], documents: Iterable[tuple[int, int | None, Sequence[bytes]]]) -> int:
    """Write documents of (product id, category id or None, pictures) and return their number.

    Raises SourceError for a document of more than 16 MiB and for an id beyond 64 bits: no reader would take it.
    """
    count = 0
    for product, category, pictures in documents:
        file.write(_document(product, category, pictures))
        count += 1
    return count


def _document(product: int, category: int | None, pictures: Sequence[bytes]) -> bytes:
    images = _sized(b"".join(_image(place, picture) for place, picture in enumerate(pictures)))
    label = b"" if category is None else _integer(b"category_id", category)
    document = _sized(_integer(b"_id", product) + label + b"\x04imgs\0" + images)
    if len(document) > MAX_DOCUMENT:
        raise SourceError(f"product {product}: {len(document):,} bytes are more than the 16 MiB that BSON readers take")
    return document


def _image(place: int, picture: bytes) -> bytes:
    binary = b"\x05picture\0" + _INT32.pack(len(picture)) + b"\0" + picture
    return b"\x03%d\0" % place + _sized(binary)


def _sized(elements: bytes) -> bytes:
    return _INT32.pack(len(elements) + 5) + elements + b"\0"


def _integer(name: bytes, value: int) -> bytes:
    """Write an integer as short as it goes, as the original has it: int32, and int64 beyond."""
    if -(2**31) <= value < 2**31:
        return b"\x10" + name + b"\0" + _INT32.pack(value)
    if -(2**63) <= value < 2**63:
        return b"\x12" + name + b"\0" + _INT64.pack(value)
    raise SourceError(f"{name.decode()} {value} does not fit into 64 bits")
