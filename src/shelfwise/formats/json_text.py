"""JSON text of any length, cut into the values it consists of without holding more than one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from shelfwise.errors import SourceError
from shelfwise.formats.text import LONGEST_ROW, TextFile

_BLOCK = 2**16
_SPACE = re.compile(r"[ \t\r\n]*+")
# Behind whole strings and all else: a bracket, the quote of a string that is not closed, or the end of the text.
_NEXT_BRACKET = re.compile(r'[^"\[\]{}]*+(?:"(?:[^"\\]++|\\.)*+"[^"\[\]{}]*+)*+([\[\]{}"]|\Z)', re.DOTALL)
_SCALAR = re.compile(r'"(?:[^"\\]++|\\.)*+"|[^\s,:"\[\]{}]++', re.DOTALL)


@dataclass(frozen=True, slots=True)
class JsonValue:
    """The text of a value and where it begins in its file."""

    text: str
    line: int
    column: int
    offset: int

    def error(self, file: TextFile, position: int, words: str) -> SourceError:
        """Make the error for what is wrong at a position of the text."""
        before = self.text[:position]
        lines = before.count("\n")
        column = position - before.rfind("\n") if lines else self.column + position
        return SourceError(f"{file.path}, line {self.line + lines}, column {column}: {words.removesuffix(' at')}")


def brackets(text: str, start: int = 0) -> tuple[int | None, int]:
    """Return where the array or object ends that begins at `start`, None if it does not, and how deep it is nested."""
    depth = deepest = 0
    position = start
    while found := _NEXT_BRACKET.match(text, position):
        position, bracket = found.end(), found[1]
        if bracket in ("", '"'):
            break
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
        if depth == 0:
            return position, deepest
    return None, deepest


class JsonText:
    """A place in the text of a JSON file that moves on from value to value."""

    def __init__(self, file: TextFile, text: TextIO) -> None:
        self._file, self._text = file, text
        self._buffer, self._at, self._ended = "", 0, False
        # Where in the file the character at `_told` of the buffer is.
        self._told, self._line, self._column, self._offset = 0, 1, 1, file.mark_bytes

    @classmethod
    @contextmanager
    def opened(cls, file: TextFile) -> Iterator[JsonText]:
        """Open a file at its beginning."""
        with file.opened() as text:
            yield cls(file, text)

    def peek(self) -> str:
        """Return the next character that is no space; nothing at the end of the file."""
        while True:
            self._at = _SPACE.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._read_more():
                return ""

    def value(self) -> JsonValue:
        """Move behind the next value."""
        self.peek()
        self._tell()
        while (end := self._end_of_value()) is None:
            if len(self._buffer) - self._at >= LONGEST_ROW:
                raise self.error(f"more than {LONGEST_ROW} characters in one value")
            if not self._read_more():
                raise self.error("the text breaks off in what begins here")
        value = JsonValue(self._buffer[self._at : end], self._line, self._column, self._offset)
        self._at = end
        return value

    def array(self) -> Iterator[JsonValue]:
        """Move behind the next array, value by value."""
        self._step("[")
        if self.peek() != "]":
            yield self.value()
            while self.peek() == ",":
                self._step(",")
                yield self.value()
        self._step("]")

    def members(self) -> Iterator[str]:
        """Move behind the next object, key by key; whoever takes a key moves behind its value."""
        self._step("{")
        if self.peek() != "}":
            yield self._key()
            while self.peek() == ",":
                self._step(",")
                yield self._key()
        self._step("}")

    def skip(self) -> None:
        """Move behind the next value, which may be an array of any length."""
        if self.peek() != "[":
            self.value()
            return
        for _ in self.array():
            pass

    def end(self) -> None:
        """Raise SourceError unless nothing follows."""
        if self.peek():
            raise self.error("text follows behind the end")

    def error(self, words: str) -> SourceError:
        """Make the error for what is wrong here."""
        self._tell()
        return SourceError(f"{self._file.path}, line {self._line}, column {self._column}: {words}")

    def _step(self, character: str) -> None:
        found = self.peek()
        if found != character:
            raise self.error(f"{character!r} expected" if found else f"the text breaks off, {character!r} expected")
        self._at += 1

    def _key(self) -> str:
        if self.peek() != '"':
            raise self.error("a key in quotes expected")
        value = self.value()
        try:
            key = str(json.loads(value.text))
        except json.JSONDecodeError as error:
            raise value.error(self._file, error.pos, error.msg) from error
        self._step(":")
        return key

    def _end_of_value(self) -> int | None:
        """Return where the value here ends, None if that lies behind the buffer."""
        if self._buffer[self._at : self._at + 1] in ("{", "["):
            return brackets(self._buffer, self._at)[0]
        found = _SCALAR.match(self._buffer, self._at)
        if found and (found.end() < len(self._buffer) or self._ended):
            return found.end()
        if not found and self._buffer[self._at : self._at + 1] not in ('"', ""):
            raise self.error("a value expected")
        return None

    def _read_more(self) -> bool:
        """Drop what lies behind us and read as much as is left, so that long values are not searched again and again."""
        self._tell()
        self._buffer = self._buffer[self._at :]
        self._at = self._told = 0
        more = self._text.read(max(_BLOCK, len(self._buffer)))
        self._buffer += more
        if not more and not self._ended:
            self._ended = True
            return bool(self._buffer)
        return bool(more)

    def _tell(self) -> None:
        """Count lines, columns and bytes up to here."""
        passed = self._buffer[self._told : self._at]
        lines = passed.count("\n")
        self._line += lines
        self._column = len(passed) - passed.rfind("\n") if lines else self._column + len(passed)
        self._offset += self._file.size_bytes(passed)
        self._told = self._at
