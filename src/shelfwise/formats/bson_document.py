"""One BSON document walked exactly: a Cdiscount product in any field order, or the reason why it cannot be used.

Source: bsonspec.org, version 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from shelfwise.formats.rows import EXCERPT, BadRow

# A document ends with a zero byte; the shortest has that and its size. MongoDB stores documents of up to 16 MiB, and lets
# its own tools add 16 KiB to that. Source: BSONObjMaxInternalSize in MongoDB's src/mongo/bson/util/builder.h.
MIN_DOCUMENT, MAX_DOCUMENT = 5, 16 * 2**20 + 16 * 2**10
_MAX_DEPTH = 64

_INT32, _INT64 = Struct("<i"), Struct("<q")
_STRING, _DOCUMENT, _ARRAY, _BINARY, _BOOL, _REGEX, _POINTER, _SCOPED = 0x02, 0x03, 0x04, 0x05, 0x08, 0x0B, 0x0C, 0x0F
_INTEGERS = {0x10: _INT32, 0x12: _INT64}
_TEXTS = frozenset({_STRING, 0x0D, 0x0E})
_FIXED_BYTES = {
    0x01: 8,
    0x06: 0,
    0x07: 12,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    0x11: 8,
    0x12: 8,
    0x13: 16,
    0x7F: 0,
    0xFF: 0,
}
_NAMES = {
    0x01: "a double", 0x02: "a string", 0x03: "a document", 0x04: "an array", 0x05: "binary", 0x06: "undefined",
    0x07: "an object id", 0x08: "a boolean", 0x09: "a date", 0x0A: "null", 0x0B: "a regular expression",
    0x0C: "a pointer", 0x0D: "code", 0x0E: "a symbol", 0x0F: "code with scope", 0x10: "int32", 0x11: "a timestamp",
    0x12: "int64", 0x13: "a decimal", 0x7F: "the largest key", 0xFF: "the smallest key",
}  # fmt: skip
# Binary that holds just bytes: generic, its old form with the length a second time, and what users define.
_GENERIC, _OLD, _USER = 0x00, 0x02, 0x80


@dataclass(frozen=True, slots=True)
class Document:
    """A product: its place in the file, and of each picture the offset in the file and the length."""

    offset: int
    length: int
    id: int
    category: int | None
    pictures: tuple[tuple[int, int], ...]

    @property
    def text(self) -> str:
        """Say what the document holds, for messages."""
        category = "" if self.category is None else f"category_id: {self.category}, "
        return f"{{_id: {self.id}, {category}imgs: [{len(self.pictures)}]}}"


@dataclass(frozen=True, slots=True)
class BadDocument:
    """A document to quarantine; `broken` where its elements do not fit together, so that its size may be wrong too."""

    offset: int
    row: BadRow
    broken: bool


class _FlawError(Exception):
    def __init__(self, code: str, detail: str, *, broken: bool = False) -> None:
        super().__init__(detail)
        self.code, self.detail, self.broken = code, detail, broken


@dataclass(frozen=True, slots=True)
class _Element:
    kind: int
    name: str
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.name!r} is {_NAMES[self.kind]}"


def read_document(data: bytes, offset: int) -> Document | BadDocument:
    """Read one document from exactly its bytes, which begin at `offset` of the file."""
    found: dict[str, _Element] = {}
    try:
        for element in _elements(data, 0, len(data), 1):
            if element.name in ("_id", "category_id", "imgs"):
                if element.name in found:
                    raise _FlawError("field_twice", f"{element.name!r} occurs twice")
                found[element.name] = element
        if "_id" not in found:
            raise _FlawError("id_missing", "there is no '_id'")
        product = _integer(data, found["_id"])
        category = _integer(data, found["category_id"]) if "category_id" in found else None
        pictures = tuple((offset + start, length) for start, length in _pictures(data, found.get("imgs")))
    except _FlawError as flaw:
        known = found.get("_id")
        product_id = str(_integer(data, known)) if known and known.kind in _INTEGERS else None
        row = BadRow(f"byte {offset}", flaw.code, flaw.detail, excerpt(data), product_id)
        return BadDocument(offset, row, flaw.broken)
    return Document(offset, len(data), product, category, pictures)


def excerpt(data: bytes) -> str:
    """Show how bytes begin, those that are no plain ASCII as `\\xNN`."""
    return repr(data[:EXCERPT])[2:-1][:EXCERPT]


def _integer(data: bytes, element: _Element) -> int:
    if element.kind not in _INTEGERS:
        raise _FlawError("field_type", f"{element}, not a whole number")
    value: int = _INTEGERS[element.kind].unpack_from(data, element.start)[0]
    return value


def _pictures(data: bytes, images: _Element | None) -> list[tuple[int, int]]:
    """List start and length of the pictures within the document."""
    if images is None:
        raise _FlawError("no_image", "there is no 'imgs'")
    if images.kind != _ARRAY:
        raise _FlawError("field_type", f"{images}, not an array")
    pictures = []
    for image in _elements(data, images.start, images.stop, 2):
        if image.kind != _DOCUMENT:
            raise _FlawError("field_type", f"imgs: {image}, not a document")
        held = [field for field in _elements(data, image.start, image.stop, 3) if field.name == "picture"]
        if len(held) != 1:
            code = "field_twice" if held else "field_missing"
            raise _FlawError(code, f"imgs: {image.name!r} holds {len(held)} fields 'picture'")
        pictures.append(_picture(data, image.name, held[0]))
    if not pictures:
        raise _FlawError("no_image", "'imgs' is an empty list")
    return pictures


def _picture(data: bytes, image: str, field: _Element) -> tuple[int, int]:
    if field.kind != _BINARY:
        raise _FlawError("field_type", f"imgs: {image!r}: {field}, not binary")
    start, subtype = field.start + 5, data[field.start + 4]
    if subtype == _OLD:
        start += 4
        if start > field.stop or _INT32.unpack_from(data, start - 4)[0] != field.stop - start:
            raise _FlawError("bson_structure", f"imgs: {image!r}: the two lengths of old binary contradict each other")
    elif subtype != _GENERIC and subtype < _USER:
        raise _FlawError(
            "field_type", f"imgs: {image!r}: 'picture' is binary of the subtype {subtype}, not a file's bytes"
        )
    return start, field.stop - start


def _elements(data: bytes, start: int, stop: int, depth: int) -> Iterator[_Element]:
    """Go through the elements of the document or array at `start`, which must fill it exactly up to `stop`."""
    if depth > _MAX_DEPTH:
        raise _FlawError("row_depth", f"nested more than {_MAX_DEPTH} documents deep")
    at, last = start + 4, stop - 1
    while at < last:
        kind, end_of_name = data[at], data.find(b"\0", at + 1, last)
        if end_of_name < 0:
            raise _FlawError("bson_structure", f"the name of the field {at} bytes in does not end", broken=True)
        name = _text(data, at + 1, end_of_name, f"the name of the field {at} bytes in")
        value = end_of_name + 1
        at = _end_of_value(data, kind, value, last, name, depth)
        if at > last:
            raise _FlawError("bson_structure", f"the field {name!r} does not fit into its document", broken=True)
        yield _Element(kind, name, value, at)
    if at != last or data[last]:
        raise _FlawError("bson_structure", "a document does not end with a zero byte", broken=True)


def _end_of_value(data: bytes, kind: int, at: int, last: int, name: str, depth: int) -> int:
    """Step over a value, with all that lies in it; the place behind it may lie beyond `last`."""
    if kind in _FIXED_BYTES:
        if kind == _BOOL and at < last and data[at] > 1:
            raise _FlawError("bson_structure", f"the boolean {name!r} is {data[at]}, not 0 or 1")
        return at + _FIXED_BYTES[kind]
    if kind in _TEXTS:
        return _end_of_text(data, at, last, name)
    if kind in (_DOCUMENT, _ARRAY):
        return _end_of_document(data, at, last, name, depth)
    if kind == _BINARY:
        return at + 5 + _size(data, at, last, name, 0)
    if kind == _REGEX:
        return _end_of_cstring(data, _end_of_cstring(data, at, last, name), last, name)
    if kind == _POINTER:
        return _end_of_text(data, at, last, name) + 12
    if kind == _SCOPED:
        stop = at + _size(data, at, last, name, 14)
        scope = _end_of_text(data, at + 4, min(stop, last), name)
        if stop > last or _end_of_document(data, scope, stop, name, depth) != stop:
            raise _FlawError("bson_structure", f"the code with scope {name!r} has a wrong length", broken=True)
        return stop
    raise _FlawError(
        "bson_type", f"the field {name!r} is of the type {kind:#04x}, which BSON does not know", broken=True
    )


def _size(data: bytes, at: int, last: int, name: str, least: int) -> int:
    if at + 4 > last:
        raise _FlawError("bson_structure", f"the field {name!r} does not fit into its document", broken=True)
    size: int = _INT32.unpack_from(data, at)[0]
    if size < least:
        raise _FlawError("bson_structure", f"the field {name!r} says that it is {size} bytes long", broken=True)
    return size


def _end_of_document(data: bytes, at: int, last: int, name: str, depth: int) -> int:
    stop = at + _size(data, at, last, name, MIN_DOCUMENT)
    if stop > last:
        raise _FlawError("bson_structure", f"the field {name!r} does not fit into its document", broken=True)
    for _ in _elements(data, at, stop, depth + 1):
        pass
    return stop


def _end_of_text(data: bytes, at: int, last: int, name: str) -> int:
    stop = at + 4 + _size(data, at, last, name, 1)
    if stop > last or data[stop - 1]:
        raise _FlawError("bson_structure", f"the text {name!r} does not end where it should", broken=True)
    _text(data, at + 4, stop - 1, f"the text {name!r}")
    return stop


def _end_of_cstring(data: bytes, at: int, last: int, name: str) -> int:
    end = data.find(b"\0", at, last)
    if end < 0:
        raise _FlawError("bson_structure", f"the text {name!r} does not end where it should", broken=True)
    _text(data, at, end, f"the text {name!r}")
    return end + 1


def _text(data: bytes, start: int, stop: int, what: str) -> str:
    try:
        return data[start:stop].decode()
    except UnicodeDecodeError as error:
        place = start + error.start
        raise _FlawError("row_encoding", f"{what} is no UTF-8: {data[place]:#04x}, {place} bytes in") from None
