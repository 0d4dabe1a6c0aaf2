"""What people read at the end of the commands that put a catalog right."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.table import Table

from shelfwise.audit.findings import KINDS
from shelfwise.audit.run import NO_VECTORS
from shelfwise.cli.foreign import plain, visible
from shelfwise.cli.summaries import console, counted, next_line

if TYPE_CHECKING:
    from shelfwise.audit import AuditSummary
    from shelfwise.corrections.apply import ApplySummary
    from shelfwise.review import ReviewSummary

_REFUSED = 10


def audited(summary: AuditSummary) -> int:
    """Print what an audit found."""
    s = summary
    console.print(
        f"[bold]{plain(s.catalog)}[/] version {s.version}: {s.products:,} products, {s.photos:,} photos of {s.pictures:,} "
        f"different pictures, {s.seconds:.0f} s"
    )
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(("found", "sets", "photos", "products")):
        table.add_column(heading, justify="right" if place else "left")
    for kind, counts in s.findings.items():
        if counts["products"]:
            photos = f"{counts['photos']:,}" if counts["photos"] else ""
            table.add_row(KINDS[kind].lower(), f"{counts['sets']:,}", photos, f"{counts['products']:,}")
    console.print(table if table.row_count else "nothing was found")
    if s.leaks is not None:
        of = s.leaks
        console.print(
            f"leaks   learned from {plain(of.learned)}, {plain(of.judged)} is answered right "
            f"{_share(of.clean_right, of.clean)} without a twin there, {_share(of.leaked_right, of.leaked)} with one"
        )
    for note in s.notes:
        console.print(plain(note), style="yellow")
    console.print(f"page    {plain(s.report)}\ntable   {plain(s.table)}")
    if s.plan is not None:
        console.print(
            f"plan    {plain(s.plan)}, {s.proposed:,} lines" + (": look through it, then" if s.proposed else "")
        )
    if s.plan is not None and s.proposed:
        next_line("apply", s.plan)
    elif s.notes == (NO_VECTORS,):
        next_line("embed", s.catalog)
    elif not s.notes:
        next_line("review", s.catalog)
    return 0


def applied(summary: ApplySummary) -> int:
    """Print what became of a plan; what was refused makes the exit code 1."""
    s = summary
    done = "would be applied" if s.dry_run else "applied"
    console.print(
        f"lines   {s.rows:,} = {sum(s.applied.values()):,} {done} + {s.skipped:,} skipped + {len(s.refused):,} refused"
    )
    if s.applied:
        console.print(f"{done:<7} {counted({name.replace('_', ' '): n for name, n in s.applied.items()})}")
    for where, why in s.refused[:_REFUSED]:
        console.print(f"refused {plain(where)}: {plain(why)}", style="yellow")
    if len(s.refused) > _REFUSED:
        console.print(f"        and {len(s.refused) - _REFUSED:,} more: see --json", style="yellow")
    console.print(f"[bold]{plain(s.catalog)}[/] version {s.version}")
    if not s.dry_run and s.applied:
        next_line("undo", s.catalog)
    return 1 if s.refused else 0


def review_opened(address: str) -> None:
    """Print where the page of a review is, beside what a program may read."""
    print(f"review  {address}\nCtrl-C ends it; every decision is kept at once", file=sys.stderr, flush=True)


def reviewed(summary: ReviewSummary) -> int:
    """Print what came of a review."""
    s = summary
    if s.csv is not None:
        then = ": say yes or no in its first column, then" if s.suspects else ": nothing to ask about"
        console.print(f"plan    {plain(s.csv)}, {s.suspects:,} lines{then}")
    else:
        decided = s.accepted + s.rejected + s.elsewhere
        console.print(
            f"suspects  {s.suspects:,} = {s.accepted:,} accepted + {s.rejected:,} on the right shelf + "
            f"{s.elsewhere:,} to another shelf + {s.skipped:,} skipped + {s.dissolved:,} not suspected any more + {s.left:,} left"
        )
        console.print(f"[bold]{plain(s.catalog)}[/] version {s.version}, {decided:,} decided by {plain(s.who)}")
    if s.next:
        console.print(f"next    {visible(s.next)}", style="dim", markup=False)
    return 0


def _share(right: int, of: int) -> str:
    return f"{right:,} of {of:,} ({right / of:.1%})" if of else "0 of 0"
