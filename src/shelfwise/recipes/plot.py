"""A picture of a table: one figure over a loop variable, with intervals."""

from __future__ import annotations

import io
from typing import Any

from shelfwise.recipes.recipe import Plot


def draw(plot: Plot, table: dict[str, Any]) -> bytes:
    """Draw a table's column of shares as a PNG, a line for each value of the plot's `line`."""
    from matplotlib.figure import Figure

    lines: dict[str, list[tuple[float, dict[str, float]]]] = {}
    for row in table["rows"]:
        share = row["figures"][plot.y]
        lines.setdefault(str(row["at"][plot.line]), []).append((row["at"][plot.x], share))
    picture = Figure(figsize=(6, 4), layout="constrained")
    axes = picture.subplots()
    for name, points in lines.items():
        x = [at for at, _ in points]
        y = [100 * share["value"] for _, share in points]
        below = [100 * (share["value"] - share.get("low", share["value"])) for _, share in points]
        above = [100 * (share.get("high", share["value"]) - share["value"]) for _, share in points]
        axes.errorbar(x, y, yerr=(below, above), marker="o", capsize=3, label=name)
    axes.set_xlabel(plot.x.replace("_", " "))
    axes.set_ylabel(f"{plot.y}, %")
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
