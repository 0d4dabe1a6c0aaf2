"""Numbers as people read them."""

from __future__ import annotations

NARROW_SPACE = "\u202f"
NOTHING = "–"  # noqa: RUF001


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share as per cent."""
    return NOTHING if value is None else f"{100 * value:.{digits}f}{NARROW_SPACE}%"


def counted(value: int) -> str:
    """Write a count with narrow spaces between thousands."""
    return f"{value:,}".replace(",", NARROW_SPACE)


def plural(value: int, one: str, several: str = "") -> str:
    """Write a count with its noun: 1 photo, 2 photos."""
    return f"{counted(value)}{NARROW_SPACE}{one if value == 1 else several or one + 's'}"
