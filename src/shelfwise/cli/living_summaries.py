"""What the commands that change bundles and trees print at their end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shelfwise.cli.foreign import plain
from shelfwise.cli.summaries import console, next_line

if TYPE_CHECKING:
    from shelfwise.reshelve import ReshelveSummary
    from shelfwise.update import UpdateSummary


def updated(summary: UpdateSummary, catalog: Path) -> int:
    """Print what a bundle has learned and forgotten."""
    s = summary
    done = f"[bold]{plain(s.bundle)}[/]" if s.bundle_id else f"nothing is written: {plain(s.bundle)} would hold"
    console.print(f"{done}: {s.products:,} products in {s.categories:,} categories")
    console.print(f"learned {s.added:,}, forgotten {s.removed:,}, moved {s.moved:,}")
    if s.known or s.unusable:
        console.print(
            f"passed over: {s.known:,} learned before, {s.unusable:,} without a category or a usable photo", style="dim"
        )
    for told, categories in (("new     ", s.new_categories), ("emptied ", s.lost_categories)):
        for category in categories:
            console.print(f"{told}{plain(category)}")
    for note in s.notes:
        console.print(f"[yellow]note[/]    {plain(note)}")
    if s.bundle_id:
        next_line("evaluate", s.bundle, str(catalog), "--split", "test", "--to", "report/")
    return 0


def reshelved(summary: ReshelveSummary) -> int:
    """Print what became of a tree."""
    s = summary
    console.print(f"{plain(s.what)}: {s.products:,} products changed their category")
    console.print(f"[bold]{plain(s.target)}[/]: {s.categories:,} categories on {len(s.levels)} levels")
    for told, nodes in (("new     ", s.new), ("gone    ", s.gone)):
        for node in nodes:
            console.print(f"{told}{plain(node)}")
    if s.never_learned:
        console.print(f"{s.never_learned:,} products of the file were never learned", style="dim")
    for note in s.notes:
        console.print(f"[yellow]note[/]    {plain(note)}")
    if s.kind == "catalog":
        console.print("taken back by  shelfwise undo; make the same change to its bundles", style="dim")
    next_line("show" if s.kind == "catalog" else "verify", s.target)
    return 0
