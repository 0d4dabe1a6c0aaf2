"""ResNet18 + Transformer of report R1: an encoder block in the place of the last stage."""

from __future__ import annotations

from torch import Tensor, nn

from shelfwise.networks.architectures.encoder import Encoder
from shelfwise.networks.architectures.residual import BasicBlock, stage_of, start_weights, stem_of


class ResNet18Transformer(nn.Module):
    """Photos (n, 3, h, w) to scores (n, c).

    At 224 px: stem 64 x 56 x 56; stages 64 x 56 x 56, 128 x 28 x 28, 256 x 14 x 14; one encoder layer over the 196 places;
    average (n, 256), linear. 3,573,056 + 257 c weights; 2,782,784 + 257 c where `attends` is false, which leaves the
    encoder out. Source: report R1; 8 heads and the feed-forward width of 1,024 are ours.
    """

    def __init__(self, categories: int, dropout: float = 0.0, attends: bool = True) -> None:
        super().__init__()
        self.stem = stem_of(64)
        self.layer1 = stage_of(BasicBlock, 2, 64, 64, 1)
        self.layer2 = stage_of(BasicBlock, 2, 64, 128, 2)
        self.layer3 = stage_of(BasicBlock, 2, 128, 256, 2)
        self.encoder = Encoder(256, layers=1) if attends else nn.Identity()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(256, categories)
        start_weights(self)

    def forward(self, photos: Tensor) -> Tensor:
        """Return the scores."""
        maps = self.encoder(self.layer3(self.layer2(self.layer1(self.stem(photos)))))
        scores: Tensor = self.classifier(self.dropout(self.flatten(self.pool(maps))))
        return scores
