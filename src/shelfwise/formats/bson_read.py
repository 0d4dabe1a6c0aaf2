"""Read Cdiscount's BSON files from end to end: what each document says, and where in the file its pictures lie.

Big blocks are read into two buffers by turns, the next one while the last is taken apart; no memory mapping, as a file that
shrinks under it would end the process without a word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import SourceError
from shelfwise.formats.bson_columns import Columns, joined, read_columns
from shelfwise.formats.bson_document import MAX_DOCUMENT, MIN_DOCUMENT, BadDocument, Document, read_document
from shelfwise.formats.bson_window import Window
from shelfwise.formats.rows import BadRow

# Documents in a batch at most, and broken ones in a row that may yet turn out to be damage.
_BATCH, _HELD = 16_384, 64
# Bytes that are searched at once for the next document behind damage, which is mostly near.
_SCAN = 2**18
_SIZE = Struct("<i")
# How a document in Cdiscount's layout begins, behind its size, with ids of 32 or 64 bits: 40 bytes at most.
_BEGINNING = re.compile(
    rb"(?:\x10_id\0.{4}|\x12_id\0.{8})(?:\x10category_id\0.{4}|\x12category_id\0.{8})?\x04imgs\0", re.DOTALL
)
_BEGINNING_BYTES = 40


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of the file that is no document: from `offset` on `length` bytes, or all that follows for None."""

    offset: int
    length: int | None
    detail: str


class Batch(NamedTuple):
    """Documents that follow each other in the file: the sound ones, and those to quarantine."""

    columns: Columns
    bad: list[BadDocument]

    def rows(self) -> list[Document | BadDocument]:
        """Return both in the order of the file."""
        return sorted([*self.columns.documents(), *self.bad], key=lambda row: row.offset)


class Index(NamedTuple):
    """All sound documents of a file, the number of those to quarantine, and what was unreadable."""

    columns: Columns
    bad: int
    unreadable: list[Unreadable]


def index(path: Path, *, salvage: bool = False) -> Index:
    """Read a whole file into arrays: 41 bytes of memory a document and 16 a picture. Raises SourceError as read_batches does."""
    parts, bad, unreadable = [], 0, []
    for part in read_batches(path, salvage=salvage):
        if isinstance(part, Unreadable):
            unreadable.append(part)
        else:
            parts.append(part.columns)
            bad += len(part.bad)
    return Index(joined(parts), bad, unreadable)


def read_documents(path: Path, *, salvage: bool = False) -> Iterator[Document | BadRow | Unreadable]:
    """Go through a file document by document. Raises SourceError as read_batches does."""
    for part in read_batches(path, salvage=salvage):
        if isinstance(part, Unreadable):
            yield part
        else:
            for row in part.rows():
                yield row.row if isinstance(row, BadDocument) else row


def read_batches(path: Path, *, salvage: bool = False) -> Iterator[Batch | Unreadable]:
    """Go through a file in batches of documents.

    A size that cannot be right ends it, as nothing says where the next document begins; with `salvage` the next place where
    one in Cdiscount's layout begins is looked for. Raises SourceError for what is no BSON file from its first byte on.
    """
    if not path.is_file():
        raise SourceError(f"{path} is not a file")
    try:
        with path.open("rb", buffering=0) as file:
            yield from _Reader(path, file.fileno()).parts(salvage)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


class _Reader:
    def __init__(self, path: Path, file: int) -> None:
        self._path, self._file = path, file
        self._size_bytes = os.fstat(file).st_size
        self._count = 0

    def parts(self, salvage: bool) -> Iterator[Batch | Unreadable]:
        if not self._size_bytes:
            raise SourceError(f"{self._path} is empty: there are no documents in it")
        with ThreadPoolExecutor(1) as ahead:
            window = Window(self._file, 0, ahead)
            while (damage := (yield from self._until_damage(window))) is not None:
                offset, reason = damage
                found = self._next_document(offset + 1) if salvage else None
                if not self._count and found is None:
                    raise SourceError(f"{self._path} is not a BSON file, or damaged from its first byte on: {reason}")
                if found is None:
                    rest = self._size_bytes - offset
                    detail = f"{self._count:,} documents read, the rest ({rest:,} bytes) is unreadable: {reason}"
                    yield Unreadable(
                        offset, rest if salvage else None, detail + ("" if salvage else "; --salvage goes on")
                    )
                    return
                yield Unreadable(offset, found - offset, f"{found - offset:,} bytes skipped: {reason}")
                if not window.skip_to(found):
                    window = Window(self._file, found, ahead)

    def _until_damage(self, window: Window) -> Generator[Batch, None, tuple[int, str] | None]:
        """Yield batches from a place on; return where and why the file cannot be read on, None at its end.

        A document whose elements do not fit together may have a wrong size: those that stand right before damage are part of
        it, unless they lead to where a document begins.
        """
        held: list[BadDocument] = []
        damage = None
        while damage is None:
            places, damage = _chain(window)
            if len(places) < 2:
                if damage or window.slide():
                    continue
                damage = _left_over(window)
                break
            columns, bad = read_columns(window.data, places[:-1], places[1:], window.offset_of(0))
            window.begin = int(places[-1])
            bad, held = _hold_back(columns, held + bad)
            self._count += len(columns) + len(bad)
            yield Batch(columns, bad)
        if held and damage and not _begins_like_a_document(window, damage.offset):
            return held[0].offset, f"{held[0].row.where}: {held[0].row.detail}"
        if held:
            self._count += len(held)
            yield Batch(joined([]), held)
        return (damage.offset, damage.reason) if damage else None

    def _next_document(self, start: int) -> int | None:
        """Look for the next place, from `start` on, where a whole document in Cdiscount's layout lies."""
        at = start + _SIZE.size
        while block := os.pread(self._file, _SCAN + _BEGINNING_BYTES, at):
            for match in _BEGINNING.finditer(block):
                offset = at + match.start() - _SIZE.size
                if match.start() < _SCAN and self._is_sound(offset):
                    return offset
            at += _SCAN
        return None

    def _is_sound(self, offset: int) -> bool:
        (size,) = _SIZE.unpack(os.pread(self._file, _SIZE.size, offset))
        if not MIN_DOCUMENT <= size <= min(MAX_DOCUMENT, self._size_bytes - offset):
            return False
        data = os.pread(self._file, size, offset)
        return len(data) == size and isinstance(read_document(data, offset), Document)


class _Damage(NamedTuple):
    offset: int
    reason: str


def _chain(window: Window) -> tuple[NDArray[np.int64], _Damage | None]:
    """Follow the sizes of the documents that lie whole in the window: where each begins, and where the last one stops."""
    at, end, view, size_at = window.begin, window.end, window.view, _SIZE.unpack_from
    last, places, size = end - _SIZE.size, [at], MIN_DOCUMENT
    append = places.append
    for _ in range(_BATCH):
        if at > last:
            break
        (size,) = size_at(view, at)
        at += size
        if at > end or not MIN_DOCUMENT <= size <= MAX_DOCUMENT:
            break
        append(at)
    ends = np.array(places)
    for open_end in np.flatnonzero(window.data[ends[1:] - 1])[:1].tolist():
        offset, size = window.offset_of(places[open_end]), places[open_end + 1] - places[open_end]
        reason = f"the document at byte {offset}, {size:,} bytes long, does not end with a zero byte"
        return ends[: open_end + 1], _Damage(offset, reason)
    if MIN_DOCUMENT <= size <= MAX_DOCUMENT:
        return ends, None
    offset = window.offset_of(places[-1])
    reason = f"the document at byte {offset} says that it is {size:,} bytes long, not {MIN_DOCUMENT} to 16 MiB"
    return ends, _Damage(offset, reason)


def _begins_like_a_document(window: Window, offset: int) -> bool:
    place = offset - window.offset_of(0) + _SIZE.size
    return window.data[place : min(place + 5, window.end)].tobytes() in (b"\x10_id\0", b"\x12_id\0")


def _hold_back(columns: Columns, bad: list[BadDocument]) -> tuple[list[BadDocument], list[BadDocument]]:
    """Split off the broken documents that end a batch; not when so many stand in a row that their sizes must be right."""
    last_sound = columns.offset[-1] if len(columns) else -1
    place = len(bad)
    while place and bad[place - 1].broken and bad[place - 1].offset > last_sound:
        place -= 1
    return (bad, []) if len(bad) - place > _HELD else (bad[:place], bad[place:])


def _left_over(window: Window) -> _Damage | None:
    """Say what lies in the window when the file has ended."""
    left = window.end - window.begin
    if not left:
        return None
    offset = window.offset_of(window.begin)
    if left < _SIZE.size:
        return _Damage(offset, f"{left} bytes are left at byte {offset}, too few for a document")
    (size,) = _SIZE.unpack_from(window.view, window.begin)
    return _Damage(offset, f"the document at byte {offset} is {size:,} bytes long, and only {left:,} are left")
