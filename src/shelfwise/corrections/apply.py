"""Carry out a plan: lines that say yes are corrections, and every other line is counted with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shelfwise.catalog import Catalog
from shelfwise.corrections.decide import ACTIONS, Correction
from shelfwise.corrections.log import subject
from shelfwise.corrections.make import check, correct
from shelfwise.corrections.plan import PlanRow, catalog_of, read_plan
from shelfwise.corrections.shelf_names import ShelfNames
from shelfwise.errors import CatalogError, SourceError
from shelfwise.formats.rows import BadRow
from shelfwise.progress import SILENT, Progress

_YES, _NO = {"yes", "y", "x", "1", "true"}, {"no", "n", "0", "false"}


@dataclass(slots=True)
class ApplySummary:
    """What became of the lines of a plan: rows = applied + skipped + refused.

    applied: by action; `confirm` counts moves answered with no. skipped: lines that are undecided, or answered with no
    where there is nothing to remember. refused: place in the file and reason. version: of the catalog afterwards.
    """

    plan: str
    catalog: str
    rows: int = 0
    applied: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    version: int = 0
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)


def apply_plan(
    path: Path | str,
    catalog: Path | str | None = None,
    *,
    who: str | None = None,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> ApplySummary:
    """Carry out the lines of a plan that say yes, as one version of the catalog; `no` to a move confirms the shelf.

    catalog: instead of the one that the plan names. Raises SourceError for what is no plan, CatalogError.
    """
    opened = Catalog(catalog) if catalog is not None else _named_catalog(path)
    summary = ApplySummary(str(path), str(opened.path), dry_run=dry_run)
    accepted = _consistent(_wanted(path, opened, summary), summary)
    places = {id(correction): where for where, correction in accepted}
    corrections = [correction for _, correction in accepted]
    if dry_run:
        refused = check(opened, corrections)
        summary.version = opened.description.snapshot.version
    else:
        origin = f"apply {Path(path).name}"
        done = correct(opened.path, corrections, who=who, origin=origin, progress=progress)
        refused, summary.version = done.refused, done.version
    hints = _lost_zeros(opened, {correction.product_id for correction, why in refused if "no product" in why})
    summary.refused += [(places[id(one)], why + hints.get(one.product_id, "")) for one, why in refused]
    left_out = {id(correction) for correction, _ in refused}
    carried_out = [correction for correction in corrections if id(correction) not in left_out]
    summary.applied = dict(Counter(correction.action for correction in carried_out))
    summary.refused.sort(key=lambda one: _line(one[0]))
    return summary


def _named_catalog(path: Path | str) -> Catalog:
    named = catalog_of(path)
    try:
        return Catalog(named)
    except CatalogError as error:
        raise CatalogError(
            f"{error} ({path} is a plan for it: if it has moved, say where it is with --catalog)"
        ) from None


def _lost_zeros(catalog: Catalog, unknown: set[str]) -> dict[str, str]:
    """Say for ids that are not there which are, but for zeros in front: spreadsheets take them away."""
    hints = {}
    for batch in catalog.batches("products", ["product_id"]) if unknown else ():
        for product_id in batch.column("product_id").to_pylist():
            if (bare := product_id.lstrip("0") or "0") in unknown:
                hints[bare] = f"; it has {product_id!r}: a spreadsheet may have changed the cell"
    return hints


def _wanted(path: Path | str, catalog: Catalog, summary: ApplySummary) -> Iterator[tuple[str, Correction]]:
    """Go through the corrections that a plan asks for, with their places; the other lines are counted."""
    shelves = ShelfNames(catalog.taxonomy)
    for row in read_plan(path):
        summary.rows += 1
        if isinstance(row, BadRow):
            summary.refused.append((row.where, row.detail))
            continue
        try:
            correction = _correction(row, shelves)
        except SourceError as error:
            summary.refused.append((row.where, str(error)))
            continue
        if correction is None:
            summary.skipped += 1
        else:
            yield row.where, correction


def _correction(row: PlanRow, shelves: ShelfNames) -> Correction | None:
    """Read a line; None where there is nothing to do; raises SourceError for one that cannot be understood."""
    cells = row.cells
    answer, action = cells["apply"].strip().lower(), cells["action"].strip().lower()
    if answer not in _YES | _NO | {""}:
        raise SourceError(f"column apply: {cells['apply']!r} is neither yes nor no")
    if not answer or (answer in _NO and action != "move"):
        return None
    if action not in ACTIONS:
        raise SourceError(f"column action: {cells['action']!r} is none of {', '.join(ACTIONS)}")
    if not cells["product_id"]:
        raise SourceError("column product_id is empty")
    was = cells["category"] or None
    if action == "move" and answer in _NO:
        return Correction(action="confirm", product_id=cells["product_id"], was=was, reason=cells["kind"] or None)
    to = shelves.target(cells["to"], cells["to_shelf"]) if action == "move" else None
    return Correction(
        action=action, product_id=cells["product_id"], image_id=cells["image_id"] or None, category=to,
        was=was, reason=cells["kind"] or None, detail=cells["reason"] or None,
    )  # fmt: skip


def _consistent(wanted: Iterator[tuple[str, Correction]], summary: ApplySummary) -> list[tuple[str, Correction]]:
    """Leave out lines that contradict one another, all of them, and what an earlier line says already."""
    by_subject: dict[tuple[str, str | None], list[tuple[str, Correction]]] = {}
    for where, correction in wanted:
        about = subject(correction.action, correction.product_id, correction.image_id)
        if correction.action in ("set_aside", "restore") and correction.image_id is None:
            about = (correction.product_id, "")  # all photos: not its shelf
        by_subject.setdefault(about, []).append((where, correction))
    accepted = []
    for same in by_subject.values():
        if len({(correction.action, correction.category) for _, correction in same}) > 1:
            places = [where for where, _ in same]
            for where in places:
                others = ", ".join(place for place in places if place != where)
                summary.refused.append((where, f"contradicts {others}: keep one of them"))
        else:
            accepted.append(same[0])
            summary.refused += [(where, f"says the same as {same[0][0]}") for where, _ in same[1:]]
    return accepted


def _line(where: str) -> int:
    return int(where.removeprefix("line "))
