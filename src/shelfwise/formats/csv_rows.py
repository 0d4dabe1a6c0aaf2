"""CSV, record by record: nothing is skipped, repaired or guessed."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TextIO, TypeAlias

from shelfwise.errors import OptionError, SourceError
from shelfwise.formats.rows import EXCERPT, BadRow, Table, TableRow
from shelfwise.formats.text import LONGEST_ROW, TextFile, open_text, printable

# Characters of one field. Source: Python's csv.field_size_limit().
LONGEST_FIELD = 131072
# What memory a line of a longer row costs beside its characters.
_LINE = 64

# Line number, byte offset, text, fields.
_Record: TypeAlias = tuple[int, int, str, list[str]]


def open_csv(path: Path, separator: str, *, encoding: str | None = None, columns: Sequence[str] | None = None) -> Table:
    """Open a CSV file (RFC 4180; LF, CRLF or CR); `columns` names those of a file without a header line.

    Blank lines are none of its rows. Raises SourceError for a file without rows or with a column name that is there twice
    or unreadable, and while it is read for a quote that is not closed, or is followed by text.
    """
    if len(separator) != 1 or separator in '"\r\n\0':
        raise OptionError(f"--separator {separator!r}: give one character, such as ',' or ';', or the word tab")
    file = open_text(path, encoding)
    with closing(_records(file, separator)) as records:
        names = tuple(columns) if columns is not None else _header(file, next(records, None))
        if next(records, None) is None:
            found = f", only the header {list(names)}" if columns is None else ""
            raise SourceError(f"{path} has no rows{found}")
    return Table(names, file.encoding, partial(_rows, file, separator, names, has_header=columns is None))


def _header(file: TextFile, record: _Record | None) -> tuple[str, ...]:
    """Return the column names of the first record."""
    if record is None:
        raise SourceError(f"{file.path} has no rows: it is empty")
    line, _, _, names = record
    if problem := _damage(file, record):
        raise SourceError(f"{file.path}, line {line}: the header cannot be read: {problem[1]}")
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(f"{file.path}, line {line}: columns {double} are there twice; found columns {names}")
    return tuple(names)


def _rows(file: TextFile, separator: str, columns: tuple[str, ...], *, has_header: bool) -> Iterator[TableRow | BadRow]:
    """Go through the records behind the header."""
    with closing(_records(file, separator)) as records:
        if has_header:
            next(records, None)
        count, against = len(columns), "the header has" if has_header else "expected are"
        for record in records:
            line, _, text, fields = record
            if (not text.isascii() or "\0" in text or len(text) > LONGEST_FIELD) and (problem := _damage(file, record)):
                yield BadRow(f"line {line}", *problem, _excerpt(text))
            elif len(fields) != count:
                detail = f"{len(fields)} field{'s' * (len(fields) != 1)}, {against} {count}"
                yield BadRow(f"line {line}", "row_columns", detail, _excerpt(text))
            else:
                yield TableRow(f"line {line}", dict(zip(columns, fields, strict=False)), text[:EXCERPT].rstrip("\r\n"))


def _excerpt(text: str) -> str:
    return printable(text[:EXCERPT].rstrip("\r\n"))


def _damage(file: TextFile, record: _Record) -> tuple[str, str] | None:
    """Return code and words for a record whose characters cannot be taken as they are."""
    _, offset, text, fields = record
    if bad := file.bad_byte(text, offset):
        return "row_encoding", bad
    if (place := text.find("\0")) >= 0:
        return "row_nul", f"a NUL byte at offset {offset + file.size_bytes(text[:place])}"
    longest = max(map(len, fields))
    if longest > LONGEST_FIELD:
        return "row_field_size", f"a field of {longest} characters, limit {LONGEST_FIELD}"
    return None


def _records(file: TextFile, separator: str) -> Generator[_Record, None, None]:
    """Split a file into its records, without the blank lines.

    csv.reader pulls as many lines as it needs for a record; what it stumbles upon is split again by `_fields`.
    """
    lines: list[str] = []
    line, offset, wide = 1, file.mark_bytes, file.wide
    with file.opened() as text_lines:
        feed = _feed(text_lines, lines)
        reader = csv.reader(feed, delimiter=separator, strict=True)
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                if lines:
                    raise SourceError(
                        f"{file.path}, line {line}: more than {LONGEST_ROW} characters in one row"
                    ) from None
                return
            except csv.Error:
                fields = _fields(file.path, separator, line, lines, feed)
            count = len(lines)
            text = lines[0] if count == 1 else "".join(lines)
            lines.clear()
            if fields:
                yield line, offset, text, fields
            line += count
            offset += len(text) if text.isascii() and not wide else file.size_bytes(text)


def _feed(text: TextIO, lines: list[str]) -> Iterator[str]:
    """Hand out lines and note those of the current record; stop where it gets too long, which is then noted but not out."""
    held = 0
    for line in iter(partial(text.readline, LONGEST_ROW), ""):
        held = held + len(line) + _LINE if lines else len(line)
        lines.append(line)
        if held >= LONGEST_ROW:
            return
        yield line


def _fields(path: Path, separator: str, line: int, lines: list[str], feed: Iterator[str]) -> list[str]:
    """Split a record that csv.reader cannot: a field is very long, or a quote breaks the rules, which is an error."""
    fields, start, end = _split("".join(lines), separator)
    # A quote before each further line: it goes on inside of one.
    if end is None and any(_split(f'"{more}', separator)[2] is not None for more in feed):
        fields, start, end = _split("".join(lines), separator)
    if start is None:
        return fields
    text = "".join(lines)
    opened = line + _line_ends(text[:start])
    if end is None:
        raise SourceError(
            f"{path}, line {opened}: the quote that opens here is not closed, {len(text) - start} characters on"
        )
    closed = line + _line_ends(text[:end])
    raise SourceError(f"{path}, line {opened}: the quote that opens here is closed on line {closed}, but text follows")


def _split(text: str, separator: str) -> tuple[list[str], int | None, int | None]:
    """Split the text of a record; also return where the field with a wrong quote starts and ends, None if it does not."""
    field = re.compile(rf'"([^"]*+(?:""[^"]*+)*+)("?)|([^{re.escape(separator)}\r\n]*+)')
    fields: list[str] = []
    position = 0
    while found := field.match(text, position):
        quoted, closed, plain = found.groups()
        end = found.end()
        if quoted is None:
            fields.append(plain)
        elif not closed:
            return fields, position, None
        elif end < len(text) and text[end] not in (separator, "\r", "\n"):
            return fields, position, end
        else:
            fields.append(quoted.replace('""', '"'))
        if end == len(text) or text[end] != separator:
            break
        position = end + 1
    return fields, None, len(text)


def _line_ends(text: str) -> int:
    return len(re.findall("\r\n|\r|\n", text))
