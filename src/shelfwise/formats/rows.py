"""What every reader of tables yields: sound rows and bad rows, each with its place in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

# Characters of the original that a quarantined row keeps, so that people recognize it.
EXCERPT = 200


@dataclass(frozen=True, slots=True)
class TableRow:
    """A sound row: values by column name, its place (`line 17`, `byte 512`, `row 3`), and how it begins in the file."""

    where: str
    values: dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row to quarantine: its place, a code (`row_columns`, `row_encoding`, ...), plain words, and how it begins."""

    where: str
    code: str
    detail: str
    text: str = ""
    product_id: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An opened table: its columns, what was found out about the file (`utf-8`, ...), and its rows, read anew each time.

    `rows` raises SourceError where the structure of the file is broken.
    """

    columns: tuple[str, ...]
    encoding: str
    rows: Callable[[], Iterator[TableRow | BadRow]]
