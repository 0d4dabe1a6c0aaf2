"""Commands that find what is wrong with a catalog and put it right: audit, apply, review."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from shelfwise.cli.app import FLAT, app, print_json
from shelfwise.options import AuditOptions, ReviewOptions


@app.command
def audit(
    catalog: Path,
    *,
    to: Path,
    fix: Path | None = None,
    options: Annotated[AuditOptions, FLAT] = AuditOptions(),
    json: bool = False,
) -> int:
    """Look for repeats, placeholders, leaks, poor photos and wrong shelves; write a page, a table and a plan.

    Parameters
    ----------
    catalog:
        The catalog folder.
    to:
        The folder for the report: index.html, findings.csv and audit.json.
    fix:
        Write what is proposed to this CSV file, for `shelfwise apply`.
    json:
        Print the counts as JSON.
    """
    from shelfwise.audit import audit
    from shelfwise.cli import correcting_summaries, progress

    summary = audit(catalog, to, options, fix=fix, progress=progress.bars())
    return print_json(summary.to_dict()) if json else correcting_summaries.audited(summary)


@app.command
def apply(
    plan: Path, *, catalog: Path | None = None, who: str | None = None, dry_run: bool = False, json: bool = False
) -> int:
    """Carry out the lines of a plan that say yes: set photos aside, move products. Nothing is deleted.

    Parameters
    ----------
    plan:
        The CSV file that `shelfwise audit --fix` or `shelfwise review --csv` wrote, edited or not.
    catalog:
        The catalog, where it is not the one that the plan names.
    who:
        The name that is written beside every correction; default: the user of this machine.
    dry_run:
        Check every line, and change nothing.
    json:
        Print the counts as JSON.
    """
    from shelfwise.cli import correcting_summaries, progress
    from shelfwise.corrections.apply import apply_plan

    summary = apply_plan(plan, catalog, who=who, dry_run=dry_run, progress=progress.bars())
    if json:
        print_json(summary.to_dict())
        return 1 if summary.refused else 0
    return correcting_summaries.applied(summary)


@app.command
def review(
    catalog: Path,
    *,
    bundle: Path | None = None,
    csv: Path | None = None,
    options: Annotated[ReviewOptions, FLAT] = ReviewOptions(),
    json: bool = False,
) -> int:
    """Go through suspected wrong shelves in a page on this machine, by keyboard; every decision is kept at once.

    Parameters
    ----------
    catalog:
        The catalog folder.
    bundle:
        Judge with the backbones of this bundle.
    csv:
        Write the queue to this CSV file instead, for `shelfwise apply`.
    json:
        Print the counts as JSON.
    """
    from shelfwise.cli import correcting_summaries, progress
    from shelfwise.review import review

    summary = review(
        catalog, options, bundle, csv=csv, opened=correcting_summaries.review_opened, progress=progress.bars()
    )
    return print_json(summary.to_dict()) if json else correcting_summaries.reviewed(summary)
