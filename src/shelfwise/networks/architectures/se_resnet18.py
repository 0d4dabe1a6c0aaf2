"""SE-ResNet18 of report R1: ResNet-18 with squeeze and excitation in every block."""

from __future__ import annotations

from shelfwise.networks.architectures.residual import squeezing_block
from shelfwise.networks.architectures.resnet18_d import ResNet18D


class SeResNet18(ResNet18D):
    """Photos (n, 3, h, w) to scores (n, c), with the shapes of ResNet18D.

    11,266,624 + 513 c weights, 90,112 more than ResNet-18: 2 d r + d + r a block of d channels, r = max(d / 16, 8).
    Source: report R1.
    """

    block = staticmethod(squeezing_block)
