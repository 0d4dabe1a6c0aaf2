"""CSV that a spreadsheet opens without running anything, and that reads back as it was."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import repeat

# How a cell begins that spreadsheets run. Source: OWASP, CSV Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# A byte order mark would be taken for the file's own.
_QUOTED = re.compile('[",\r\n\ufeff]')
# What spreadsheets take for a number, a date or a truth, and write back as another text: 0012, 1e5, 3-4, MARCH1, true.
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_TAKEN = re.compile(
    rf"(?=\D*\d)[\d\s.,:/%+e-]++|true|false|({_MONTHS})[a-z]*[ ./-]?\d+|\d+[ ./-]?({_MONTHS})[a-z]*", re.I
)
_PLAIN = re.compile("0|[1-9][0-9]{0,14}", re.ASCII)


def write_csv(
    rows: Iterable[Mapping[str, str]], columns: Sequence[str], *, texts: Collection[str] = ()
) -> Iterator[bytes]:
    """Write a header and rows as RFC 4180 in UTF-8 with LF, one line at a time.

    Text that a spreadsheet could run, and text that begins with an apostrophe, is led by an apostrophe more, so that
    `unescaped` gives back every value. So is, in the columns `texts`, what a spreadsheet would change: 0012, 1e5, 3-4.
    """
    yield _line(columns)
    for row in rows:
        yield _line([row[column] for column in columns], [column in texts for column in columns])


def unescaped(value: str) -> str:
    """Take away the apostrophe that `write_csv` put before a value.

    Only for values of files that it wrote: elsewhere an apostrophe is part of the text. Nothing in a CSV file says who
    wrote it, so whoever reads one must be told.
    """
    return value.removeprefix("'")


def _line(values: Sequence[str], texts: Iterable[bool] = repeat(False)) -> bytes:
    """Write one record; one empty value alone is quoted, a blank line would be none."""
    return (",".join(map(_cell, values, texts)) or '""').encode() + b"\n"


def _cell(value: str, is_text: bool) -> str:
    changed = is_text and _TAKEN.fullmatch(value) and not _PLAIN.fullmatch(value)
    if changed or value.startswith((*_FORMULA, "'")):
        value = f"'{value}"
    return '"' + value.replace('"', '""') + '"' if _QUOTED.search(value) else value
