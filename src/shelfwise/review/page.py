"""The review page: one HTML file, whose scripts and styles are named in its policy by their digests."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from shelfwise.page.environment import environment, ours, shared

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Page:
    """The page, and the policy to send with it."""

    html: str
    policy: str


def render(catalog: str, who: str, train: str) -> Page:
    """Render the page for a catalog; train: the command that comes afterwards."""
    css = Markup("\n").join((shared("page.css"), ours(TEMPLATES / "review.css")))
    js = Markup("\n").join((shared("page.js"), ours(TEMPLATES / "shelves.js", TEMPLATES / "review.js")))
    policy = (
        "default-src 'none'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        f"style-src {_digest(css)}; script-src {_digest(js)}"
    )
    template = environment(TEMPLATES).get_template("review.html.jinja")
    html = template.render(catalog=catalog, who=who, train=train, css=css, js=js, policy=policy, date="")
    return Page(html, f"{policy}; frame-ancestors 'none'")


def _digest(content: str) -> str:
    """Return the source expression for an element whose content stands between two line ends in the frame."""
    return "'sha256-" + b64encode(hashlib.sha256(f"\n{content}\n".encode()).digest()).decode() + "'"
