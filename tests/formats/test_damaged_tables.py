"""The forty damaged tables: what is in the file comes out of it, sound or with a reason, or the reading stops and says why."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from damaged_tables import TABLES, DamagedTable
from shelfwise.errors import SourceError
from shelfwise.formats.open_table import open_table
from shelfwise.formats.rows import EXCERPT, BadRow, TableRow

Reader = Callable[[Path], Iterator[TableRow | BadRow]]


def ours(path: Path) -> Iterator[TableRow | BadRow]:
    yield from open_table(path).rows()


def dict_reader(path: Path) -> Iterator[TableRow | BadRow]:
    """What most importers do: csv.DictReader on the text, bad bytes replaced."""
    text = io.StringIO(path.read_bytes().decode("utf-8", "replace"), newline="")
    for row in csv.DictReader(text):
        yield TableRow("", row, "")


def faults(table: DamagedTable, reader: Reader, folder: Path) -> list[str]:
    """Compare what a reader makes of a table with what must become of it."""
    path = folder / table.file_name
    path.write_bytes(table.data)
    try:
        rows = list(reader(path))
    except (SourceError, csv.Error) as error:
        if table.error and re.search(table.error, str(error)) and table.file_name in str(error):
            return []
        return [f"stopped: {error}"]
    if table.error:
        return [f"{len(rows)} rows instead of an error"]
    bad = {row.where: row.code for row in rows if isinstance(row, BadRow)}
    good: list[Any] = [row.values for row in rows if isinstance(row, TableRow)]
    found = []
    if len(rows) != table.rows:
        found.append(f"{len(rows)} of {table.rows} rows")
    if bad != table.bad:
        found.append(f"bad rows {bad}")
    if table.good is not None and good != table.good:
        found.append(f"good rows {good}")
    return found


@pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
def test_every_row_of_a_damaged_table_comes_out_good_or_bad_or_the_reading_stops(table: DamagedTable, tmp_path: Path):
    assert faults(table, ours, tmp_path) == []


def test_there_are_forty_tables_with_different_names():
    assert len({table.name for table in TABLES}) == len(TABLES) == 40


@pytest.mark.parametrize("table", [table for table in TABLES if table.encoding], ids=lambda table: table.name)
def test_the_encoding_found_out_is_told(table: DamagedTable, tmp_path: Path):
    path = tmp_path / table.file_name
    path.write_bytes(table.data)
    assert open_table(path).encoding == table.encoding


@pytest.mark.parametrize("table", [table for table in TABLES if table.bad], ids=lambda table: table.name)
def test_a_bad_row_is_recognizable_and_can_be_stored(table: DamagedTable, tmp_path: Path):
    path = tmp_path / table.file_name
    path.write_bytes(table.data)
    for row in open_table(path).rows():
        if isinstance(row, BadRow):
            assert row.detail
            assert 0 < len(row.text.encode()) <= 4 * EXCERPT
            assert row.text.isprintable() or row.code in ("row_nul", "row_field_size")


def test_a_reader_that_loses_or_repairs_rows_is_seen(tmp_path: Path):
    """Negative control: csv.DictReader, which the same check must find guilty of silent loss."""
    csv_tables = {table.name: table for table in TABLES if table.file_name == "shop.csv"}
    seen = {name: faults(table, dict_reader, tmp_path) for name, table in csv_tables.items()}
    assert seen["unclosed quote"] == ["2 rows instead of an error"]
    for name in ("extra and missing fields", "column twice", "only a header", "NUL byte", "UTF-8 with one bad byte"):
        assert seen[name], name
    assert seen["all line ends at once"] == []
