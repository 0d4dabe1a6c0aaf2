"""A network as a row of stages: what is frozen, what is trained, and where it can be cut in two."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from itertools import pairwise

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


def head_of(network: nn.Module) -> str:
    """Name what stands for the categories: the last linear layer, with dense layers that stand in one row with it."""
    name = classifier_of(network)[0]
    row = name.rpartition(".")[0]
    parent = network.get_submodule(row)
    layers = [module for module in parent.modules() if next(module.parameters(recurse=False), None) is not None]
    dense = row and isinstance(parent, nn.Sequential) and all(isinstance(layer, nn.Linear) for layer in layers)
    return row if dense else name


def stages_of(network: nn.Module) -> list[Stage]:
    """Divide a network into `stem`, its stages under their own names, `neck` and `head`.

    A stage is a child of the network, or of its body (a row of modules that holds most of its layers), with several layers;
    where convolutions stand in one row, as in VGG, a stage ends with its pooling. The stem lies before the stages; the neck
    behind them, up to the vector that the head looks at.
    """
    units = _units(network)
    head = next(i for i, unit in enumerate(units) if any(_holds(name, head_of(network)) for name in unit.modules))
    while head and isinstance(network.get_submodule(units[head - 1].modules[-1]), nn.Dropout):
        head -= 1  # acts while it learns: it belongs to what is trained
    deep = [i for i in range(head) if units[i].layers > 1 and not units[i].is_stem]
    deep = deep or [i for i in range(head) if units[i].layers]
    ends = [deep[0], *deep[1:], deep[-1] + 1] if deep else [0]
    rows = [("stem", 0, ends[0])]
    rows += [(units[start].modules[0], start, end) for start, end in pairwise(ends)]
    rows += [("neck", ends[-1], head), ("head", head, len(units))]
    return [
        Stage(name, tuple(module for unit in units[start:end] for module in unit.modules))
        for name, start, end in rows
        if start < end
    ]


def _holds(module: str, layer: str) -> bool:
    return layer == module or layer.startswith(f"{module}.")


@dataclass(frozen=True)
class _Unit:
    """Modules that are never divided, how many layers with weights they hold, and whether they lie before a body."""

    modules: tuple[str, ...]
    layers: int
    is_stem: bool


def _units(network: nn.Module) -> list[_Unit]:
    """List the children of a network, and those of its body instead of it."""
    children = _named_children(network)
    total = len(weighted_layers(network))
    body = next((n for n, m in children if isinstance(m, nn.Sequential) and 2 * len(weighted_layers(m)) > total), None)
    units: list[_Unit] = []
    for name, module in children:
        if name == body:
            units = [replace(unit, is_stem=True) for unit in units]
            units += [_Unit(names, count, False) for names, count in _rows_of(name, module)]
        else:
            units.append(_Unit((name,), len(weighted_layers(module)), name.rpartition(".")[2] == "stem"))
    return units


def _named_children(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Name the children of a network; those of a network inside it, called body, instead of that."""
    children = []
    for name, module in network.named_children():
        inner = list(module.named_children()) if name == "body" else []
        children += [(f"body.{n}", m) for n, m in inner] or [(name, module)]
    return children


def _rows_of(body: str, modules: nn.Module) -> list[tuple[tuple[str, ...], int]]:
    """Divide a body into its modules, or, where none holds several layers, into rows that end with a pooling."""
    counted = [(f"{body}.{name}", module, len(weighted_layers(module))) for name, module in modules.named_children()]
    pools = [isinstance(module, nn.MaxPool2d | nn.AvgPool2d) for _, module, _ in counted]
    if not any(pools) or any(count > 1 for _, _, count in counted):
        return [((name,), count) for name, _, count in counted]
    ends = [0, *(place + 1 for place, is_pool in enumerate(pools) if is_pool), len(counted)]
    rows = [counted[start:end] for start, end in pairwise(ends) if start < end]
    return [(tuple(name for name, _, _ in row), sum(count for _, _, count in row)) for row in rows]


def weighted_layers(network: nn.Module) -> list[str]:
    """Name the layers that hold weights themselves, in their order."""
    return [
        name for name, module in network.named_modules() if next(module.parameters(recurse=False), None) is not None
    ]


def cut(network: nn.Module, stages: list[Stage], first: int, side_px: int = 96) -> tuple[nn.Module, nn.Module]:
    """Cut a network in two: a trunk of the stages before `first`, a tail of the others; both are copies.

    tail(trunk(photos)) is what the network gives, which is tried with photos of that side: raises OptionError for a network
    whose stages do not simply follow one another.
    """
    trunk, tail = copy.deepcopy(network), copy.deepcopy(network)
    for place, stage in enumerate(stages):
        for name in stage.modules:
            (tail if place < first else trunk).set_submodule(name, nn.Identity())
    tried = torch.rand((2, 3, side_px, side_px), generator=torch.Generator().manual_seed(0))
    network, trunk, tail = network.eval(), trunk.eval(), tail.eval()
    try:
        with torch.no_grad():
            whole, pieces = network(tried), tail(trunk(tried))
        fits = whole.shape == pieces.shape and bool(torch.allclose(whole, pieces, atol=_TOLERANCE, rtol=_TOLERANCE))
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError):
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
