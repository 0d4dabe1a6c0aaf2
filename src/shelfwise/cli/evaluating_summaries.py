"""What people read after an evaluation: the figures, with their intervals and what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from shelfwise.cli.foreign import plain, visible
from shelfwise.cli.summaries import console, share

if TYPE_CHECKING:
    from shelfwise.evaluate import EvaluateSummary


def evaluated(summary: EvaluateSummary) -> int:
    """Print the headline figures with their intervals, the leave-one-out estimate beside them."""
    m = summary.metrics
    console.print(f"split {plain(m['split'])}: {m['products']:,} products, {m['categories_in_split']:,} categories")
    table = Table(box=None, pad_edge=False)
    expected = {"leave_one_out": "leave one out", "leave_look_alikes_out": "look-alikes out"}
    expected = {way: told for way, told in expected.items() if way in m["top1"]}  # a network cannot leave out
    for heading in ("", "value", "95 % interval", *expected.values()):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = {"top-1": m["top1"], "top-5": m["top5"], "macro-F1": m["macro_f1"]}
    rows |= {f"{plain(level)} top-1": figures["top1"] for level, figures in m["levels"].items()}
    if len(m["levels"]) > 1:
        rows["hierarchical F1"] = m["hierarchical_f1"]
    for name, figure in (rows | {"calibration error": m["calibration_error"]}).items():
        table.add_row(name, share(figure["value"]), f"{share(figure['low'])} - {share(figure['high'])}",
                      *(share(figure[way]) for way in expected))  # fmt: skip
    console.print(table)
    _by_photos(m)
    if "abstention" in m:
        _abstention(m["abstention"])
    _against(m)
    _beside(m)
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
    console.print(f"photos alone: {share(photos['top1']['value'])} of {photos['photos']:,} right")
    table = Table(box=None, pad_edge=False)
    for heading in ("photos a product", "products", "top-1", "95 % interval", "its photos alone"):
        table.add_column(heading, justify="left" if heading == "photos a product" else "right")
    for count, found in counts.items():
        top1 = found["top1"]
        table.add_row(count, f"{found['products']:,}", share(top1["value"]),
                      f"{share(top1['low'])} - {share(top1['high'])}", share(found["alone"]["value"]))  # fmt: skip
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


def _beside(m: dict[str, Any]) -> None:
    """Print what else was set beside the answers: a baseline, and the shop that was learned from."""
    if "baseline" in m:
        top1 = m["baseline"]["top1"]
        console.print(
            f"baseline {plain(m['baseline']['name'])}: {share(top1['value'])} ({share(top1['low'])} - {share(top1['high'])})"
        )
    if "shift" in m:
        inside, lost = m["shift"]["in"]["top1"], m["shift"]["lost"]
        console.print(
            f"held out where it learned: {share(inside['value'])}; lost here: {100 * lost['value']:.1f} points "
            f"({100 * lost['low']:.1f} to {100 * lost['high']:.1f})"
        )


def _lead(found: dict[str, float]) -> tuple[str, str]:
    return f"{100 * found['value']:+.1f}", f"{100 * found['low']:+.1f} to {100 * found['high']:+.1f}"


def _abstention(told: dict[str, Any]) -> None:
    """Print what becomes of the answers where they stop at the deepest sure shelf."""
    console.print(plain(told["message"]))
    table = Table(box=None, pad_edge=False)
    for heading in ("answers that stop where they are sure", "of all products", "wrong", "95 % interval"):
        table.add_column(heading, justify="right" if table.columns else "left")
    rows = {"all answers": told} | {f"{plain(name)} or deeper": level for name, level in told["levels"].items()}
    for name, figures in rows.items():
        error = figures["error"]
        interval = "-" if error["value"] is None else f"{share(error['low'])} - {share(error['high'])}"
        table.add_row(name, share(figures["coverage"]["value"]), share(error["value"]), interval)
    console.print(table)
