"""Text files of unknown origin: which encoding they are in, gzip, and whether they changed while they were read."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, TextIO

from shelfwise.errors import OptionError, SourceError

# What a .gz may unpack to: a few kilobytes can hide terabytes.
LARGEST_UNPACKED = 2 * 2**30
# Characters of one row, so that memory stays flat: an open quote swallows all that follows.
LONGEST_ROW = 16 * 2**20

_BLOCK = 2**20
# Longest first: the mark of UTF-32 LE begins with that of UTF-16 LE.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_NOT_TEXT = {
    b"PK\x03\x04": "a zip file or an Excel workbook: save it as CSV",
    b"\x1f\x8b": "a gzip file: let its name end in .gz",
    b"PAR1\x15": "a Parquet file: let its name end in .parquet",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as CSV",
}
# Bytes that are no character in cp1252. Source: unicode.org/Public/MAPPINGS/VENDORS/MICSFT/WINDOWS/CP1252.TXT.
_NOT_CP1252 = b"\x81\x8d\x8f\x90\x9d"
_BAD = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A regular file as it was when it was opened."""

    path: Path
    size_bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Look at a file; raises SourceError where there is none, or something that must not be opened (a pipe)."""
        try:
            found = path.stat()
        except (OSError, ValueError) as error:
            raise SourceError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(f"{path} is not a file")
        return cls(path, found.st_size, found.st_mtime_ns, found.st_ino)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Raise SourceError where the file is another one before or after the block, whatever the block ran into."""
        self._compare()
        try:
            yield
        except SourceError:
            self._compare()
            raise
        self._compare()

    def _compare(self) -> None:
        if Stamp.of(self.path) != self:
            raise SourceError(f"source_changed: {self.path} was changed while it was read: start again once it rests")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file whose encoding is known, to be gone through any number of times; `mark_bytes`: its byte order mark."""

    stamp: Stamp
    encoding: str
    mark_bytes: int

    @property
    def path(self) -> Path:
        """The file."""
        return self.stamp.path

    @property
    def wide(self) -> bool:
        """Tell whether ASCII takes more than a byte a character."""
        return self.encoding.startswith(("utf-16", "utf-32"))

    @property
    def _errors(self) -> str:
        return "surrogatepass" if self.wide else "surrogateescape"

    @contextmanager
    def opened(self) -> Iterator[TextIO]:
        """Open the text behind its mark, lines split at LF, CRLF and CR; bytes that are none of it are lone surrogates."""
        with self.stamp.unchanged(), _unpacked(self.path) as file:
            file.read(self.mark_bytes)
            with io.TextIOWrapper(file, self.encoding, self._errors, newline="") as text:
                try:
                    yield text
                except UnicodeDecodeError as error:
                    raise SourceError(f"{self.path} is no sound {self.encoding} text: {error.reason}") from error

    def size_bytes(self, text: str) -> int:
        """Return how many bytes of the file a text is, bad ones included."""
        return len(text) if text.isascii() and not self.wide else len(self._bytes(text))

    def bad_byte(self, text: str, offset: int) -> str | None:
        """Tell the first byte that is none of the encoding, in a text that begins at byte `offset`; None for sound text."""
        if text.isascii() or (bad := _BAD.search(text)) is None:
            return None
        byte = " ".join(f"0x{byte:02x}" for byte in self._bytes(bad[0]))
        return f"byte {byte} at offset {offset + len(self._bytes(text[: bad.start()]))} is no {self.encoding} text"

    def _bytes(self, text: str) -> bytes:
        return text.encode(self.encoding, self._errors)


def printable(text: str) -> str:
    """Return a text with its bad bytes as `\\xNN` and its lone surrogates as `\\uNNNN`, so that it can be stored."""
    if text.isascii() or not _BAD.search(text):
        return text
    escaped = re.sub("[\udc80-\udcff]", lambda bad: f"\\x{ord(bad[0]) - 0xDC00:02x}", text)
    return escaped.encode("utf-8", "backslashreplace").decode()


def open_text(path: Path, encoding: str | None = None) -> TextFile:
    """Find out the encoding of a file, or take the one given.

    A byte order mark decides; else all bytes are looked at: valid UTF-8 is that, and so is a text with more sound UTF-8
    sequences than bad bytes; where bad bytes prevail it is cp1252, or latin-1 where cp1252 lacks one of them.
    """
    stamp = Stamp.of(path)
    with stamp.unchanged(), _unpacked(path) as file:
        start = file.read(8)
    if note := next((note for magic, note in _NOT_TEXT.items() if start.startswith(magic)), None):
        raise SourceError(f"{path} is no text but {note}")
    mark = next((mark for mark in _MARKS if start.startswith(mark)), b"")
    if encoding is None:
        return TextFile(stamp, _MARKS[mark] if mark else _guessed(stamp), len(mark))
    name = _codec(encoding)
    if mark and _MARKS[mark].startswith(name):
        return TextFile(stamp, _MARKS[mark], len(mark))
    if name in ("utf-16", "utf-32"):
        raise OptionError(f"--encoding {encoding}: {path} has no mark of its byte order: give {name}-le or {name}-be")
    return TextFile(stamp, name, 0)


def _codec(encoding: str) -> str:
    """Return the name that Python knows an encoding by."""
    try:
        "a".encode(encoding)
        return codecs.lookup(encoding).name.removesuffix("-sig")
    except (LookupError, ValueError) as error:
        raise OptionError(f"--encoding {encoding}: no such encoding; try utf-8, cp1252, latin-1, utf-16-le") from error


def _guessed(stamp: Stamp) -> str:
    """Decide from all bytes of a file without a byte order mark."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    size = sound = bad = 0
    zeros, fits_cp1252 = [0, 0], True
    with stamp.unchanged(), _unpacked(stamp.path) as file:
        for block in iter(partial(file.read, _BLOCK), b""):
            size += len(block)
            if 0 in block:
                zeros = [zeros[parity] + block[parity::2].count(0) for parity in (0, 1)]
            text = decoder.decode(block)
            if not text.isascii():
                bad_here = len(_BAD.findall(text))
                bad, sound = bad + bad_here, sound + len(text) - len(text.encode("ascii", "ignore")) - bad_here
                fits_cp1252 = fits_cp1252 and not any(byte in block for byte in _NOT_CP1252)
        bad += len(decoder.decode(b"", final=True))
    _refuse_utf16(stamp.path, zeros, size)
    if bad <= sound:
        return "utf-8"
    return "cp1252" if fits_cp1252 else "latin-1"


def _refuse_utf16(path: Path, zeros: list[int], size: int) -> None:
    """Raise SourceError where every twentieth byte is zero, and all of those lie at even offsets, or all at odd ones."""
    if sum(zeros) * 20 >= size > 0 and min(zeros) * 10 < max(zeros):
        name = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        raise SourceError(f"{path} looks like UTF-16 without a byte order mark: give --encoding {name}")


@contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open the bytes of a file, those inside for a .gz; what the disk cannot read is a SourceError."""
    try:
        with path.open("rb") as raw:
            if path.suffix.lower() != ".gz":
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as packed, io.BufferedReader(_Capped(packed, path), _BLOCK) as file:
                yield file
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error


class _Capped(io.RawIOBase):
    """The bytes inside a gzip file, up to LARGEST_UNPACKED."""

    def __init__(self, packed: gzip.GzipFile, path: Path) -> None:
        self._packed, self._path, self._left = packed, path, LARGEST_UNPACKED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._packed.read1(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SourceError(f"{self._path} is a damaged gzip file: {error}") from error
        self._left -= len(data)
        if self._left < 0:
            raise SourceError(f"{self._path} unpacks to more than {LARGEST_UNPACKED} bytes: unpack it yourself")
        buffer[: len(data)] = data
        return len(data)
