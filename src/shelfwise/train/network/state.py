"""Where a run is, and how tensors by name lie in its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

Tensors = dict[str, Tensor]


@dataclass
class State:
    """Where a run is: epoch from 0, step within it, steps in all, the curve so far, and which epoch was the best.

    resumed: how many steps were done each time that it was gone on from.
    """

    epoch: int = 0
    step: int = 0
    steps: int = 0
    loss_sum: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    best: int = -1
    seconds: float = 0.0
    resumed: list[int] = field(default_factory=list)


def prefixed(name: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Return tensors under names that begin with one name and a dot."""
    return {f"{name}.{key}": tensor for key, tensor in tensors.items()}


def under(name: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Return those that `prefixed` named so, under their own names."""
    return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def copied(state: nn.Module | Tensors) -> Tensors:
    """Return a copy of tensors by name, or of a network's."""
    values = state.state_dict() if isinstance(state, nn.Module) else state
    return {name: value.detach().clone() for name, value in values.items()}


def flat(state: dict[int, dict[str, Any]]) -> tuple[Tensors, dict[str, Any]]:
    """Divide an optimizer's state into tensors and other values, by `parameter.name`."""
    named = {f"{parameter}.{name}": value for parameter, values in state.items() for name, value in values.items()}
    tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    return tensors, {name: value for name, value in named.items() if name not in tensors}


def nested(tensors: Tensors, numbers: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Put an optimizer's state together again."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in (tensors | numbers).items():
        parameter, _, key = name.partition(".")
        state.setdefault(int(parameter), {})[key] = value
    return state
