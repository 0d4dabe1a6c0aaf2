"""T18: whatever a table holds, rows in the file = imported + quarantined + duplicates, and importing it again changes nothing."""

from __future__ import annotations

import csv
import io
import random
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from scoreboard import record, tier

from damaged_tables import TABLES, DamagedTable
from drawn_source import GivenSource
from drawn_source import record as product
from shelfwise.catalog import Catalog
from shelfwise.errors import SourceError
from shelfwise.ingest import IngestSummary, ingest
from shelfwise.ingest.quarantine import quarantined
from shelfwise.ingest.table import TableSource
from shelfwise.options import TableOptions

GENERATED = {"pr": 60, "release": 1000}


def ingested(path: Path, to: Path, title: str | None = "title") -> IngestSummary:
    return ingest(TableSource(path, TableOptions(id="id", title=title)), to)


def adds_up(summary: IngestSummary, rows: int) -> bool:
    return summary.rows == rows == summary.added + summary.quarantined_rows + summary.duplicates


def faults(table: DamagedTable, folder: Path) -> list[str]:
    path, to = folder / table.file_name, folder / "x.catalog"
    path.write_bytes(table.data)
    title = "title" if b"title" in table.data.replace(b"\0", b"") or path.suffix in (".gz", ".parquet") else None
    try:
        first = ingested(path, to, title)
    except SourceError as error:
        told = table.error is not None and re.search(table.error, str(error)) and table.file_name in str(error)
        return [] if told and not to.exists() else [f"stopped: {error}, catalog there: {to.exists()}"]
    if table.error:
        return ["came in, and should have stopped"]
    found = [] if adds_up(first, table.rows) else [f"{first.rows} of {table.rows} rows: {first}"]
    for entry in quarantined(to):
        if table.file_name not in entry["place"] or not entry["detail"] or len(entry["text"]) > 200:
            found.append(f"not recognizable: {entry}")
    described = (to / "catalog.json").read_bytes()
    again = ingested(path, to, title)
    if (again.added, again.updated) != (0, 0) or (to / "catalog.json").read_bytes() != described:
        found.append("importing it again changed the catalog")
    return found


@pytest.mark.slow
def test_the_rows_of_forty_damaged_tables_add_up_and_come_in_once(tmp_path: Path):
    started = time.perf_counter()
    found = {}
    for number, table in enumerate(TABLES):
        (tmp_path / str(number)).mkdir()
        if told := faults(table, tmp_path / str(number)):
            found[table.name] = told
    assert found == {}
    lossy = rows_of_a_lenient_reader()
    assert lossy, "a reader that loses rows must be seen"
    record(
        test="T18 damaged tables", n=len(TABLES), failures=len(found), seconds=time.perf_counter() - started, seed=0,
        control=f"csv.DictReader: rows do not add up in {lossy} of the {len(TABLES)}",
    )  # fmt: skip


def rows_of_a_lenient_reader() -> int:
    """Control: in how many tables csv.DictReader finds another number of rows than there are, without a word."""
    wrong = 0
    for table in TABLES:
        if table.file_name == "shop.csv":
            text = io.StringIO(table.data.decode("utf-8", "replace"), newline="")
            try:
                wrong += len(list(csv.DictReader(text))) != table.rows
            except csv.Error:
                continue
    return wrong


def generated(rng: random.Random) -> tuple[bytes, Counter[str]]:
    """Write a table with sound, short, long and repeated rows, and count each by construction."""
    letters = ["a", "é", '"', ",", "\n", " ", "=", "'", "漢", "\t"]
    rows: list[list[str]] = []
    counts: Counter[str] = Counter()
    for number in range(rng.randrange(1, 25)):
        title = "".join(rng.choices(letters, k=rng.randrange(6)))
        kind = rng.choice(["sound"] * 5 + ["short", "long", "duplicate", "conflict", "no id"])
        sound = [row for row in rows if len(row) == 2 and row[0].startswith("s")]
        if kind == "duplicate" and sound:
            rows.append(list(rng.choice(sound)))
            counts["duplicates"] += 1
        elif kind == "conflict":
            rows += [[f"c{number}", f"{title}1"], [f"c{number}", f"{title}2"]]
            counts["bad"] += 2
        elif kind in ("short", "long", "no id"):
            rows.append({"short": [f"x{number}"], "long": [f"x{number}", "b", "c"], "no id": ["", title]}[kind])
            counts["bad"] += 1
        else:
            rows.append([f"s{number}", title])
            counts["added"] += 1
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=rng.choice(["\n", "\r\n"])).writerows([["id", "title"], *rows])
    return text.getvalue().encode(), counts


@pytest.mark.slow
def test_generated_tables_add_up_and_their_titles_come_back_letter_by_letter(tmp_path: Path):
    started, count = time.perf_counter(), GENERATED[tier()]
    failures = 0
    for number in range(count):
        data, counts = generated(random.Random(number))
        path, to = tmp_path / f"{number}.csv", tmp_path / f"{number}.catalog"
        path.write_bytes(data)
        summary = ingested(path, to)
        got = Counter(added=summary.added, bad=summary.quarantined_rows, duplicates=summary.duplicates)
        expected = {
            row[0]: row[1] if row[1].strip() else ""  # a title of blanks is none
            for row in csv.reader(io.StringIO(data.decode(), newline=""))
            if len(row) == 2 and row[0].startswith("s")
        }
        rows = Catalog(to).products(["product_id", "title"]).to_pylist()
        titles = {row["product_id"]: row["title"] or "" for row in rows}
        again = ingested(path, to)
        failures += +got != +counts or titles != expected or bool(again.added + again.updated)
    assert failures == 0
    record(
        test="T18 generated tables", n=count, failures=failures, seconds=time.perf_counter() - started, seed=0,
        control="a summary that forgets one duplicate is seen by the same comparison",
    )  # fmt: skip


def test_the_comparison_sees_a_row_that_was_forgotten(tmp_path: Path):
    summary = ingest(GivenSource(product("1"), product("2"), product("2")), tmp_path / "x.catalog")
    assert adds_up(summary, 3)
    summary.duplicates = 0
    assert not adds_up(summary, 3)
