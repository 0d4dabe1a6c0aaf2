"""Other ends of networks: dense layers in front of the scores, and maps laid flat instead of averaged."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shelfwise.errors import OptionError
from shelfwise.networks.stages import classifier_of

_FORM = "NETWORK, NETWORK+flatten, NETWORK+dense=8000,4000, or NETWORK+flatten+dense=256"


@dataclass(frozen=True)
class Ending:
    """How a network ends; flattens: maps are laid flat, not averaged; widths: of dense layers in front of the scores."""

    flattens: bool = False
    widths: tuple[int, ...] = ()


NONE = Ending()


def parse_ending(text: str) -> tuple[str, Ending]:
    """Divide `NAME[+flatten][+dense=WIDTH,...]` into name and ending; raises OptionError for anything else."""
    match = re.fullmatch(
        r"(?P<name>[^+]+)(?P<flat>\+flatten)?(\+dense=(?P<widths>[1-9]\d{0,4}(,[1-9]\d{0,4})*))?", text
    )
    if match is None:
        raise OptionError(f"--network {text}: write {_FORM}")
    widths = tuple(int(width) for width in (match["widths"] or "").split(",") if width)
    return match["name"], Ending(match["flat"] is not None, widths)


class DenseHead(nn.Sequential):
    """Vectors (n, d) to scores (n, c): linear and ReLU for every width, dropout, linear.

    Source: report R4 for widths of 8,000 and 4,000 and dropout 0.5; report R3 without widths.
    """

    def __init__(self, inputs: int, widths: tuple[int, ...], categories: int, dropout: float) -> None:
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Linear(inputs, width), nn.ReLU()]
            inputs = width
        super().__init__(*layers, nn.Dropout(dropout), nn.Linear(inputs, categories))


class Flattened(nn.Module):
    """Photos (n, 3, h, w) to scores (n, c): a network's last map (n, d, h', w') laid flat, then a dense head.

    The map is averaged to `grid` places, what it has at the side that the network was made for, so that photos may be of any
    side and stay as they are at that one. Source: report R3, 7 x 7 x 512.
    """

    def __init__(self, body: nn.Module, side_px: int, ending: Ending, categories: int, dropout: float) -> None:
        super().__init__()
        channels, height, width = _map_of(body, side_px)
        self.body = body
        self.grid = nn.AdaptiveAvgPool2d((height, width))
        self.flatten = nn.Flatten()
        self.head = DenseHead(channels * height * width, ending.widths, categories, dropout)

    def forward(self, photos: Tensor) -> Tensor:
        """Return the scores."""
        scores: Tensor = self.head(self.flatten(self.grid(self.body(photos))))
        return scores


def flattened(network: nn.Module, side_px: int, ending: Ending, categories: int, dropout: float) -> nn.Module:
    """Lay the last map of one of timm's networks flat; its own pooling and all behind it go.

    Raises OptionError for a network that has no such map.
    """
    if not hasattr(network, "reset_classifier"):
        raise OptionError(f"{type(network).__name__} has no map to lay flat: leave out +flatten")
    try:
        network.reset_classifier(0, "")
    except TypeError:  # one that knows no pooling
        raise OptionError(f"{type(network).__name__} has no map to lay flat: leave out +flatten") from None
    if hasattr(network, "pre_logits"):  # the dense layers of VGG
        network.pre_logits = nn.Identity()
    return Flattened(network, side_px, ending, categories, dropout)


def with_dense_head(network: nn.Module, widths: tuple[int, ...], categories: int, dropout: float) -> nn.Module:
    """Put a dense head in the place of a network's last layer."""
    name, last = classifier_of(network)
    network.set_submodule(name, DenseHead(last.in_features, widths, categories, dropout))
    return network


def _map_of(body: nn.Module, side_px: int) -> tuple[int, int, int]:
    with torch.no_grad():
        shape = body.eval()(torch.zeros((1, 3, side_px, side_px))).shape
    if len(shape) != 4:
        raise OptionError(
            f"{type(body).__name__} has no map to lay flat, it ends in {tuple(shape[1:])}: leave out +flatten"
        )
    body.train()
    return int(shape[1]), int(shape[2]), int(shape[3])
