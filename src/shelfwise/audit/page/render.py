"""Write the page: one HTML string that asks no other host for anything."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from shelfwise.audit.page import words
from shelfwise.audit.page.pick import ALONE, SAME_PICTURE
from shelfwise.audit.page.plots import HEAT, plots_json
from shelfwise.audit.page.tables import ends, level_rows, share_rows, split_rows, tiles
from shelfwise.page.environment import environment, ours, shared

if TYPE_CHECKING:
    from shelfwise.audit.page.data import AuditPage

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("heat.js", "histograms.js", "ranks.js", "listing.js", "shelves.js", "attributes.js", "sizes.js")


def render(page: AuditPage) -> str:
    """Render an audit as one self-contained HTML page."""
    js = Markup("\n").join((shared("page.js", "canvas.js", "table.js"), ours(*(TEMPLATES / name for name in SCRIPTS))))
    css = Markup("\n").join((shared("page.css"), ours(TEMPLATES / "audit.css")))
    return _environment().get_template("audit.html.jinja").render(**_view(page), date=page.date, css=css, js=js)


@cache
def _environment() -> jinja2.Environment:
    found = environment(TEMPLATES)
    found.filters.update(
        sure=words.sure,
        apart=words.apart,
        weight=words.weight,
        titled=words.title,
        short_id=words.short_id,
        words=words.words,
    )
    found.globals.update(score_said=words.score_said)
    return found


def _view(page: AuditPage) -> dict[str, Any]:
    kinds = {kind.kind: kind for kind in page.kinds}
    return {
        "page": page,
        "verdict": words.verdict(page),
        "tiles": tiles(page),
        "kinds": kinds,
        "repeats": [kinds[kind] for kind in words.REPEATS if kind in kinds],
        "quality": [kinds[kind] for kind in words.QUALITY if kind in kinds],
        "alone": ALONE,
        "same_picture": SAME_PICTURE,
        "harmless": words.HARMLESS,
        "levels": level_rows(page.exploration),
        "ends": ends(page),
        "splits": split_rows(page.exploration.splits),
        "shares": share_rows(page),
        "heat": HEAT,
        "plots": plots_json(page),
    }
