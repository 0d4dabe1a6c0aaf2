"""What a run is about to do, in numbers and in words, before it starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from shelfwise.train.network.descent.trained_part import TrainedPart
from shelfwise.train.network.settings import Settings


@dataclass(frozen=True)
class Plan:
    """How much of a network learns, and in how many steps.

    parameters: of the whole network; trained_from: the first layer that learns.
    """

    layers: int
    trained_layers: int
    parameters: int
    trained_parameters: int
    trained_from: str
    steps: int

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return asdict(self)


def plan_of(network: nn.Module, part: TrainedPart, photos: int, settings: Settings) -> Plan:
    """Plan a run over `photos` photos an epoch; part: of the whole network."""
    learning = part.layers[part.first :]
    return Plan(
        layers=len(part.layers), trained_layers=len(learning),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        trained_parameters=sum(p.numel() for n in learning for p in network.get_submodule(n).parameters(recurse=False)),
        trained_from=learning[0], steps=settings.epochs * -(-photos // settings.batch),
    )  # fmt: skip


def network_line(plan: Plan, settings: Settings) -> str:
    """Say how much learns, and in how many steps."""
    which = f"from {plan.trained_from} on" if plan.trained_layers < plan.layers else "all of them"
    return (
        f"{settings.network}: {plan.trained_parameters:,} of {plan.parameters:,} weights learn, in {plan.trained_layers} of "
        f"{plan.layers} layers, {which}; up to {settings.epochs} epochs, {plan.steps:,} steps of {settings.batch} photos"
    )


def cycle_line(settings: Settings) -> str | None:
    """Say that restarts end within a cycle, where the learning rate is still high; None where they do not."""
    if settings.schedule != "restarts":
        return None
    ends, length = [0], settings.cycle_epochs
    while ends[-1] < settings.epochs:
        ends.append(ends[-1] + length)
        length *= settings.cycle_times
    if ends[-1] == settings.epochs:
        return None
    whole = [str(end) for end in ends[-2:] if end]
    return (
        f"note: with {settings.epochs} epochs the last cycle of restarts stays unfinished, at a high learning rate; "
        f"--epochs {' or '.join(whole)} would end with a whole one"
    )


def cache_line(views: int, photos: int, held: int, shape: tuple[int, ...], size_bytes: int) -> str:
    """Say what a cache of activations takes; shape: of those of one photo, size_bytes: of all."""
    return (
        f"cache: {views} views of {photos:,} photos and {held:,} held out, {' x '.join(map(str, shape))} numbers of 16 bits: "
        f"{size_bytes / 2**20:,.0f} MiB on disk while it trains, and as much memory where it is free, which is faster"
    )


def rate_line(rate: float, picture: str) -> str:
    """Say which learning rate a search proposed."""
    return f"learning rate: {rate:.2g}, where the loss falls fastest, drawn in {picture}"
