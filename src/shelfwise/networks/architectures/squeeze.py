"""Squeeze and excitation: channels weighted by what the whole map holds."""

from __future__ import annotations

from torch import Tensor, nn

_REDUCTION, _FEWEST = 16, 8
"""The bottleneck is a sixteenth of the channels, at least 8. Source: Hu et al., Squeeze-and-Excitation Networks (2018),
section 6.1, for 16; timm's seresnet18 for 8."""


class SqueezeExcitation(nn.Module):
    """Maps (n, d, h, w) to maps of the same shape: global average, d -> d / 16 -> d, sigmoid, times the map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(channels // _REDUCTION, _FEWEST)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, narrow, 1)
        self.relu = nn.ReLU()
        self.expand = nn.Conv2d(narrow, channels, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, maps: Tensor) -> Tensor:
        """Return the weighted maps."""
        weight: Tensor = self.sigmoid(self.expand(self.relu(self.reduce(self.pool(maps)))))
        return maps * weight
