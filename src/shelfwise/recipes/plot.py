"""A picture of a table: one figure over a loop variable, with intervals."""

from __future__ import annotations

import io
from typing import Any

from shelfwise.recipes.recipe import Plot

_INK, _SOFT, _LINE = "#182026", "#58626a", "#dedad0"
_COLORS = ("#0b6462", "#b4552d", "#3d5a98", "#8a6d1d", "#7a3b69", "#58626a")


def draw(plot: Plot, table: dict[str, Any]) -> bytes:
    """Draw a table's column of shares as a PNG, a line for each value of the plot's `line`, named at its end."""
    from matplotlib.figure import Figure

    lines: dict[str, list[tuple[float, dict[str, float]]]] = {}
    for row in table["rows"]:
        share = row["figures"][plot.y]
        lines.setdefault(str(row["at"][plot.line]), []).append((row["at"][plot.x], share))
    picture = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = picture.subplots()
    for place, (name, points) in enumerate(lines.items()):
        color, x = _COLORS[place % len(_COLORS)], [at for at, _ in points]
        y = [100 * share["value"] for _, share in points]
        below = [100 * (share["value"] - share.get("low", share["value"])) for _, share in points]
        above = [100 * (share.get("high", share["value"]) - share["value"]) for _, share in points]
        axes.errorbar(x, y, yerr=(below, above), color=color, marker="o", linewidth=2, elinewidth=1, capsize=0)
        axes.annotate(name, (x[-1], y[-1]), (8, 6), textcoords="offset points", color=color, weight="bold")
    axes.set_title(table["title"], loc="left", color=_INK, fontsize=13, weight="bold", pad=12)
    axes.set_xlabel(plot.x_label, color=_SOFT)
    axes.set_ylabel(f"{plot.y}, %", color=_SOFT)
    axes.margins(x=0.2)
    axes.set_xticks(sorted({at for points in lines.values() for at, _ in points}))
    axes.tick_params(colors=_SOFT, length=3)
    axes.grid(axis="y", color=_LINE, linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_SOFT)
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
