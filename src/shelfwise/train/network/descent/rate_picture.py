"""The search for a learning rate as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shelfwise.train.network.descent.rate_finder import RateSearch

_INK, _SOFT, _ACCENT, _LINE = "#182026", "#58626a", "#0b6462", "#dedad0"


def draw_rates(search: RateSearch, file: Path) -> None:
    """Draw loss over learning rate as SVG, with the rate that is proposed."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(search.rates, search.losses, color=_ACCENT, linewidth=2)
    at, lowest = float(np.interp(np.log(search.rate), np.log(search.rates), search.losses)), min(search.losses)
    fall = (max(search.losses[: search.losses.index(lowest) + 1]) - lowest) or 1.0
    axes.set_ylim(
        lowest - 0.15 * fall, lowest + 1.5 * fall
    )  # where the network comes apart, the line leaves the picture
    axes.axvline(search.rate, color=_SOFT, linewidth=1, linestyle=(0, (3, 3)), zorder=1)
    axes.plot(
        [search.rate], [at], "o", color=_ACCENT, markersize=8, markeredgecolor="white", markeredgewidth=1.5, zorder=3
    )
    axes.annotate(
        f"take {search.rate:.2g}", (search.rate, at), (10, 8), textcoords="offset points", color=_INK, weight="bold"
    )
    axes.set_title("Loss while the learning rate grows", loc="left", color=_INK, fontsize=13, weight="bold", pad=12)
    axes.set_xlabel("learning rate of the body", color=_SOFT)
    axes.set_ylabel("smoothed loss, nats", color=_SOFT)
    axes.tick_params(colors=_SOFT, which="both", length=3)
    axes.grid(axis="y", color=_LINE, linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_SOFT)
    with matplotlib.rc_context({"svg.hashsalt": "shelfwise"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
