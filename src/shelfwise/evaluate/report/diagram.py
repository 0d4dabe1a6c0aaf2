"""The calibration diagram as numbers that the template draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shelfwise.metrics.intervals import Proportion, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shelfwise.metrics.calibration import ReliabilityBin

SIDE = 300
COUNT_HEIGHT = 56


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin in the diagram's units from the lower left: place, accuracy with interval, mean confidence, count."""

    x: float
    width: float
    accuracy: float
    low: float
    high: float
    confidence: float
    count: float
    label: str


def diagram(bins: Sequence[ReliabilityBin]) -> list[Bar]:
    """Lay out the bins that hold products."""
    most = max((b.products for b in bins), default=0)
    return [_bar(b, most) for b in bins if b.products]


def _bar(b: ReliabilityBin, most: int) -> Bar:
    accuracy, confidence = b.accuracy or 0.0, b.confidence or 0.0
    low, high = wilson_interval(Proportion(accuracy, b.products))
    return Bar(
        x=b.low * SIDE,
        width=(b.high - b.low) * SIDE,
        accuracy=accuracy * SIDE,
        low=low * SIDE,
        high=high * SIDE,
        confidence=confidence * SIDE,
        count=b.products / most * COUNT_HEIGHT,
        label=f"{b.products} products said {confidence:.0%} sure on average, {accuracy:.0%} were right",
    )
