"""Write the page: one HTML string that asks no other host for anything."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from shelfwise.evaluate.report import figures
from shelfwise.evaluate.report.curves import KEPT, curves, risk_scale
from shelfwise.evaluate.report.diagram import diagram
from shelfwise.evaluate.report.learned import how_weighed, trees, voices
from shelfwise.evaluate.report.photos import by_photos
from shelfwise.evaluate.report.rivals import rivals
from shelfwise.evaluate.report.stops import stops
from shelfwise.evaluate.report.training import training
from shelfwise.page.environment import environment, ours, shared

if TYPE_CHECKING:
    from shelfwise.evaluate.report.data import ReportData

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("matrix_view.js", "matrix_paint.js", "matrix.js")


def render(report: ReportData) -> str:
    """Render a report as one self-contained HTML page."""
    js = Markup("\n").join((shared("page.js", "canvas.js", "table.js"), ours(*(TEMPLATES / name for name in SCRIPTS))))
    template = _environment().get_template("report.html.jinja")
    return template.render(**_view(report), date=report.date, css=shared("page.css"), js=js)


@cache
def _environment() -> jinja2.Environment:
    found = environment(TEMPLATES)
    found.filters.update(written=figures.written, interval=figures.interval, sure=figures.sure)
    return found


def _view(report: ReportData) -> dict[str, Any]:
    disagreement = figures.disagreement(report)
    levels = figures.level_figures(report)
    all_figures = figures.all_figures(report)
    by_name = {figure.name: figure for figure in all_figures}
    tiles = [top1 for _, _, top1, _ in levels[:3]]
    tiles += [by_name[name] for name in ("Macro-F1", "Top-5 accuracy") if name in by_name][: 4 - min(3, len(levels))]
    return {
        "report": report,
        "verdict": figures.verdict(report),
        "notes": [*report.notes, *([disagreement] if disagreement else [])],
        "tiles": tiles,
        "figures": all_figures,
        "levels": levels,
        "most_support": max((row.support for row in report.categories), default=0),
        "mistakes": figures.mistakes(report),
        "diagrams": {level: diagram(bins) for level, bins in report.bins.items()},
        "curves": curves(report.metrics),
        "kept": KEPT,
        "scale": risk_scale(report.metrics),
        "stops": stops(report.metrics),
        "by_photos": by_photos(report.metrics),
        "rivals": rivals(report.metrics),
        "shift": report.metrics.get("shift"),
        "voices": voices(report.learned),
        "how_weighed": how_weighed(report.learned),
        "trees": trees(report.learned, report.taxonomy),
        "training": training(report.learned),
        "matrices": [asdict(matrix) for matrix in report.matrices],
    }
