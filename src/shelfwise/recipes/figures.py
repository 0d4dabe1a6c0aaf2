"""The figures of a table's row: out of metrics.json and of the bundle, alone or averaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Any

from shelfwise.errors import RecipeError
from shelfwise.metrics.intervals import Estimate

Figure = Any
"""A number, text, None, or `{"value", "low", "high"}` for a share with its interval."""

_OF_BUNDLE = "bundle."


def figure(name: str, metrics: dict[str, Any], bundle: Path | None) -> Figure:
    """Return a figure by its place in the metrics (`top1`, `levels.coarse.top1`), or of the bundle.

    Of the bundle: `bundle.epochs` that a network learned for, `bundle.seconds` that learning took, and any of its facts by
    name. None where there is no such fact; raises RecipeError for a place that the metrics do not have.
    """
    if name.startswith(_OF_BUNDLE):
        return None if bundle is None else _of_bundle(name.removeprefix(_OF_BUNDLE), facts_of(bundle))
    return found(name, metrics)


def _of_bundle(name: str, facts: dict[str, Any]) -> Figure:
    if name == "epochs":
        return len(facts["network"]["curve"]) if "network" in facts else None
    return facts.get(name)


def found(place: str, values: Any) -> Any:
    """Return what lies at a place, keys joined by dots; raises RecipeError where nothing does."""
    for key in place.split("."):
        try:
            values = values[key]
        except (KeyError, TypeError):
            raise RecipeError(f"there is no figure {place!r} in the metrics: no {key!r}") from None
    return values


@cache
def facts_of(bundle: Path) -> dict[str, Any]:
    """Read what a bundle's file tells of how it was learned."""
    return dict(json.loads((bundle / "bundle.json").read_bytes())["facts"])


def averaged(figures: Sequence[Figure]) -> Figure:
    """Return the mean of figures, of shares with an interval for the mean over folds.

    Source: Student's t over k folds, mean +- t(k - 1) s / sqrt(k). Folds share what they learn from, so that the interval is
    narrower than it should be (Bengio and Grandvalet 2004); their own intervals are not used.
    """
    values = [f["value"] if isinstance(f, dict) else f for f in figures]
    if any(not isinstance(value, int | float) for value in values):
        return values[0] if len(set(map(str, values))) == 1 else None
    mean = sum(values) / len(values)
    if not isinstance(figures[0], dict):
        return round(mean, 2)
    if len(values) < 2:
        return figures[0]
    from scipy.stats import t

    spread = sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    half = float(t.ppf(0.975, len(values) - 1)) * spread / sqrt(len(values))
    return Estimate(mean, max(mean - half, 0.0), min(mean + half, 1.0)).to_dict()


def shown(value: Figure) -> str:
    """Write a figure for people: shares in percent with their interval in brackets."""
    match value:
        case {"value": share, "low": low, "high": high}:
            return f"{share:.1%} ({low:.1%} to {high:.1%})"
        case {"value": share}:
            return f"{share:.1%}"
        case None:
            return "-"
        case float():
            return f"{value:,.1f}"
        case int():
            return f"{value:,}"
    return str(value)
