"""What people read at the end of a command, with the next one to type."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from shelfwise.cli.foreign import plain, visible

if TYPE_CHECKING:
    from shelfwise.demo import DemoSummary
    from shelfwise.embed import EmbedSummary
    from shelfwise.ingest import IngestSummary
    from shelfwise.options import IngestOptions
    from shelfwise.predict import Prediction
    from shelfwise.predict.submission import SubmissionSummary


STRANGE = 0.02
"""A photo is called strange where at most this share of known products looks as strange."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `main`, which knows that a reader who has seen enough is no failure."""
        raise BrokenPipeError


# A pipe has no width: give tables room there, so that nothing is wrapped.
console = _Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)


def counted(counts: dict[str, int]) -> str:
    """Name counts in one line, for rich to print."""
    return ", ".join(f"{plain(name)} {count:,}" for name, count in counts.items())


def noted(notes: dict[str, int]) -> None:
    """Print what was accepted with a note, a line a note, in words."""
    from shelfwise.images.notes import NOTES

    for code, count in notes.items():
        console.print(f"[yellow]accepted[/]  {code} {count:,}: {NOTES[code]}")


def share(value: float | None) -> str:
    """Write a share as per cent."""
    return "-" if value is None else f"{value:.1%}"


def next_line(command: str, path: str, *more: str) -> None:
    """Print what to type next; a path that looks like an option is led by its folder."""
    words = (*command.split(), f"./{path}" if path.startswith("-") else path, *more)
    console.print(f"next    shelfwise {visible(shlex.join(words))}", style="dim", markup=False)


def ingested(summary: IngestSummary, options: IngestOptions) -> None:
    """Print the counts of an import."""
    s = summary
    of_source = s.added + s.updated + s.unchanged
    if s.dry_run:
        console.print(f"rows    {s.rows:,} would be read, nothing is written")
        console.print(
            f"        {s.products:,} products in {s.categories:,} categories on {s.levels} levels, "
            f"{s.quarantined_rows:,} quarantined, {s.duplicates:,} duplicates"
        )
    else:
        console.print(
            f"rows    {s.rows:,} = {s.added:,} added + {s.updated:,} updated + {s.unchanged:,} unchanged "
            f"+ {s.quarantined_rows:,} quarantined + {s.duplicates:,} duplicates"
        )
        console.print(
            f"[bold]{plain(s.catalog)}[/]: {s.products:,} products in {s.categories:,} categories on {s.levels} levels"
        )
        console.print(
            f"photos  {s.photos:,} = {s.images:,} images + {s.quarantined:,} quarantined + {s.missing:,} missing"
            + (f" + {s.set_aside:,} set aside" if s.set_aside else "")
        )
        console.print(f"splits  {counted(s.products_by_split)}")
    for told, counts in (
        ("quarantined rows    ", s.quarantined_rows_by_code),
        ("quarantined photos  ", s.quarantined_by_reason),
    ):
        if counts:
            console.print(f"{told}{counted(counts)}")
    if s.kept_moves or s.overruled_moves:
        console.print(
            f"moved by a person and changed in the source: {s.kept_moves:,} stay where they were moved, "
            f"{s.overruled_moves:,} go where the source newly says"
        )
    noted(s.notes | ({"label_conflict": s.label_conflicts} if s.label_conflicts else {}))
    if s.facts:
        console.print("found   " + plain(", ".join(f"{name} {value}" for name, value in s.facts.items())))
    if s.ignored_files:
        console.print(f"ignored  {s.ignored_files:,} files that are hidden or no pictures")
    for part in s.damage:
        console.print(f"[red]damaged[/] at byte {part.offset:,}: {plain(part.detail)}")
    if said := s.exceeds(options):
        listed = (s.quarantined_rows or s.quarantined) and not s.dry_run
        see = f": see  shelfwise quarantine list {plain(shlex.quote(s.catalog))}" if listed else ""
        console.print(f"[red]{said}[/]{see}")
    elif of_source and not s.dry_run:
        next_line("embed" if s.images else "show", s.catalog)


def embedded(summary: EmbedSummary) -> int:
    """Print what each backbone did."""
    table = Table(box=None, pad_edge=False)
    for heading in ("backbone", "precision", "d", "computed", "same picture", "was there", "seconds", "photos/s"):
        table.add_column(heading, justify="left" if heading in ("backbone", "precision") else "right")
    for row in summary.backbones:
        rate = f"{row.photos_per_s:,.0f}" if row.photos_per_s else "-"
        counts = (row.dimension, row.computed, row.same_picture, row.already_there)
        table.add_row(
            plain(row.backbone), row.precision, *(f"{count:,}" for count in counts), f"{row.seconds:.1f}", rate
        )
    console.print(table)
    stem = summary.catalog.removesuffix(".catalog")
    next_line("train", summary.catalog, "--to", f"{stem}.bundle")
    return 0


def submitted(summary: SubmissionSummary) -> int:
    """Print how many products were answered for."""
    s = summary
    console.print(f"[bold]{plain(s.file)}[/]  {s.products:,} products answered from {s.photos:,} photos")
    if s.unanswered:
        console.print(
            f"left out    {s.unanswered:,} products without a usable photo, e.g. {plain(s.unanswered_example)}"
        )
    return 0


def predicted(predictions: list[Prediction], csv: Path | None) -> int:
    """Print the best answer of each photo, or where they were written."""
    refused = [prediction for prediction in predictions if prediction.status != "ok"]
    if csv is None:
        for prediction in predictions:
            if prediction.status == "ok":
                console.print(f"{plain(prediction.photo)}  {_told(prediction)}{_photos_used(prediction)}")
    for prediction in refused:
        console.print(f"{plain(prediction.photo)}  [red]{prediction.reason}[/]: {plain(prediction.detail or '')}")
    promise = next((prediction.sure.threshold for prediction in predictions if prediction.sure), None)
    if promise is not None:
        console.print(plain(promise.message()))
    where = f" -> {plain(str(csv))}" if csv else ""
    console.print(f"{len(predictions) - len(refused):,} answered, {len(refused):,} quarantined{where}", style="dim")
    return 0


def _photos_used(prediction: Prediction) -> str:
    """Say how many photos of a folder the answer rests on, and which could not be used."""
    if prediction.photos is None:
        return ""
    refused = "".join(f", not {plain(Path(each.photo).name)}: {each.reason}" for each in prediction.refused)
    return f"  [dim]{prediction.photos} photo{'' if prediction.photos == 1 else 's'}{refused}[/]"


def _told(prediction: Prediction) -> str:
    """Return the answer in a line: the sure shelf where one was asked for, the likeliest one otherwise; then the set."""
    _, names, probability = prediction.answers[0]
    sure = prediction.sure
    if sure is not None and sure.category is None:
        told = f"[yellow]unsure[/]  ({plain(' > '.join(names))} {probability:.1%})"
    else:
        path, chance = (names, probability) if sure is None else (sure.path, sure.probability)
        told = f"[bold]{plain(' > '.join(path))}[/]  {chance:.1%}"
    if prediction.familiarity is not None and prediction.familiarity < STRANGE:
        told += f"  [yellow]strange[/]: familiarity {prediction.familiarity:.3f}"
    if prediction.set is not None:
        told += f"  one of {len(prediction.set)}: {plain(', '.join(prediction.set))}"
    return told


def demonstrated(summary: DemoSummary) -> int:
    """Print what the demo found and where its report is."""
    metrics, example = summary.metrics, summary.example
    table = Table(box=None, pad_edge=False)
    for heading in ("planted faults", "planted", "found", "other findings"):
        table.add_column(heading, justify="left" if heading == "planted faults" else "right")
    for fault in summary.faults:
        table.add_row(fault.kind, str(fault.planted), str(fault.found), str(fault.others))
    console.print(table)
    top1 = metrics["top1"]
    console.print(
        f"\n{metrics['products']} test photos on 12 shelves: [bold]{top1['value']:.1%}[/] right "
        f"({share(top1['low'])} - {share(top1['high'])})"
    )
    if example["status"] == "ok":
        best = example["answers"][0]
        console.print(f"{example['photo']}  [bold]{' > '.join(best['path'])}[/]  {best['probability']:.1%}")
    console.print(f"audit   {Path(summary.audit).absolute()}", markup=False)
    console.print(f"report  {Path(summary.report).absolute()}", markup=False)
    console.print(f"{summary.seconds:.0f} s, everything is in {summary.folder}", style="dim", markup=False)
    return 0
