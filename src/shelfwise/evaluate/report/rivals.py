"""Other bundles on the same products, as the template shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both bundles, and the lead with its interval in points; counts and p where it is an accuracy."""

    name: str
    here: float
    there: float
    lead: str
    interval: str
    is_ahead: bool
    is_behind: bool
    only_here: int | None = None
    only_there: int | None = None
    p: str = ""


@dataclass(frozen=True, slots=True)
class Rival:
    """Another bundle."""

    name: str
    rows: tuple[Row, ...]


def rivals(metrics: Mapping[str, Any]) -> list[Rival]:
    """Read what --against wrote into metrics.json."""
    return [_rival(found) for found in metrics.get("against", [])]


def _rival(found: Mapping[str, Any]) -> Rival:
    lead = found["lead"]
    rows = [
        _row(f"Top-1 accuracy, {level}", found["levels"][level], lead["levels"][level]) for level in found["levels"]
    ]
    return Rival(
        found["name"], (*reversed(rows), _row("Hierarchical F1", found["hierarchical_f1"], lead["hierarchical_f1"]))
    )


def _row(name: str, there: float, lead: Mapping[str, Any]) -> Row:
    return Row(
        name=name,
        here=there + lead["value"],
        there=there,
        lead=_points(lead["value"]),
        interval=f"{_points(lead['low'])} to {_points(lead['high'])}",
        is_ahead=lead["low"] > 0,
        is_behind=lead["high"] < 0,
        only_here=lead.get("only_first"),
        only_there=lead.get("only_second"),
        p=_p(lead["p_value"]) if "p_value" in lead else "",
    )


def _points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "\u2212")


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
