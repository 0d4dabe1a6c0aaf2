"""Accuracy by number of photos, as the template shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shelfwise.evaluate.report.figures import Figure
from shelfwise.metrics.intervals import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PhotoCount:
    """Products with one number of photos: their accuracy, with that of their photos alone beside it."""

    count: str
    products: int
    figure: Figure


def by_photos(metrics: Mapping[str, Any]) -> list[PhotoCount]:
    """Read the accuracy by number of photos from metrics.json; empty where no product has several."""
    counts = metrics.get("by_photo_count", {})
    if set(counts) <= {"1"}:
        return []
    rows = [_row(count, found["products"], found["top1"], found["alone"]["value"]) for count, found in counts.items()]
    return [*rows, _row("all", metrics["products"], metrics["top1"], metrics["photos"]["top1"]["value"])]


def _row(count: str, products: int, top1: Mapping[str, float], alone: float) -> PhotoCount:
    estimate = Estimate(top1["value"], top1["low"], top1["high"])
    return PhotoCount(count, products, Figure("", "", estimate, alone, disagrees=False, is_share=True))
