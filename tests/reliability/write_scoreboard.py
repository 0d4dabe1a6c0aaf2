"""Put the lines that the reliability tests recorded into the table of docs/reliability.md: `python write_scoreboard.py LINES`."""

from __future__ import annotations

import json
import re
import sys
from datetime import date
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
_TABLE = re.compile(r"(?<=<!-- scoreboard -->\n).*?(?=<!-- end -->)", re.DOTALL)
_HEAD = "| test | cases | failures | tier | seconds | the broken variant that it was seen to catch |\n|---|---|---|---|---|---|\n"


def table(lines: list[str]) -> str:
    """Make the table of the newest line of every test and tier, sorted."""
    newest = {(row["test"], row["tier"]): row for row in map(json.loads, filter(None, lines))}
    rows = sorted(newest.values(), key=lambda row: (int(re.findall(r"\d+", row["test"])[0]), row["test"], row["tier"]))
    body = "".join(
        f"| {row['test']} | {row['n']:,} | {row['failures']} | {row['tier']} | {row['seconds']:,.0f} | {row['control']} |\n"
        for row in rows
    )
    versions = ", ".join(f"{name} {number}" for name, number in rows[-1]["versions"].items()) if rows else ""
    return f"{_HEAD}{body}\nMade on {date.today():%Y-%m-%d} with {versions}.\n"


def written(document: str, lines: list[str]) -> str:
    """Return the document with its table replaced."""
    if not _TABLE.search(document):
        raise ValueError(f"{DOCUMENT} has no place for the table")
    return _TABLE.sub(lambda _: table(lines), document)


if __name__ == "__main__":
    recorded = Path(sys.argv[1]).read_text().splitlines()
    DOCUMENT.write_text(written(DOCUMENT.read_text(), recorded))
    print(f"{DOCUMENT.name}: {len(recorded)} lines")
