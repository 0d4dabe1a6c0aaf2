"""The root of all commands, and what each of them does at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cyclopts import App, Parameter
from cyclopts.config import Toml

from shelfwise import __version__
from shelfwise.cli.foreign import visible_json

# A parameter whose fields are flags of the command itself.
FLAT = Parameter(name="*")
FLAGS = Parameter(negative=())

app = App(
    name="shelfwise",
    help="Put every product photo on the right shelf.",
    version=__version__,
    config=Toml("shelfwise.toml"),
    default_parameter=FLAGS,
    suppress_keyboard_interrupt=False,
)


def print_json(value: Mapping[str, Any]) -> int:
    """Print a summary for machines."""
    print(visible_json(json.dumps(value, indent=2, ensure_ascii=False)))
    return 0
