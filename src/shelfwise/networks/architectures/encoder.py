"""Transformer encoder layers over a map: every place looks at every other one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_HEADS, _WIDER, _DROPOUT = 8, 4, 0.1
"""Heads, width of the feed-forward part over d, dropout. Source: Vaswani et al., Attention Is All You Need (2017), base model."""
_WAVELENGTH = 10000.0


class Encoder(nn.Module):
    """Maps (n, d, h, w) to maps of the same shape: sine positions added, then pre-norm encoder layers, a last norm.

    h and w may be anything, and d is a multiple of 8. The norm stands before attention and feed-forward, not behind them:
    post-norm layers need a slow start of the learning rate, else they collapse when they learn from scratch together with
    convolutions; pre-norm ones do not. Source: Xiong et al., On Layer Normalization in the Transformer Architecture (2020).
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(
            nn.TransformerEncoderLayer(
                width, _HEADS, _WIDER * width, _DROPOUT, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        ))  # fmt: skip
        self.norm = nn.LayerNorm(width)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps after attention."""
        _, width, height, breadth = maps.shape
        tokens = (maps + positions(width, height, breadth).to(maps)).flatten(2).transpose(1, 2)
        seen: Tensor = self.norm(self.layers(tokens))
        return seen.transpose(1, 2).unflatten(2, (height, breadth))


def positions(width: int, height: int, breadth: int) -> Tensor:
    """Return sine positions (d, h, w): half of the channels tell the row, half the column, by sines and cosines in turn.

    Source: Vaswani et al. (2017), section 3.5, for each half.
    """
    rows, columns = _waves(width // 2, height), _waves(width // 2, breadth)
    return torch.cat([
        rows[:, :, None].expand(-1, -1, breadth),
        columns[:, None, :].expand(-1, height, -1),
    ])  # fmt: skip


def _waves(channels: int, length: int) -> Tensor:
    """Return (channels, length): sin(p / 10000^(2i / channels)) in channel 2i, cos of the same in channel 2i + 1."""
    rate = _WAVELENGTH ** (-torch.arange(0, channels, 2) / channels)
    angle = rate[:, None] * torch.arange(length)
    return torch.stack([angle.sin(), angle.cos()], dim=1).flatten(0, 1)
