"""What people read after learning: what was learned, and what to expect of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from shelfwise.cli.foreign import plain
from shelfwise.cli.summaries import console, next_line

if TYPE_CHECKING:
    from pathlib import Path

    from shelfwise.train import TrainSummary


def trained(summary: TrainSummary, catalog: Path) -> int:
    """Print what was learned and what to expect of it."""
    f = summary.facts
    if "attributes" in f:
        return _trained_attributes(summary, catalog)
    console.print(
        f"[bold]{plain(summary.bundle)}[/]: {f['categories']:,} categories from {f['products']:,} products, "
        f"{f['dimension']:,} features, {f['seconds']:.1f} s"
    )
    table = Table(box=None, pad_edge=False)
    levels = list(next(iter(f["estimates"].values()))["levels"])
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
    _network(summary)
    _pools(f)
    _hierarchies(f)
    _members(f)
    console.print(f"calibrated on: {f['calibrated_on'].replace('_', ' ')}")
    for note in f["notes"]:
        console.print(f"[yellow]note[/]    {plain(note)}")
    next_line("evaluate", summary.bundle, str(catalog), "--split", "test", "--to", "report/")
    return 0


def _trained_attributes(summary: TrainSummary, catalog: Path) -> int:
    """Print what a network learned that is written as an .onnx file."""
    f = summary.facts
    console.print(
        f"[bold]{plain(summary.bundle)}[/]: {f['attributes']:,} attributes from {f['products']:,} products, "
        f"{f['dimension']:,} features, {f['seconds']:.1f} s"
    )
    for name, figures in f["estimates"].items():
        console.print(
            f"{name} ({figures['products']:,} products): micro-F1 {figures['micro_f1']:.3f}; "
            f"attributes are answered from probability {figures['threshold']:.3f} on"
        )
    for note in f["notes"]:
        console.print(f"[yellow]note[/]    {plain(note)}")
    next_line("embed", str(catalog), "--backbone", summary.bundle)
    return 0


def _network(summary: TrainSummary) -> None:
    """Print what of a network was trained, which epoch was kept and how sure its accuracy is, where one was trained."""
    from shelfwise.metrics.intervals import Proportion, wilson_interval

    if "network" not in summary.facts:
        return
    facts, n = summary.facts, summary.facts["network"]
    best = n["curve"][n["best_epoch"] - 1]
    low, high = wilson_interval(Proportion(best["held_accuracy"], facts["held_out_products"]))
    rate = facts["photos"] * len(n["curve"]) / max(n["training_seconds"], 0.1)
    console.print(
        f"network {plain(n['network'])}: {n['trained_parameters']:,} of {n['parameters']:,} weights trained, in "
        f"{n['trained_layers']} of {n['layers']} layers, {n['training_seconds']:,.0f} s at {rate:,.0f} photos/s"
    )
    console.print(
        f"epoch   {n['best_epoch']} of {len(n['curve'])} is kept: {best['held_accuracy']:.1%} of "
        f"{facts['held_out_products']:,} held-out products right (95 %: {low:.1%} - {high:.1%}), log-loss {best['held_loss']:.3f}"
    )
    if n["log"]:
        console.print(f"log     {plain(n['log'])}, beside the bundle")


def _pools(facts: dict[str, Any]) -> None:
    """Print which ways to pool photos were tried, where there was a choice."""
    for member in facts["members"]:
        tried = member.get("pools", {})
        least = min(tried, key=lambda kind: tried[kind]["log_loss"], default=None)
        why = "" if least == member.get("pool") else f": {least} is not better beyond chance"
        for kind, found in sorted(tried.items(), key=lambda one: one[1]["log_loss"]):
            taken = f"  [bold]taken[/]{why}" if kind == member["pool"] else ""
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


def _members(facts: dict[str, Any]) -> None:
    """Print what each member says alone, its weight, and what the others would do without it, where there are several."""
    if "ensemble" not in facts:
        return
    told = {member["name"]: member["contribution"] for member in facts["members"]}
    told |= {member["name"]: member for member in facts["ensemble"]["left_away"]}
    table = Table(box=None, pad_edge=False)
    for heading in ("member", "weight", "top-1", "log-loss", "of the others"):
        table.add_column(heading, justify="left" if heading == "member" else "right")
    for name, found in told.items():
        others = f"{found['log_loss_of_others']:.3f}" if "log_loss_of_others" in found else "-"
        weight = f"{found['weight']:.2f}" if found["weight"] else "left away"
        table.add_row(plain(name), weight, f"{found['top1']:.1%}", f"{found['log_loss']:.3f}", others)
    console.print(table)
    ensemble = facts["ensemble"]
    console.print(
        f"together: log-loss {ensemble['log_loss']:.3f} of {ensemble['products']:,} products, "
        f"{'of the validation split' if ensemble['held_out_by'] == 'validation' else 'look-alikes out'}"
    )
