"""A plan: a CSV file of proposed corrections that people read, edit in a spreadsheet, and hand back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from shelfwise.catalog import Catalog
from shelfwise.errors import OptionError, SourceError
from shelfwise.files import room_for, text_of, write_bytes
from shelfwise.formats.csv_rows import open_csv
from shelfwise.formats.csv_write import unescaped, write_csv
from shelfwise.formats.open_table import need
from shelfwise.formats.rows import BadRow, Table

COLUMNS = (
    "apply", "action", "kind", "product_id", "image_id", "title", "shelf", "category", "to", "to_shelf", "score", "reason",
    "catalog",
)  # fmt: skip
NEEDED = ("apply", "action", "product_id", "image_id", "category", "to", "to_shelf", "kind", "reason", "catalog")
_IDS = ("product_id", "image_id", "category", "to")
_SEPARATORS = (",", ";", "\t")
BETWEEN_NAMES = " > "


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One line of a plan: a correction that somebody may want.

    apply: yes, no, or empty for undecided; action: one of `decide.ACTIONS`; kind: which check proposes it; category: where
    the product stands now, None for no shelf; to: where it should stand, for a move; score: the check's, None for none.
    """

    action: str
    kind: str
    product_id: str
    image_id: str | None = None
    title: str | None = None
    category: str | None = None
    to: str | None = None
    score: float | None = None
    reason: str = ""
    apply: str = ""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A line of a plan as it was handed back: its place, and its cells by column."""

    where: str
    cells: dict[str, str]


def refuse_place(option: str, path: Path, catalog: Path, new_folder: Path | None = None) -> None:
    """Raise OptionError where no plan can be written, before the work begins; option: what the user gave it with.

    A plan that exists may hold somebody's answers: it is never replaced. new_folder: a folder that will be there by then.
    """
    _refuse_name(f"{option} {path}", path)
    if os.path.lexists(path):
        raise OptionError(f"{option} {path} exists: choose another name, or remove it first")
    folder = path.absolute().parent
    if not folder.is_dir() and (new_folder is None or folder != new_folder.absolute()):
        raise OptionError(f"{option} {path}: there is no folder {folder}")
    refuse_inside(option, path, catalog)


def _refuse_name(said: str, path: Path) -> None:
    if path.suffix.lower() != ".csv":
        raise OptionError(f"{said}: the name of a plan ends in .csv")


def refuse_inside(option: str, path: Path, catalog: Path) -> None:
    """Raise OptionError for a file or folder within a catalog, which holds what belongs to it and nothing else."""
    if path.resolve().is_relative_to(catalog.resolve()):
        raise OptionError(f"{option} {path} lies in the catalog {catalog}: choose a place outside of it")


def write_plan(path: Path | str, proposals: Iterable[Proposal], catalog: Catalog) -> int:
    """Write proposals for a catalog as CSV and return their number; the file appears when it is whole.

    Raises OptionError for a name that does not end in .csv, DiskFullError.
    """
    path = Path(path)
    _refuse_name(str(path), path)
    place = text_of(catalog.path.absolute())
    lines = list(write_csv((_cells(one, catalog, place) for one in proposals), COLUMNS, texts=_IDS))
    with room_for(path, sum(map(len, lines))):
        write_bytes(path, b"".join(lines))
    return len(lines) - 1


def _cells(proposal: Proposal, catalog: Catalog, place: str) -> dict[str, str]:
    def shelf(category: str | None) -> str:
        return "" if category is None else BETWEEN_NAMES.join(catalog.taxonomy.names(category))

    return {
        "apply": proposal.apply,
        "action": proposal.action,
        "kind": proposal.kind,
        "product_id": proposal.product_id,
        "image_id": proposal.image_id or "",
        "title": proposal.title or "",
        "shelf": shelf(proposal.category),
        "category": proposal.category or "",
        "to": proposal.to or "",
        "to_shelf": shelf(proposal.to),
        "score": "" if proposal.score is None else f"{proposal.score:.4g}",
        "reason": proposal.reason,
        "catalog": place,
    }


def read_plan(path: Path | str) -> Iterator[PlanRow | BadRow]:
    """Go through the lines of a plan; commas, semicolons or tabs may stand between the cells, as spreadsheets save them.

    Raises SourceError for what is no plan: a column is missing, the file is broken or has no lines.
    """
    path = Path(path)
    table = _opened(path)
    need(table, NEEDED, path)
    for row in table.rows():
        if isinstance(row, BadRow):
            yield row
        else:
            yield PlanRow(row.where, {name: unescaped(str(value)) for name, value in row.values.items()})


def catalog_of(path: Path | str) -> Path:
    """Return the catalog that a plan is for; raises SourceError where its lines name none, or several."""
    named: dict[str, str] = {}
    for row in read_plan(path):
        if isinstance(row, PlanRow):
            named.setdefault(row.cells["catalog"], row.where)
    if len(named) == 1 and (only := next(iter(named))):
        return Path(only)
    if not named or len(named) == 1:
        raise SourceError(f"{path}: the column catalog names none: say which with --catalog")
    (one, _), (other, where) = list(named.items())[:2]
    raise SourceError(
        f"{path}, {where}, column catalog: {other!r}, before {one!r}: a plan is for one catalog; say which with --catalog"
    )


def _opened(path: Path) -> Table:
    """Open a plan with the separator that its header shows."""
    if path.suffix.lower() != ".csv":
        raise SourceError(f"{path} is no plan: its name must end in .csv")
    tables = (open_csv(path, separator) for separator in _SEPARATORS)
    first = next(tables)
    return next((table for table in chain([first], tables) if len(table.columns) > 1), first)
