"""The risk-coverage curves as paths that the template draws, and what they say at a few places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 300, 190
KEPT = (0.5, 0.8, 0.9, 1.0)
# Below this coverage the band is so wide that it may stick out at the top.
_SCALED_FROM = 0.2
_SCALES = (0.02, 0.04, 0.08, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """One level's curve: paths in the diagram's units from the upper left, the area, and points of the table."""

    level: str
    line: str
    band: str
    aurc: Mapping[str, float]
    kept: tuple[Mapping[str, float], ...]


def curves(metrics: Mapping[str, Any]) -> list[Curve]:
    """Lay out the curves in metrics.json on one scale, the deepest level first."""
    levels = metrics.get("risk_coverage", {}).get("levels", {})
    scale = risk_scale(metrics)
    return [_curve(level, found, scale) for level, found in reversed(levels.items())]


def risk_scale(metrics: Mapping[str, Any]) -> float:
    """Choose the risk at the top of the diagrams."""
    levels = metrics.get("risk_coverage", {}).get("levels", {})
    asked = metrics.get("abstention", {}).get("max_error", 0.0)
    shown = [
        p.get("high", p["risk"]) for found in levels.values() for p in found["points"] if p["coverage"] >= _SCALED_FROM
    ]
    most = max([asked, *shown])
    return next((scale for scale in _SCALES if scale >= most), 1.0)


def _curve(level: str, found: Mapping[str, Any], scale: float) -> Curve:
    points = found["points"]
    band = ""
    if "high" in points[0]:
        there = _path([(p["coverage"], p["high"]) for p in points], scale)
        back = _path([(p["coverage"], p["low"]) for p in reversed(points)], scale)
        band = f"{there}L{back[1:]}Z"
    kept = tuple(min(points, key=lambda p: abs(p["coverage"] - share)) for share in KEPT)
    return Curve(level, _path([(p["coverage"], p["risk"]) for p in points], scale), band, found["aurc"], kept)


def _path(points: Sequence[tuple[float, float]], scale: float) -> str:
    places = [f"{WIDTH * x:.1f} {HEIGHT * (1 - min(y / scale, 1)):.1f}" for x, y in points]
    return f"M{'L'.join(places)}"
