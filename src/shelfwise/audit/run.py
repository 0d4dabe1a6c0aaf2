"""Audit a catalog: every check, one page, one table of findings, and a plan to put things right."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from shelfwise.audit.alike import find_alike
from shelfwise.audit.doubts import Doubts, check_leaks, find_doubts
from shelfwise.audit.explore import Exploration, explore
from shelfwise.audit.explore.colors import Colors
from shelfwise.audit.findings import KINDS, Found
from shelfwise.audit.leaks import find_leaks, leaked
from shelfwise.audit.measures import Block, blocks, measure_pictures
from shelfwise.audit.page.assemble import Judgement, audit_page
from shelfwise.audit.page.data import LeakCheck
from shelfwise.audit.page.render import render
from shelfwise.audit.placeholders import blank_pictures, find_placeholders
from shelfwise.audit.plan import proposals
from shelfwise.audit.quality import Poor
from shelfwise.audit.repeats import find_repeats
from shelfwise.audit.table import write_table
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory, take_inventory
from shelfwise.corrections.plan import refuse_inside, refuse_place, write_plan
from shelfwise.engines.memory import return_memory
from shelfwise.errors import OptionError
from shelfwise.files import write_bytes, write_json
from shelfwise.options import AuditOptions
from shelfwise.progress import SILENT, Progress

NO_VECTORS = "wrong shelves were not looked for: nothing is embedded yet"
_WRITTEN = ("index.html", "findings.csv", "audit.json")
NO_SHELVES = "wrong shelves were not looked for: no product has a category"


@dataclass(frozen=True, kw_only=True)
class AuditSummary:
    """What an audit found.

    findings: by kind, how many sets, products and photos; leaks: accuracy on products with and without a twin in the split
    learned from; report, table, plan: the files written; found: the findings as numbers in `inventory`.
    """

    catalog: str
    version: int
    products: int
    photos: int
    pictures: int
    findings: dict[str, dict[str, int]]
    leaks: LeakCheck | None
    report: str
    table: str
    plan: str | None
    proposed: int
    notes: tuple[str, ...]
    seconds: float
    found: dict[str, Found] = field(repr=False)
    inventory: Inventory = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        values = {name: value for name, value in vars(self).items() if name not in ("found", "inventory")}
        return values | {"leaks": self.leaks and asdict(self.leaks), "notes": list(self.notes)}


def audit(
    catalog: Path | str, to: Path | str, options: AuditOptions | None = None, *, fix: Path | str | None = None,
    progress: Progress = SILENT,
) -> AuditSummary:  # fmt: skip
    """Check a catalog from end to end and write index.html, findings.csv and audit.json into the folder `to`.

    fix: write what is proposed as a plan, a CSV file that `apply` carries out. What was measured of photos is kept in the
    catalog and not measured again; nothing else of it changes.
    Raises CatalogError for what is no catalog and for photos that are not there any more, OptionError for `fix` and
    backbones that cannot be used.
    """
    options, to, started = options or AuditOptions(), Path(to), time.perf_counter()
    opened = Catalog(catalog)
    _refuse(to, fix, opened.path)
    measure_pictures(opened, options.threads, progress)
    opened = Catalog(catalog)
    inventory = take_inventory(opened)
    checks = _Checks(opened, inventory, options, progress)
    found = {part.kind: part for part in checks.found}
    to.mkdir(parents=True, exist_ok=True)
    ordered = [found[kind] for kind in KINDS if kind in found]
    with progress.task("write the report", 2) as advance:
        write_table(to / "findings.csv", opened, inventory, ordered)
        advance(1)
        write_bytes(to / "index.html", _page(checks, ordered, options).encode())
        advance(1)
    # Last, so that the same command can be typed again after a failure: a plan that exists is never replaced.
    proposed = 0 if fix is None else write_plan(fix, proposals(opened, inventory, found), opened)
    summary = AuditSummary(
        catalog=str(catalog), version=opened.description.snapshot.version, products=inventory.products,
        photos=inventory.photos, pictures=inventory.pictures, findings={part.kind: _counts(part) for part in ordered},
        leaks=checks.leaks, report=str(to / "index.html"), table=str(to / "findings.csv"),
        plan=None if fix is None else str(fix), proposed=proposed,
        notes=_notes(checks), seconds=round(time.perf_counter() - started, 1), found=found,
        inventory=inventory,
    )  # fmt: skip
    write_json(to / "audit.json", summary.to_dict())
    return summary


class _Checks:
    """All checks of a catalog, in order: what one finds, the next ones need."""

    def __init__(self, catalog: Catalog, inventory: Inventory, options: AuditOptions, progress: Progress) -> None:
        self.catalog, self.inventory = catalog, inventory
        poor, colors = Poor(inventory), Colors(inventory)
        blank = blank_pictures(_seen_by(blocks(catalog, inventory), poor, colors), inventory.pictures)
        alike = find_alike(catalog, inventory, options, blank=blank, progress=progress)
        self.found = [*find_repeats(catalog, alike), *find_placeholders(alike), *find_leaks(alike), *poor.found()]
        self.exploration: Exploration = explore(catalog, inventory, colors)
        showing, twins = alike.showing, leaked(inventory, alike.bonds)
        del alike
        return_memory()
        self.doubts: Doubts | None = None
        if inventory.categories:
            self.doubts = find_doubts(catalog, inventory, showing, options, progress)
        self.leaks: LeakCheck | None = None
        if self.doubts is not None:
            self.found.append(self.doubts.found)
            self.leaks = check_leaks(catalog, inventory, self.doubts.layout, twins, progress)


def _seen_by(measures: Iterator[Block], *watchers: Poor | Colors) -> Iterator[Block]:
    """Pass blocks of measures on, once every watcher has taken them in: they are read a single time."""
    for block in measures:
        for watcher in watchers:
            watcher.add(*block)
        yield block


def _refuse(to: Path, fix: Path | str | None, catalog: Path) -> None:
    """Refuse what cannot be written before the work begins."""
    there = next(place for place in (to, *to.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise OptionError(f"--to {to} is a file: name a folder" if there == to else f"--to {to}: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OptionError(f"--to {to}: nothing may be written in {there}")
    if taken := [name for name in _WRITTEN if (to / name).is_dir()]:
        raise OptionError(f"--to {to}: {taken[0]} is a folder there")
    refuse_inside("--to", to, catalog)
    if fix is not None:
        refuse_place("--fix", Path(fix), catalog, new_folder=to)
        if Path(fix).absolute() in [(to / name).absolute() for name in _WRITTEN]:
            raise OptionError(f"--fix {fix} is a file of the report: choose another name")


def _notes(checks: _Checks) -> tuple[str, ...]:
    if not checks.inventory.categories:
        return (NO_SHELVES,)
    if checks.doubts is None:
        return (NO_VECTORS,)
    if missing := checks.doubts.not_embedded:
        specs = checks.doubts.layout.specs
        wanted = f"--backbone {'+'.join(map(str, specs))} --precision {specs[0].precision}"
        command = f"shelfwise embed {shlex.quote(str(checks.catalog.path))} {wanted}"
        return (f"{missing:,} pictures are not embedded yet, and were not asked about shelves: type  {command}",)
    return ()


def _counts(found: Found) -> dict[str, int]:
    photos = found.photo[found.photo >= 0]
    return {"sets": found.sets, "products": len(np.unique(found.product)), "photos": len(np.unique(photos))}


def _page(checks: _Checks, found: Sequence[Found], options: AuditOptions) -> str:
    catalog = checks.catalog
    page = audit_page(
        catalog, checks.inventory, found, checks.exploration,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=f"shelfwise audit {shlex.quote(catalog.path.name)} --to AUDIT",
        facts=_facts(catalog, checks.doubts, options), judgement=_judgement(checks.doubts), leaks=checks.leaks,
    )  # fmt: skip
    return render(page)


def _judgement(doubts: Doubts | None) -> Judgement | None:
    if doubts is None:
        return None
    return Judgement(judged=doubts.judged, suspects=doubts.suspects, evidence=doubts.evidence, noise=doubts.noise)


def _facts(catalog: Catalog, doubts: Doubts | None, options: AuditOptions) -> list[tuple[str, str]]:
    versions = ", ".join(f"{table} {version}" for table, version in catalog.versions.items() if "__" not in table)
    facts = [("catalog", f"{catalog.path.name}, version {catalog.description.snapshot.version}"), ("tables", versions)]
    facts.append(("near repeats", f"within {options.radius} bits of 64, confirmed by pixels"))
    if doubts is not None:
        backbones = " + ".join(f"{spec} ({spec.precision})" for spec in doubts.layout.specs)
        facts.append(
            ("wrong shelves", f"{backbones}; penalty {doubts.judged.penalty:.3g}; left out: {options.leave_out}")
        )
    return facts
