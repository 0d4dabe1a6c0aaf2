"""How a network learned: loss, accuracy and learning rate over its epochs, as plots that the template draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10
from typing import Any

WIDTH, HEIGHT = 300, 190
_MOST_TICKS = 5
_MOST_EPOCH_TICKS = 8
_STEPS = (1, 2, 5, 10)

Point = tuple[float, float]
Write = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """A line in the plot's units from the upper left; kind: of what, held or learned."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: ticks are places with what they say; marks are upright lines; dot: the one place that matters."""

    title: str
    told: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    marks: tuple[tuple[float, str], ...]
    dot: Point


@dataclass(frozen=True, slots=True)
class Training:
    """What the page tells of a training: a sentence, and plots."""

    told: str
    plots: tuple[Plot, ...]


def training(facts: Mapping[str, Any]) -> Training | None:
    """Lay out how the network of a bundle learned; None for a bundle without one."""
    network = facts.get("network")
    if network is None:
        return None
    curve, best = network["curve"], network["best_epoch"]
    plots = [
        _over_epochs("Loss", "nats a product", _number, network, {"learned": "loss", "held": "held_loss"}),
        _over_epochs("Held-out products", "answered rightly, %", _percent, network, {"held": "held_accuracy"}),
        _over_epochs("Learning rate", "of the body", _number, network, {"rate": "rate"}),
    ]
    if "rate_search" in network:
        plots.append(_search(network["rate_search"]))
    kept = curve[best - 1]
    stopped = f" Training stopped early: {network['epochs']} were asked for." if len(curve) < network["epochs"] else ""
    told = (
        f"Epoch {best} of {len(curve)} answered the held-out products best, {kept['held_accuracy']:.1%} of them rightly: its "
        f"weights were kept.{stopped} Where the loss of held-out products rises while the other goes on falling, a network "
        "begins to learn by heart. What it learns from is changed, mixed and smoothed as was asked: compare how the two losses "
        "go, not how high they are."
    )
    return Training(told, tuple(plots))


def _over_epochs(
    title: str, y_label: str, write: Write, network: Mapping[str, Any], keys: Mapping[str, str]
) -> Plot:  # fmt: skip
    curve, best = network["curve"], network["best_epoch"]
    x = _scale(1, max(len(curve), 2), WIDTH)
    values = [row[key] for key in keys.values() for row in curve]
    low, high, y_ticks = _axis(min(values), max(values), write)
    y = _scale(high, low, HEIGHT)
    named = [(kind, [(x(row["epoch"]), y(row[key])) for row in curve]) for kind, key in keys.items()]
    every = ceil(len(curve) / _MOST_EPOCH_TICKS)
    epochs = [epoch for epoch in range(1, len(curve) + 1) if epoch % every == 0]
    told = f"{title} over {len(curve)} epochs, {write(values[0])} to {write(values[-1])}"
    moves = [row for before, row in pairwise(curve) if before["side_px"] != row["side_px"]]
    return Plot(
        title, told, "epoch", y_label, tuple(Line(kind, _path(points)) for kind, points in named),
        tuple((x(epoch), str(epoch)) for epoch in epochs),
        tuple((y(value), name) for value, name in y_ticks),
        tuple((x(row["epoch"] - 0.5), f"{row['side_px']} px") for row in moves),
        named[-1][1][best - 1],
    )  # fmt: skip


def _search(search: Mapping[str, Any]) -> Plot:
    rates, losses = _shown(search["rates"], search["losses"])
    x = _scale(log10(rates[0]), max(log10(rates[-1]), log10(rates[0]) + 1), WIDTH)
    low, high, y_ticks = _axis(min(losses), max(losses), _number)
    y = _scale(high, low, HEIGHT)
    decades = range(ceil(log10(rates[0]) - 1e-9), floor(log10(rates[-1])) + 1)
    line = Line("rate", _path([(x(log10(r)), y(loss)) for r, loss in zip(rates, losses, strict=True)]))
    nearest = min(range(len(rates)), key=lambda i: abs(log10(rates[i] / search["rate"])))
    return Plot(
        "Search for the learning rate", f"Loss while the learning rate grows; {search['rate']:.2g} was taken",
        "learning rate", "nats a product", (line,), tuple((x(d), f"1e{d}") for d in decades[:: 1 + len(decades) // 6]),
        tuple((y(value), name) for value, name in y_ticks), (), (x(log10(rates[nearest])), y(losses[nearest])),
    )  # fmt: skip


def _shown(rates: list[float], losses: list[float]) -> tuple[list[float], list[float]]:
    """Leave out the end, where the network comes apart and its loss would make all before it flat."""
    lowest = losses.index(min(losses))
    top = max(losses[: lowest + 1])
    end = next((i for i in range(lowest, len(losses)) if losses[i] > top), len(losses))
    return rates[:end], losses[:end]


def _scale(first: float, last: float, length: float) -> Callable[[float], float]:
    return lambda value: length * (value - first) / (last - first)


def _axis(low: float, high: float, write: Write) -> tuple[float, float, list[tuple[float, str]]]:
    """Return the ends of an axis and its ticks, round numbers all of them."""
    spread = (high - low) or abs(high) or 1.0
    power = 10.0 ** floor(log10(spread / _MOST_TICKS))
    step = next(power * s for s in _STEPS if spread / (power * s) <= _MOST_TICKS)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return first * step, last * step, [(k * step, write(k * step)) for k in range(first, last + 1)]


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _number(value: float) -> str:
    power, times = f"{value:.1e}".split("e")[::-1] if 0 < abs(value) < 0.01 else ("", "")
    return f"{float(times):g}e{int(power)}" if power else f"{value:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}"
