"""Text of unknown origin on a terminal: shown, never obeyed."""

from __future__ import annotations

import re

from rich.markup import escape

# Control characters, those that turn the direction of writing, and line ends that only Unicode knows.
# Source: Unicode Standard Annex 9, table 4; ECMA-48 for C0 and C1.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Return a text on one line, with what would steer a terminal as `\xNN` or `\uNNNN`."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def plain(text: str) -> str:
    """Return a text for rich to print as it is, brackets included."""
    return escape(visible(text))


def visible_json(text: str) -> str:
    """Return JSON that says the same, with what would steer a terminal written as JSON escapes."""
    return _STEERING.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)
