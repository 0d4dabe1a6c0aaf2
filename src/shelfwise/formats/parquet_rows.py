"""Parquet, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from shelfwise.errors import SourceError
from shelfwise.formats.rows import EXCERPT, BadRow, Table, TableRow
from shelfwise.formats.text import Stamp

# Rows held at once: a row may bring a photo of megabytes.
_BATCH = 64


def open_parquet(path: Path) -> Table:
    """Open a Parquet file; values are Python's, a Hugging Face picture is a dict of `bytes` and `path`.

    Times in nanoseconds, which Python does not know, are text. Raises SourceError for a file without rows, with a column
    name that is there twice, or that is broken, also while it is read.
    """
    stamp = Stamp.of(path)
    try:
        with stamp.unchanged(), parquet.ParquetFile(path) as file:
            names, count = file.schema_arrow.names, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path} is no sound Parquet file, or was cut: {error}") from error
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(f"{path}: columns {double} are there twice; found columns {names}")
    if count == 0:
        raise SourceError(f"{path} has no rows, only the columns {names}")
    return Table(tuple(names), "parquet", partial(_rows, stamp))


def _rows(stamp: Stamp) -> Iterator[TableRow | BadRow]:
    """Go through the rows of a file."""
    number = 0
    with stamp.unchanged():
        try:
            with parquet.ParquetFile(stamp.path) as file:
                for batch in file.iter_batches(_BATCH):
                    for row in _values(batch):
                        number += 1
                        yield _row(f"row {number}", row)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{stamp.path}, behind row {number}: no sound Parquet file: {error}") from error


def _row(where: str, row: dict[str, Any] | UnicodeDecodeError) -> TableRow | BadRow:
    if isinstance(row, UnicodeDecodeError):
        return BadRow(where, "row_encoding", f"text that is no UTF-8: {row}")
    return TableRow(where, row, _excerpt(row))


def _values(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | UnicodeDecodeError]:
    """Turn a batch into Python's values, row by row where a text of it is no UTF-8."""
    arrays = [array.cast(pa.string()) if _in_nanoseconds(array.type) else array for array in batch.columns]
    batch = pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)
    try:
        yield from batch.to_pylist()
        return
    except UnicodeDecodeError:
        pass
    for number in range(batch.num_rows):
        try:
            row = batch.slice(number, 1).to_pylist()[0]
        except UnicodeDecodeError as error:
            row = error
        yield row


def _in_nanoseconds(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind)) and getattr(kind, "unit", None) == "ns"


def _excerpt(row: dict[str, Any]) -> str:
    """Show how a row begins: bytes by their number only."""
    return ", ".join(f"{name}={_shown(value)}" for name, value in row.items())[:EXCERPT]


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_shown(part)}" for name, part in value.items()) + "}"
    return str(value)
