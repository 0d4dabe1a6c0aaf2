"""Put the lines that the reliability tests recorded into the table of docs/reliability.md: `python write_scoreboard.py LINES`."""

from __future__ import annotations

import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
_TABLE = re.compile(r"(?<=<!-- scoreboard -->\n).*?(?=<!-- end -->)", re.DOTALL)
_HEAD = "| test | cases | failures | tier | seconds | the broken variant that it was seen to catch |\n|---|---|---|---|---|---|\n"


def table(lines: list[str]) -> str:
    """Make the table of the newest line of every test and tier, those of one kind (`T4 kill: embed`) together, sorted."""
    newest = {(row["test"], row["tier"]): row for row in map(json.loads, filter(None, lines))}
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for (test, tier), row in newest.items():
        kinds.setdefault((test.partition(": ")[0], tier), []).append(row)
    body = ""
    for (kind, tier), rows in sorted(kinds.items(), key=lambda item: (int(re.findall(r"\d+", item[0][0])[0]), item[0])):
        name = rows[0]["test"] if len(rows) == 1 else f"{kind} ({len(rows)} kinds)"
        n, failures, seconds = (sum(row[column] for row in rows) for column in ("n", "failures", "seconds"))
        body += f"| {name} | {n:,} | {failures} | {tier} | {seconds:,.0f} | {rows[0]['control']} |\n"
    versions = ", ".join(f"{name} {number}" for name, number in next(iter(newest.values()))["versions"].items())
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
