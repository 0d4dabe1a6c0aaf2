"""What people read at the end of a command, with the next one to type."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from shelfwise.demo import DemoSummary
    from shelfwise.embed import EmbedSummary
    from shelfwise.evaluate import EvaluateSummary
    from shelfwise.ingest import IngestSummary
    from shelfwise.predict import Prediction
    from shelfwise.train import TrainSummary

# A pipe has no width: give tables room there, so that nothing is wrapped.
_console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def ingested(summary: IngestSummary) -> int:
    """Print the counts of an import."""
    s = summary
    _console.print(
        f"[bold]{escape(s.catalog)}[/]: {s.products:,} products in {s.categories:,} categories on {s.levels} levels"
    )
    _console.print(
        f"photos  {s.photos:,} = {s.images:,} images + {s.quarantined:,} quarantined + {s.duplicates:,} duplicates"
    )
    _console.print(f"splits  {_counts(s.products_by_split)}")
    if s.quarantined_by_reason:
        _console.print(f"quarantined  {_counts(s.quarantined_by_reason)}")
    if s.notes:
        _console.print(f"accepted with a note  {_counts(s.notes)}")
    if s.ignored_files:
        _console.print(f"ignored  {s.ignored_files:,} files that are hidden or no pictures")
    _console.print(f"next    shelfwise embed {s.catalog}", style="dim", markup=False)
    return 0


def embedded(summary: EmbedSummary) -> int:
    """Print what each backbone did."""
    table = Table(box=None, pad_edge=False)
    for heading in ("backbone", "precision", "d", "computed", "same picture", "was there", "seconds", "photos/s"):
        table.add_column(heading, justify="left" if heading in ("backbone", "precision") else "right")
    for row in summary.backbones:
        rate = f"{row.photos_per_s:,.0f}" if row.photos_per_s else "-"
        counts = (row.dimension, row.computed, row.same_picture, row.already_there)
        table.add_row(row.backbone, row.precision, *(f"{count:,}" for count in counts), f"{row.seconds:.1f}", rate)
    _console.print(table)
    stem = summary.catalog.removesuffix(".catalog")
    _console.print(f"next    shelfwise train {summary.catalog} --to {stem}.bundle", style="dim", markup=False)
    return 0


def trained(summary: TrainSummary, catalog: Path) -> int:
    """Print what was learned and what to expect of it."""
    f = summary.facts
    _console.print(
        f"[bold]{escape(summary.bundle)}[/]: {f['categories']:,} categories from {f['products']:,} products, "
        f"{f['dimension']:,} features, penalty {f['penalty']:.3g}, {f['seconds']:.1f} s"
    )
    table = Table(box=None, pad_edge=False)
    levels = list(f["estimates"]["leave_one_out"]["levels"])
    for heading in (
        "held out",
        "products",
        "top-1",
        "top-5",
        "macro-F1",
        *(f"{escape(level)} top-1" for level in levels),
    ):
        table.add_column(heading, justify="left" if heading == "held out" else "right")
    for name, figures in f["estimates"].items():
        shown = [figures[key]["value"] for key in ("top1", "top5", "macro_f1")]
        shown += [figures["levels"][level]["top1"]["value"] for level in levels]
        table.add_row(name.replace("_", " "), f"{figures['products']:,}", *(f"{value:.1%}" for value in shown))
    _console.print(table)
    _console.print(f"temperature {f['temperature']:.4g}, fitted on: {f['temperature_from'].replace('_', ' ')}")
    for note in f["notes"]:
        _console.print(f"[yellow]note[/]    {note}")
    following = f"next    shelfwise evaluate {summary.bundle} {catalog} --split test --to report/"
    _console.print(following, style="dim", markup=False)
    return 0


def evaluated(summary: EvaluateSummary) -> int:
    """Print the headline figures with their intervals, the leave-one-out estimate beside them."""
    m = summary.metrics
    _console.print(f"split {m['split']}: {m['products']:,} products, {m['categories_in_split']:,} categories")
    table = Table(box=None, pad_edge=False)
    for heading in ("", "value", "95 % interval", "leave one out", "look-alikes out"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = {"top-1": m["top1"], "top-5": m["top5"], "macro-F1": m["macro_f1"]}
    rows |= {f"{escape(level)} top-1": figures["top1"] for level, figures in m["levels"].items()}
    for name, figure in (rows | {"calibration error": m["calibration_error"]}).items():
        table.add_row(name, _share(figure["value"]), f"{_share(figure['low'])} - {_share(figure['high'])}",
                      _share(figure["leave_one_out"]), _share(figure["leave_look_alikes_out"]))  # fmt: skip
    _console.print(table)
    for note in m["notes"]:
        _console.print(f"[yellow]note[/]    {note}")
    if summary.report:
        _console.print(f"report  {summary.report}", markup=False)
    return 0


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def predicted(predictions: list[Prediction], csv: Path | None) -> int:
    """Print the best answer of each photo, or where they were written."""
    refused = [prediction for prediction in predictions if prediction.status != "ok"]
    if csv is None:
        for prediction in predictions:
            if prediction.status == "ok":
                _, names, probability = prediction.answers[0]
                shelf = escape(" > ".join(names))
                _console.print(f"{escape(prediction.photo)}  [bold]{shelf}[/]  {probability:.1%}")
    for prediction in refused:
        _console.print(f"{escape(prediction.photo)}  [red]{prediction.reason}[/]: {escape(prediction.detail or '')}")
    where = f" -> {escape(str(csv))}" if csv else ""
    _console.print(f"{len(predictions) - len(refused):,} answered, {len(refused):,} quarantined{where}", style="dim")
    return 0


def demonstrated(summary: DemoSummary) -> int:
    """Print what the demo found and where its report is."""
    metrics, example = summary.metrics, summary.example
    table = Table(box=None, pad_edge=False)
    for heading in ("planted faults", "planted", "found", "other findings"):
        table.add_column(heading, justify="left" if heading == "planted faults" else "right")
    for fault in summary.faults:
        table.add_row(fault.kind, str(fault.planted), str(fault.found), str(fault.others))
    _console.print(table)
    top1 = metrics["top1"]
    _console.print(
        f"\n{metrics['products']} test photos on 12 shelves: [bold]{top1['value']:.1%}[/] right "
        f"({_share(top1['low'])} - {_share(top1['high'])})"
    )
    if example["status"] == "ok":
        best = example["answers"][0]
        _console.print(f"{example['photo']}  [bold]{' > '.join(best['path'])}[/]  {best['probability']:.1%}")
    _console.print(f"report  {Path(summary.report).absolute()}", markup=False)
    _console.print(f"{summary.seconds:.0f} s, everything is in {summary.folder}", style="dim", markup=False)
    return 0
