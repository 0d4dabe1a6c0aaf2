"""CSV that a spreadsheet opens without running anything, and that reads back as it was."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

# How a cell begins that spreadsheets run. Source: OWASP, CSV Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# A byte order mark would be taken for the file's own.
_QUOTED = re.compile('[",\r\n\ufeff]')


def write_csv(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> Iterator[bytes]:
    """Write a header and rows as RFC 4180 in UTF-8 with LF, one line at a time.

    Text that a spreadsheet could run, and text that begins with an apostrophe, is led by an apostrophe more, so that
    `unescaped` gives back every value.
    """
    yield _line(columns)
    for row in rows:
        yield _line([row[column] for column in columns])


def unescaped(value: str) -> str:
    """Take away the apostrophe that `write_csv` put before a value.

    Only for values of files that it wrote: elsewhere an apostrophe is part of the text. Nothing in a CSV file says who
    wrote it, so whoever reads one must be told.
    """
    return value.removeprefix("'")


def _line(values: Sequence[str]) -> bytes:
    """Write one record; one empty value alone is quoted, a blank line would be none."""
    return (",".join(map(_cell, values)) or '""').encode() + b"\n"


def _cell(value: str) -> str:
    if value.startswith((*_FORMULA, "'")):
        value = f"'{value}"
    return '"' + value.replace('"', '""') + '"' if _QUOTED.search(value) else value
