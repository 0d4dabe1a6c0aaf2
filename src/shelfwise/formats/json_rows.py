"""JSON, row by row: lines of objects, an array of objects, or arrays that are members of one object."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from shelfwise.errors import SourceError
from shelfwise.formats.json_text import JsonText, JsonValue, brackets
from shelfwise.formats.rows import EXCERPT, BadRow, Table, TableRow
from shelfwise.formats.text import LONGEST_ROW, TextFile, open_text, printable

# Arrays and objects inside one another.
DEEPEST = 64
# Rows whose keys are the columns: those of all rows are known only at the end.
_LOOKED_AT = 1000

_Rows: TypeAlias = Generator[TableRow | BadRow, None, None]


def open_json_lines(path: Path, *, encoding: str | None = None) -> Table:
    """Open a file with one JSON object a line; numbers are text as written, a missing key is None.

    Raises SourceError for a file without rows, and where a line is no JSON.
    """
    file = open_text(path, encoding)
    return _table(file, partial(_line_rows, file))


def open_json(path: Path, member: str | None = None, *, encoding: str | None = None) -> Table:
    """Open a file that is one JSON array of objects, or one object with such an array under the key `member`.

    Numbers are text as written, a missing key is None. Raises SourceError for a file without rows, and where the text is
    no JSON.
    """
    file = open_text(path, encoding)
    return _table(file, partial(_array_rows, file) if member is None else partial(_member_rows, file, [member]))


def read_members(path: Path, names: Sequence[str], *, encoding: str | None = None) -> _Rows:
    """Go through the objects of the arrays `names` of a file that is one JSON object, in the file's order.

    `where` tells the array: `images[17]`, from 0. Values are those of `open_json`, but only of the keys that are there.
    Holds one row at a time. Raises SourceError where an array is missing, and where the text is no JSON.
    """
    return _member_rows(open_text(path, encoding), names)


def _table(file: TextFile, rows: Callable[[], _Rows]) -> Table:
    """Take the keys of the first rows as columns."""
    with closing(rows()) as begin:
        first = list(islice(begin, _LOOKED_AT))
    if not first:
        raise SourceError(f"{file.path} has no rows")
    columns = dict.fromkeys(name for row in first if isinstance(row, TableRow) for name in row.values)
    return Table(tuple(columns), file.encoding, partial(_completed, rows, columns))


def _completed(rows: Callable[[], _Rows], columns: dict[str, None]) -> _Rows:
    """Give every row all columns."""
    for row in rows():
        yield TableRow(row.where, columns | row.values, row.text) if isinstance(row, TableRow) else row


def _line_rows(file: TextFile) -> _Rows:
    reader, offset, blank = _RowReader(file), file.mark_bytes, True
    with file.opened() as text:
        for number, line in enumerate(iter(partial(text.readline, LONGEST_ROW), ""), 1):
            if len(line) >= LONGEST_ROW:
                raise SourceError(f"{file.path}, line {number}: more than {LONGEST_ROW} characters in one row")
            if line.strip(" \t\r\n"):
                if blank and _begins_an_array(line):
                    raise SourceError(f"{file.path} is a JSON array, not one JSON object a line: end its name in .json")
                blank = False
                yield reader.row(f"line {number}", JsonValue(line, number, 1, offset))
            offset += file.size_bytes(line)


def _begins_an_array(line: str) -> bool:
    """Tell an array of objects that a whole file is from a first row that should have been an object."""
    if not line.lstrip().startswith("["):
        return False
    if brackets(line)[0] is None:
        return True
    return line.lstrip()[1:].lstrip().startswith(("{", "]"))


def _array_rows(file: TextFile) -> _Rows:
    reader = _RowReader(file)
    with JsonText.opened(file) as text:
        if text.peek() == "{":
            raise SourceError(f"{file.path} is no JSON array but {_instead(text)}")
        if text.peek():
            for number, value in enumerate(text.array(), 1):
                yield reader.row(f"row {number}", value)
            text.end()


def _instead(text: JsonText) -> str:
    """Say what a file is that begins with an object."""
    names = []
    for name in text.members():
        names.append(name)
        text.skip()
    if text.peek() == "{":
        return "one JSON object a line: end its name in .jsonl"
    return f"one object: say which of its members holds the rows, {names}"


def _member_rows(file: TextFile, names: Sequence[str]) -> _Rows:
    reader = _RowReader(file)
    found: set[str] = set()
    with JsonText.opened(file) as text:
        for name in text.members():
            if name in found:
                raise text.error(f"the key {name!r} is there a second time")
            found.add(name)
            if name not in names:
                text.skip()
                continue
            for number, value in enumerate(text.array()):
                yield reader.row(f"{name}[{number}]", value)
        text.end()
    if missing := sorted(set(names) - found):
        raise SourceError(f"{file.path}: found keys {sorted(found)}, need {missing}")


class _RowReader:
    """Turns the text of values into rows; what json would take without a word is noted in `_problems`."""

    def __init__(self, file: TextFile) -> None:
        self._file = file
        self._problems: list[tuple[str, str]] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=str, parse_float=self._number, parse_constant=self._constant
        )

    def row(self, where: str, value: JsonValue) -> TableRow | BadRow:
        """Read a value; raises SourceError where its text is no JSON."""
        text = value.text
        excerpt = printable(text[:EXCERPT].strip())
        if text.count("[") + text.count("{") > DEEPEST:
            end, deepest = brackets(text)
            if end is None and deepest:
                raise value.error(self._file, len(text.rstrip()), "the text breaks off")
            if deepest > DEEPEST:
                return BadRow(where, "row_value", f"nested {deepest} deep, limit {DEEPEST}", excerpt)
        self._problems.clear()
        try:
            found = self._decoder.decode(text)
        except json.JSONDecodeError as error:
            raise value.error(self._file, error.pos, error.msg) from error
        problem = self._problem(value, found)
        return BadRow(where, *problem, excerpt) if problem else TableRow(where, found, excerpt)

    def _problem(self, value: JsonValue, found: Any) -> tuple[str, str] | None:
        """Return code and words for a value that is no sound row."""
        if bad := self._file.bad_byte(value.text, value.offset):
            return "row_encoding", bad
        if not isinstance(found, dict):
            return "row_value", f"a row must be an object, this is {value.text[:20].strip()}"
        if self._problems:
            return self._problems[0]
        if "\\u" in value.text:
            text = json.dumps(found, ensure_ascii=False)
            if printable(text) != text:
                return "row_encoding", "half of a surrogate pair (\\ud800 to \\udfff) is no character"
            if "\\u0000" in text:
                return "row_nul", "a NUL character (\\u0000)"
        return None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            double = sorted({name for name in names if names.count(name) > 1})
            self._problems.append(("row_duplicate_key", f"keys {double} are there twice"))
        return found

    def _number(self, text: str) -> str:
        if math.isinf(float(text)):
            self._problems.append(("row_value", f"{text} is too large for a number"))
        return text

    def _constant(self, text: str) -> None:
        self._problems.append(("row_value", f"{text} is no JSON value"))
