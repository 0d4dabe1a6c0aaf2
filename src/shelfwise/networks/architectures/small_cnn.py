"""The small network of report R5: three convolutions, two linear layers."""

from __future__ import annotations

from torch import Tensor, nn


class SmallCnn(nn.Module):
    """Photos (n, 3, h, w) to scores (n, c): three times convolution, ReLU, max-pool, then two linear layers.

    Channels 3 -> 32 -> 64 -> 128, the last map averaged to 4 x 4, 2,048 -> 128 -> c.
    Source: report R5; widths and the averaging, which lets photos be of any side, are ours.
    """

    def __init__(self, categories: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.stages = nn.Sequential(_stage(3, 32), _stage(32, 64), _stage(64, 128))
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.flatten = nn.Flatten()
        self.hidden = nn.Linear(128 * 4 * 4, 128)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(128, categories)

    def forward(self, photos: Tensor) -> Tensor:
        """Return the scores."""
        vectors = self.relu(self.hidden(self.flatten(self.pool(self.stages(photos)))))
        scores: Tensor = self.classifier(self.dropout(vectors))
        return scores


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
