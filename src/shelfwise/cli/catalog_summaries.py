"""What people read at the end of the commands on a catalog at rest."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from shelfwise.cli.foreign import plain, visible
from shelfwise.cli.summaries import console, counted, next_line, noted

if TYPE_CHECKING:
    from shelfwise.catalog.description import Snapshot
    from shelfwise.export import ExportSummary
    from shelfwise.ingest.quarantine import RetrySummary
    from shelfwise.show import ShowSummary
    from shelfwise.split import SplitSummary
    from shelfwise.subset import SubsetSummary
    from shelfwise.verify import VerifySummary

_SHELVES, _LETTERS = 10, 70


def _table(*headings: str) -> Table:
    """Make a table whose columns after the first stand to the right."""
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def shown(summary: ShowSummary) -> int:
    """Print what a catalog holds."""
    s, c = summary, summary.counts
    console.print(
        f"[bold]{plain(s.path)}[/]  version {s.version}, {c.products:,} products, {c.photos:,} photos, "
        f"{s.size_bytes / 1e6:,.0f} MB"
    )
    console.print(
        f"photos      {c.photos:,} = {c.images:,} images + {c.quarantined:,} quarantined + {c.missing:,} missing"
        + (f" + {c.set_aside:,} set aside" if c.set_aside else "")
    )
    console.print(f"splits      {counted(c.products_by_split)}")
    console.print(f"photos each {counted({f'{n}:': products for n, products in s.photos_per_product.items()})}")
    if s.sizes:
        longer, size = s.sizes["longer_side_px"], s.sizes["size_bytes"]
        common = ", ".join(f"{e['width']}x{e['height']} ({e['photos']:,})" for e in s.sizes["most_common"])
        console.print(
            f"longer side {longer['smallest']:,} / {longer['median']:,} / {longer['largest']:,} px "
            f"(smallest / median / largest), most often {common}"
        )
        console.print(f"file size   {size['smallest']:,} / {size['median']:,} / {size['largest']:,} bytes")
        console.print(f"formats     {counted(s.formats)}")
    _print_tree(summary)
    _print_sample(summary)
    _print_bad(summary)
    for entry in s.history[-5:]:
        console.print(f"version {entry['version']}   {entry['time']}  {plain(entry['what'])}", style="dim")
    return 0


def _print_tree(summary: ShowSummary) -> None:
    if not summary.tree:
        return
    levels = _table("level", "categories", "different names")
    for level in summary.tree:
        levels.add_row(plain(level["level"]), f"{level['categories']:,}", f"{level['different_names']:,}")
    console.print(levels)
    shelves = _table("fullest shelves", "products")
    for shelf in summary.shelves[:_SHELVES]:
        shelves.add_row(plain(" > ".join(shelf["names"])), f"{shelf['products']:,}")
    if len(summary.shelves) > _SHELVES:
        rest = summary.shelves[_SHELVES:]
        shelves.add_row(f"{len(rest):,} more", f"{sum(shelf['products'] for shelf in rest):,}")
    if summary.unfiled:
        shelves.add_row("on no shelf", f"{summary.unfiled:,}")
    console.print(shelves)


def _print_sample(summary: ShowSummary) -> None:
    sample = Table(box=None, pad_edge=False)
    for heading in ("a sample", "shelf", "split", "title"):
        sample.add_column(heading, overflow="ellipsis", no_wrap=True, max_width=_LETTERS)
    for row in summary.sample:
        names = " > ".join(row["names"])
        sample.add_row(*(plain(text or "") for text in (row["product_id"], names, row["split"], row["title"])))
    console.print(sample)


def _print_bad(summary: ShowSummary) -> None:
    if summary.quarantined_rows:
        console.print(f"quarantined rows    {counted(summary.quarantined_rows)}")
    if summary.counts.quarantined_by_reason:
        console.print(f"quarantined photos  {counted(summary.counts.quarantined_by_reason)}")
    noted(summary.counts.notes)
    if summary.label_conflicts:
        first = summary.label_conflicts[0]
        console.print(
            f"label_conflict  {summary.conflicting_pictures:,} pictures under several categories, e.g. "
            f"{plain(first['images'][0])}: {plain(' / '.join(first['categories'][:3]))}"
        )


def taken(summary: SubsetSummary) -> int:
    """Print what a subset holds."""
    s = summary
    console.print(
        f"[bold]{plain(s.catalog)}[/]  {s.products:,} products in {s.categories:,} categories, {s.photos:,} photos"
    )
    console.print(f"splits      {counted(s.products_by_split)}")
    if s.left_out:
        console.print(f"left out    {counted({f'{reason}:': n for reason, n in s.left_out.items()})}")
    return 0


def divided(summary: SplitSummary) -> int:
    """Print what became of the splits."""
    s = summary
    table = _table("split", "before", "after")
    for name in sorted(s.before.keys() | s.after.keys()):
        table.add_row(plain(name), f"{s.before.get(name, 0):,}", f"{s.after.get(name, 0):,}")
    console.print(table)
    console.print(
        f"{s.products:,} products in {s.units:,} units: {s.kept:,} kept their split, {s.assigned:,} had none, "
        f"{s.moved:,} moved"
    )
    if any(s.bound.values()):
        console.print(f"kept together  {counted(s.bound)}")
    if any(s.across_splits.values()):
        console.print(f"[yellow]note[/]    pairs across splits that were fixed before: {counted(s.across_splits)}")
    for note in s.notes:
        console.print(f"[yellow]note[/]    {plain(note)}")
    next_line("embed", s.catalog)
    return 0


def listed(entries: list[dict[str, Any]], total: int, catalog: Path) -> int:
    """Print what is quarantined."""
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "place", "code", "why"):
        table.add_column(heading, overflow="fold", max_width=_LETTERS)
    table.add_column("text", overflow="ellipsis", no_wrap=True, max_width=_LETTERS // 2)
    for entry in entries:
        cells = (entry["id"], entry["place"], entry["code"], entry["detail"], entry["text"])
        table.add_row(*(plain(text or "") for text in cells))
    if entries:
        console.print(table)
    console.print(f"{len(entries):,} of {total:,} quarantined rows and photos", style="dim")
    stages = {entry["stage"] for entry in entries}
    if "photo" in stages:
        next_line("quarantine retry", str(catalog))
    if "row" in stages:
        console.print("next    mend the source and ingest it again", style="dim")
    return 0


def retried(summary: RetrySummary) -> int:
    """Print what a second try came to."""
    still = f"; still not usable: {counted(summary.still)}" if summary.still else ""
    console.print(f"{summary.tried:,} photos tried, {summary.recovered:,} can be used now{still}")
    if summary.quarantined_rows:
        console.print(f"{summary.quarantined_rows:,} rows of sources: mend the source and ingest it again")
    return 0


def exported(summary: ExportSummary) -> int:
    """Print what was written, what the format could not hold, and what reads it back."""
    s = summary
    console.print(f"[bold]{plain(s.to)}[/]: {s.products:,} products with {s.photos:,} photos in {s.files:,} files")
    if s.left_out:
        console.print(f"left out       {counted(s.left_out)}")
    if s.notes:
        console.print(f"held otherwise {counted(s.notes)}")
    for arguments in s.ingest:
        console.print(f"reads back with  shelfwise {visible(shlex.join(arguments))}", style="dim", markup=False)
    if not s.ingest:
        console.print("no command reads it back as it was", style="dim")
    return 0


def undone(catalog: Path, left: Snapshot, now: Snapshot) -> int:
    """Print what was taken back."""
    console.print(f"taken back: version {left.version}, {plain(left.what)} ({left.time})")
    console.print(f"[bold]{plain(str(catalog))}[/] is at version {now.version}, {plain(now.what)} ({now.time})")
    return 0


def verified(summary: VerifySummary) -> int:
    """Print what differs."""
    for finding in summary.findings:
        console.print(f"[red]{finding.code}[/]  {plain(finding.what)}: {plain(finding.detail)}")
    said = f"{len(summary.findings):,} differ" if summary.findings else "all as written"
    console.print(f"{summary.files:,} files and {summary.pictures:,} pictures compared: [bold]{said}[/]")
    if summary.leftovers:
        console.print(f"{summary.leftovers:,} files are leftovers of a stopped command; the next change removes them")
    return 0
