"""The templates of pages: one HTML file each that asks no other host for anything."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from shelfwise.page.numbers import counted, percent, plural

_SHARED = Path(__file__).parent / "templates"


@cache
def environment(templates: Path) -> jinja2.Environment:
    """Return the environment of a verb's templates, which extend `frame.html.jinja`; all that they print is escaped."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader([templates, _SHARED]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(percent=percent, counted=counted, plural=plural)
    return found


def ours(*files: Path) -> Markup:
    """Read files of ours that go into a page as they are."""
    return Markup("\n").join(Markup(file.read_text(encoding="utf-8")) for file in files)


def shared(*names: str) -> Markup:
    """Read files that pages share: `page.css`, `page.js`, `canvas.js`, `table.js`."""
    return ours(*(_SHARED / name for name in names))
