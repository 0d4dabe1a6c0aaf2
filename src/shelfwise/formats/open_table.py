"""Open a foreign table by the ending of its name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from shelfwise.errors import OptionError, SourceError
from shelfwise.formats.csv_rows import open_csv
from shelfwise.formats.json_rows import open_json, open_json_lines
from shelfwise.formats.parquet_rows import open_parquet
from shelfwise.formats.rows import Table

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_SPELLED = {"\t": "tab"}
_LINES = (".jsonl", ".ndjson")
ENDINGS = (*_SEPARATORS, *_LINES, ".json", ".parquet")


def open_table(
    path: Path,
    *,
    encoding: str | None = None,
    separator: str | None = None,
    columns: Sequence[str] | None = None,
    members: str | None = None,
) -> Table:
    """Open a table: .csv, .tsv, .jsonl, .ndjson or .json, each also with .gz, or .parquet.

    encoding: instead of the one found out. separator: instead of `,` (.tsv: tab). columns: the names for a CSV file
    without a header line. members: the key of the rows where a .json holds one object, not an array.
    Raises SourceError for a file that is broken or has no rows, OptionError for an option that does not fit the file.
    """
    ending = _ending(path)
    fits = {"separator": ending in _SEPARATORS, "columns": ending in _SEPARATORS, "members": ending == ".json"}
    fits["encoding"] = ending != ".parquet"
    given = {"encoding": encoding, "separator": separator, "columns": columns, "members": members}
    for name, value in given.items():
        if value is not None and not fits[name]:
            raise OptionError(f"{path}: {name} does not apply to a {ending} file")
    if ending in _SEPARATORS:
        chosen = "\t" if separator == "tab" else separator or _SEPARATORS[ending]
        return open_csv(path, chosen, encoding=encoding, columns=columns)
    if ending in _LINES:
        return open_json_lines(path, encoding=encoding)
    if ending == ".json":
        return open_json(path, members, encoding=encoding)
    return open_parquet(path)


def need(table: Table, names: Sequence[str], path: Path) -> None:
    """Raise SourceError unless a table has all of the columns `names`."""
    missing = [name for name in names if name not in table.columns]
    if not missing:
        return
    words = [f"{path}: found columns {list(table.columns)}, need {missing}"]
    for name in missing:
        if near := difflib.get_close_matches(name, table.columns, 1):
            words.append(f"{near[0]!r} may be meant for {name!r}")
    if len(table.columns) == 1 and _ending(path) in _SEPARATORS:
        counts = {mark: table.columns[0].count(mark) for mark in ",;\t|"}
        mark = max(counts, key=counts.__getitem__)
        if counts[mark]:
            words.append(f"looks like {mark!r}: give --separator {_SPELLED.get(mark, repr(mark))}")
    raise SourceError("; ".join(words))


def _ending(path: Path) -> str:
    name = path.name.lower()
    for ending in ENDINGS:
        if name.endswith(ending) or (name.endswith(f"{ending}.gz") and ending != ".parquet"):
            return ending
    raise SourceError(f"{path} is no table: its name must end in one of {', '.join(ENDINGS)}")
