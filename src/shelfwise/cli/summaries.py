"""What people read at the end of a command, with the next one to type."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from shelfwise.cli.foreign import plain, visible

if TYPE_CHECKING:
    from shelfwise.demo import DemoSummary
    from shelfwise.embed import EmbedSummary
    from shelfwise.evaluate import EvaluateSummary
    from shelfwise.ingest import IngestSummary
    from shelfwise.options import IngestOptions
    from shelfwise.predict import Prediction
    from shelfwise.train import TrainSummary


STRANGE = 0.01
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


def trained(summary: TrainSummary, catalog: Path) -> int:
    """Print what was learned and what to expect of it."""
    f = summary.facts
    console.print(
        f"[bold]{plain(summary.bundle)}[/]: {f['categories']:,} categories from {f['products']:,} products, "
        f"{f['dimension']:,} features, {f['seconds']:.1f} s"
    )
    table = Table(box=None, pad_edge=False)
    levels = list(f["estimates"]["leave_one_out"]["levels"])
    for heading in (
        "held out",
        "products",
        "top-1",
        "top-5",
        "macro-F1",
        *(f"{plain(level)} top-1" for level in levels),
    ):
        table.add_column(heading, justify="left" if heading == "held out" else "right")
    for name, figures in f["estimates"].items():
        shown = [figures[key]["value"] for key in ("top1", "top5", "macro_f1")]
        shown += [figures["levels"][level]["top1"]["value"] for level in levels]
        table.add_row(name.replace("_", " "), f"{figures['products']:,}", *(f"{value:.1%}" for value in shown))
    console.print(table)
    _pools(f)
    _hierarchies(f)
    console.print(f"calibrated on: {f['calibrated_on'].replace('_', ' ')}")
    for note in f["notes"]:
        console.print(f"[yellow]note[/]    {plain(note)}")
    next_line("evaluate", summary.bundle, str(catalog), "--split", "test", "--to", "report/")
    return 0


def _pools(facts: dict[str, Any]) -> None:
    """Print which ways to pool photos were tried, where there was a choice."""
    for member in facts["members"]:
        tried = member.get("pools", {})
        for kind, found in sorted(tried.items(), key=lambda one: one[1]["log_loss"]):
            taken = "  [bold]taken[/]" if kind == member["pool"] else ""
            console.print(
                f"photos pooled by {kind:<6}  log-loss {found['log_loss']:.3f}, top-1 {found['top1']:.1%} "
                f"of {member['pools_tried_on']:,} products, look-alikes out{taken}"
            )


def _hierarchies(facts: dict[str, Any]) -> None:
    """Print the hierarchies beside one another, where they were compared."""
    for member in facts["members"]:
        if "compared" not in member:
            continue
        compared = member["compared"]
        table = Table(box=None, pad_edge=False)
        table.add_column("look-alikes out")
        for heading in (
            *(f"{plain(level)} top-1" for level in compared["flat"]["levels"]),
            "log-loss",
            "numbers",
            "seconds",
            "",
        ):
            table.add_column(heading, justify="right")
        for name, found in compared.items():
            shares = [f"{share:.1%}" for share in found["levels"].values()]
            taken = "[bold]taken[/]" if name == member["hierarchy"] else ""
            table.add_row(
                name, *shares, f"{found['log_loss']:.3f}", f"{found['numbers']:,}", f"{found['seconds']:.1f}", taken
            )
        console.print(table)


def evaluated(summary: EvaluateSummary) -> int:
    """Print the headline figures with their intervals, the leave-one-out estimate beside them."""
    m = summary.metrics
    console.print(f"split {plain(m['split'])}: {m['products']:,} products, {m['categories_in_split']:,} categories")
    table = Table(box=None, pad_edge=False)
    for heading in ("", "value", "95 % interval", "leave one out", "look-alikes out"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = {"top-1": m["top1"], "top-5": m["top5"], "macro-F1": m["macro_f1"]}
    rows |= {f"{plain(level)} top-1": figures["top1"] for level, figures in m["levels"].items()}
    if len(m["levels"]) > 1:
        rows["hierarchical F1"] = m["hierarchical_f1"]
    for name, figure in (rows | {"calibration error": m["calibration_error"]}).items():
        table.add_row(name, _share(figure["value"]), f"{_share(figure['low'])} - {_share(figure['high'])}",
                      _share(figure["leave_one_out"]), _share(figure["leave_look_alikes_out"]))  # fmt: skip
    console.print(table)
    _by_photos(m)
    if "abstention" in m:
        _abstention(m["abstention"])
    _against(m)
    for note in m["notes"]:
        console.print(f"[yellow]note[/]    {plain(note)}")
    if summary.report:
        console.print(f"report  {visible(summary.report)}", markup=False)
    return 0


def _by_photos(m: dict[str, Any]) -> None:
    """Print what further photos bring, where products have any."""
    counts = m["by_photo_count"]
    if list(counts) == ["1"]:
        return
    photos = m["photos"]
    console.print(f"photos alone: {_share(photos['top1']['value'])} of {photos['photos']:,} right")
    table = Table(box=None, pad_edge=False)
    for heading in ("photos a product", "products", "top-1", "95 % interval", "its photos alone"):
        table.add_column(heading, justify="left" if heading == "photos a product" else "right")
    for count, found in counts.items():
        top1 = found["top1"]
        table.add_row(count, f"{found['products']:,}", _share(top1["value"]),
                      f"{_share(top1['low'])} - {_share(top1['high'])}", _share(found["alone"]["value"]))  # fmt: skip
    console.print(table)


def _against(m: dict[str, Any]) -> None:
    """Print the lead over each other bundle, in points of 100."""
    for other in m["against"]:
        lead = other["lead"]
        table = Table(box=None, pad_edge=False)
        for heading in (f"against {plain(other['name'])}", "lead, points", "95 % interval", "only this right",
                        "only the other", "p (McNemar)"):  # fmt: skip
            table.add_column(heading, justify="right" if table.columns else "left")
        for level, found in lead["levels"].items():
            table.add_row(f"{plain(level)} top-1", *_lead(found), f"{found['only_first']:,}", f"{found['only_second']:,}",
                          f"{found['p_value']:.3g}")  # fmt: skip
        table.add_row("hierarchical F1", *_lead(lead["hierarchical_f1"]))
        console.print(table)


def _lead(found: dict[str, float]) -> tuple[str, str]:
    return f"{100 * found['value']:+.1f}", f"{100 * found['low']:+.1f} - {100 * found['high']:+.1f}"


def _abstention(told: dict[str, Any]) -> None:
    """Print what becomes of the answers where they stop at the deepest sure shelf."""
    console.print(plain(told["message"]))
    table = Table(box=None, pad_edge=False)
    for heading in ("answers that stop where they are sure", "of all products", "wrong", "95 % interval"):
        table.add_column(heading, justify="right" if table.columns else "left")
    rows = {"all answers": told} | {f"{plain(name)} or deeper": level for name, level in told["levels"].items()}
    for name, figures in rows.items():
        error = figures["error"]
        table.add_row(name, _share(figures["coverage"]["value"]), _share(error["value"]),
                      f"{_share(error['low'])} - {_share(error['high'])}")  # fmt: skip
    console.print(table)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def predicted(predictions: list[Prediction], csv: Path | None) -> int:
    """Print the best answer of each photo, or where they were written."""
    refused = [prediction for prediction in predictions if prediction.status != "ok"]
    if csv is None:
        for prediction in predictions:
            if prediction.status == "ok":
                console.print(f"{plain(prediction.photo)}  {_told(prediction)}")
    for prediction in refused:
        console.print(f"{plain(prediction.photo)}  [red]{prediction.reason}[/]: {plain(prediction.detail or '')}")
    promise = next((prediction.sure.threshold for prediction in predictions if prediction.sure), None)
    if promise is not None:
        console.print(plain(promise.message()))
    where = f" -> {plain(str(csv))}" if csv else ""
    console.print(f"{len(predictions) - len(refused):,} answered, {len(refused):,} quarantined{where}", style="dim")
    return 0


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
        f"({_share(top1['low'])} - {_share(top1['high'])})"
    )
    if example["status"] == "ok":
        best = example["answers"][0]
        console.print(f"{example['photo']}  [bold]{' > '.join(best['path'])}[/]  {best['probability']:.1%}")
    console.print(f"audit   {Path(summary.audit).absolute()}", markup=False)
    console.print(f"report  {Path(summary.report).absolute()}", markup=False)
    console.print(f"{summary.seconds:.0f} s, everything is in {summary.folder}", style="dim", markup=False)
    return 0
