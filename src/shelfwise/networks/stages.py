"""A network as a row of stages: what is frozen, what is trained, and where it can be cut in two."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shelfwise.errors import OptionError

_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Stage:
    """Some modules of a network, one after the other: their names in it, in the order in which data flows."""

    name: str
    modules: tuple[str, ...]


def classifier_of(network: nn.Module) -> tuple[str, nn.Linear]:
    """Return name and module of the linear layer that gives the scores: the last one.

    Raises OptionError for a network that ends otherwise.
    """
    linear = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise OptionError(
            f"{type(network).__name__} does not end in a linear layer, which is needed for its categories"
        )
    return linear[-1]


def stages_of(network: nn.Module) -> list[Stage]:
    """Divide a network into `stem`, its stages under their own names, and `head`.

    A stage is a child of the network that holds several layers with weights; children without, or with one alone, belong to
    the stem before the first stage and to the head behind the last one.
    """
    units = list(_units(network))
    deep = [place for place, (_, module) in enumerate(units) if _layers_in(module) > 1]
    if not deep:
        deep = [place for place, (_, module) in enumerate(units) if _layers_in(module)][:-1]
    if not deep:
        return [Stage("head", tuple(name for name, _ in units))]
    stages = [Stage("stem", tuple(name for name, _ in units[: deep[0]]))] if deep[0] else []
    for place, after in zip(deep, [*deep[1:], deep[-1] + 1], strict=True):
        stages.append(Stage(units[place][0], tuple(name for name, _ in units[place:after])))
    return [*stages, Stage("head", tuple(name for name, _ in units[deep[-1] + 1 :]))]


def _units(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the children of a network, and those of its only body, an nn.Sequential, instead of it."""
    children = list(network.named_children())
    bodies = [name for name, module in children if isinstance(module, nn.Sequential) and _layers_in(module) > 1]
    for name, module in children:
        if len(bodies) == 1 and name in bodies:
            yield from ((f"{name}.{inner}", child) for inner, child in module.named_children())
        else:
            yield name, module


def _layers_in(module: nn.Module) -> int:
    return len(weighted_layers(module))


def weighted_layers(network: nn.Module) -> list[str]:
    """Name the layers that hold weights themselves, in their order."""
    return [
        name for name, module in network.named_modules() if next(module.parameters(recurse=False), None) is not None
    ]


def cut(network: nn.Module, stages: list[Stage], first: int) -> tuple[nn.Module, nn.Module]:
    """Cut a network in two: a trunk of the stages before `first`, a tail of the others; both are copies.

    tail(trunk(photos)) is what the network gives, which is tried: raises OptionError for a network whose stages do not simply
    follow one another.
    """
    trunk, tail = copy.deepcopy(network), copy.deepcopy(network)
    for place, stage in enumerate(stages):
        for name in stage.modules:
            (tail if place < first else trunk).set_submodule(name, nn.Identity())
    tried = torch.rand((2, 3, 96, 96), generator=torch.Generator().manual_seed(0))
    network, trunk, tail = network.eval(), trunk.eval(), tail.eval()
    try:
        with torch.no_grad():
            whole, pieces = network(tried), tail(trunk(tried))
        fits = whole.shape == pieces.shape and bool(torch.allclose(whole, pieces, atol=_TOLERANCE, rtol=_TOLERANCE))
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError):
        fits = False
    if not fits:
        raise OptionError(
            f"{type(network).__name__} cannot be cut before {stages[first].name!r}: its stages do not simply follow one another; "
            "leave out --finetune to train it whole"
        )
    return trunk, tail


class Vectors(nn.Module):
    """A network without its last linear layer: photos (n, 3, h, w) to the vectors (n, d) that the layer looks at."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        self.network.set_submodule(classifier_of(network)[0], nn.Identity())

    def forward(self, photos: Tensor) -> Tensor:
        """Return the vectors."""
        vectors: Tensor = self.network(photos)
        return vectors
