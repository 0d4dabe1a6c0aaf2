"""Our own networks, by name: those of the reference reports that timm does not have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from shelfwise.networks.architectures.small_cnn import SmallCnn


@dataclass(frozen=True)
class Architecture:
    """build(categories, dropout) makes the network with random weights; side_px: the side of its photos."""

    title: str
    build: Callable[[int, float], nn.Module]
    side_px: int


ARCHITECTURES = {
    "small-cnn": Architecture("Three convolutions and two linear layers (R5)", SmallCnn, 64),
}
