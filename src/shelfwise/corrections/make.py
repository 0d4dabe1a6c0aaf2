"""Correct a catalog: each list of corrections is one version of it, and a line each in the log. Nothing is deleted."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from shelfwise.catalog import Catalog, Change, changing, schema
from shelfwise.catalog.lock import PATIENCE_S
from shelfwise.corrections.decide import Action, Correction, Decisions
from shelfwise.corrections.log import last_number, rows_from, subject
from shelfwise.progress import SILENT, Progress

_REVERSE: dict[str, Action] = {"move": "move", "confirm": "confirm", "set_aside": "restore", "restore": "set_aside"}


@dataclass(slots=True)
class Corrected:
    """What became of corrections.

    version: of the catalog afterwards. numbers: those of the log, ascending; one correction has one, or one a photo.
    refused: what does not fit the catalog as it is now, and why.
    """

    catalog: str
    version: int = 0
    applied: int = 0
    numbers: list[int] = field(default_factory=list)
    refused: list[tuple[Correction, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and refusals as JSON values."""
        return asdict(self)


def correct(
    path: Path | str,
    corrections: Iterable[Correction],
    *,
    who: str | None = None,
    origin: str,
    sitting: str = "",
    wait_s: float = PATIENCE_S,
    progress: Progress = SILENT,
) -> Corrected:
    """Carry out corrections, in order, as one version of the catalog; those that do not fit it are refused with a reason.

    who: the name in the log, default the user of this machine; origin: what made them (`review`, `apply plan.csv`);
    sitting, wait_s: see `catalog.changing`.
    Raises CatalogError, CatalogBusyError, DiskFullError; then nothing was changed.
    """
    wanted = list(corrections)

    def decide(decisions: Decisions, done: Corrected) -> None:
        with progress.task("correct", len(wanted)) as advance:
            for correction in wanted:
                if why := decisions.refuses(correction):
                    done.refused.append((correction, why))
                else:
                    done.applied += 1
                advance(1)

    def read(catalog: Catalog) -> Decisions:
        return Decisions.about(catalog, wanted)

    return _carried_out(Path(path), person(who), origin, sitting, wait_s, read, decide)


def check(catalog: Catalog, corrections: Iterable[Correction]) -> list[tuple[Correction, str]]:
    """Return the corrections that `correct` would refuse now, and why."""
    wanted = list(corrections)
    decisions = Decisions.about(catalog, wanted)
    reasons = [(correction, decisions.refuses(correction)) for correction in wanted]
    return [(correction, why) for correction, why in reasons if why]


def take_back(
    path: Path | str,
    numbers: Sequence[int],
    *,
    who: str | None = None,
    origin: str = "take back",
    sitting: str = "",
    wait_s: float = PATIENCE_S,
) -> Corrected:
    """Write the reverse of corrections as new lines of the log, the newest first.

    Refused are numbers that the log does not have, what was taken back before, and what a later correction of the same
    shelf or photo, or another import, built upon.
    """

    def read(catalog: Catalog) -> Decisions:
        rows = rows_from(catalog, min(numbers, default=1))
        chosen = [row for row in rows if row["number"] in set(numbers)]
        # The log before the first of them tells why a photo had been set aside that one of them restored.
        decisions = Decisions.about(catalog, [_forth(row) for row in chosen])
        decisions.log = rows if all(row["action"] != "restore" for row in chosen) else rows_from(catalog, 1)
        return decisions

    def decide(decisions: Decisions, done: Corrected) -> None:
        by_number = {row["number"]: row for row in decisions.log}
        standing = _standing(decisions.log)
        for number in sorted(set(numbers), reverse=True):
            row = by_number.get(number)
            if row is None:
                done.refused.append((_nothing(number), f"the log has no correction {number}"))
                continue
            stack = standing[_subject(row)]
            if why := _not_newest(row, stack) or decisions.refuses(_back(row, stack), undoes=number):
                done.refused.append((_forth(row), f"correction {number}: {why}"))
            else:
                stack.pop()
                done.applied += 1

    return _carried_out(Path(path), person(who), origin, sitting, wait_s, read, decide)


def person(name: str | None) -> str:
    """Return a name, or that of the user of this machine."""
    if name is not None:
        return name.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name
        return "unknown"


def _carried_out(
    path: Path, who: str, origin: str, sitting: str, wait_s: float,
    read: Callable[[Catalog], Decisions], decide: Callable[[Decisions, Corrected], None],
) -> Corrected:  # fmt: skip
    Catalog(path)  # what is no catalog is told, and not begun as one
    done = Corrected(str(path))
    with changing(path, f"{origin} by {who}", sitting=sitting, wait_s=wait_s) as change:
        catalog = change.catalog or Catalog(path)
        decisions = read(catalog)
        decide(decisions, done)
        done.numbers = write_decisions(change, decisions, last_number(catalog), who, origin) if decisions.lines else []
    done.version = Catalog(path).description.snapshot.version
    return done


def write_decisions(change: Change, decisions: Decisions, last: int, who: str, origin: str) -> list[int]:
    """Write what was decided into products, images and the log; return the numbers of the log."""
    if decisions.moved:
        moved: dict[str, list[Any]] = {"product_id": list(decisions.moved), "category": list(decisions.moved.values())}
        change.update_products(_table(moved, schema.PRODUCTS))
    if decisions.marked:
        marked = [photo for photo in decisions.photos.values() if photo["image_id"] in decisions.marked]
        columns = ("image_id", "status", "reason", "detail")
        change.update_images(_table({name: [photo[name] for photo in marked] for name in columns}, schema.IMAGES))
    numbers = range(last + 1, last + 1 + len(decisions.lines))
    lines = zip(numbers, decisions.lines, strict=True)
    change.append_corrections(
        [line | {"number": number, "time": decisions.time, "who": who, "origin": origin} for number, line in lines]
    )
    return list(numbers)


def _table(columns: dict[str, list[Any]], of: pa.Schema) -> pa.Table:
    return pa.table(columns, schema=pa.schema([of.field(name) for name in columns]))


def _subject(row: dict[str, Any]) -> tuple[str, str | None]:
    return subject(row["action"], row["product_id"], row["image_id"])


def _standing(log: list[dict[str, Any]]) -> dict[tuple[str, str | None], list[dict[str, Any]]]:
    """Return the corrections that were not taken back, by subject, the newest last."""
    standing: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for row in log:
        stack = standing.setdefault(_subject(row), [])
        if row["undoes"] is None:
            stack.append(row)
        elif stack and stack[-1]["number"] == row["undoes"]:
            stack.pop()
    return standing


def _not_newest(row: dict[str, Any], stack: list[dict[str, Any]]) -> str | None:
    if row["undoes"] is not None:
        return f"it takes back correction {row['undoes']}: make the correction again instead"
    if row not in stack:
        return "it was taken back before"
    if stack[-1] is not row:
        return f"correction {stack[-1]['number']} came after it: take that back first"
    return None


def _forth(row: dict[str, Any]) -> Correction:
    """Return the correction that a line of the log tells of."""
    return Correction(
        action=row["action"], product_id=row["product_id"], image_id=row["image_id"],
        category=row["after"] if row["action"] == "move" else None, was=row["before"],
        reason=row["reason"], detail=row["detail"],
    )  # fmt: skip


def _back(row: dict[str, Any], stack: list[dict[str, Any]]) -> Correction:
    """Return the correction that reverses a line of the log; `stack` ends with it."""
    reverse = _REVERSE[row["action"]]
    why = stack[-2] if row["action"] == "restore" and len(stack) > 1 else row
    return Correction(
        action=reverse, product_id=row["product_id"], image_id=row["image_id"],
        category=row["before"] if reverse == "move" else None, was=row["after"],
        reason=why["reason"], detail=why["detail"],
    )  # fmt: skip


def _nothing(number: int) -> Correction:
    return Correction(action="confirm", product_id="", detail=f"number {number}")
