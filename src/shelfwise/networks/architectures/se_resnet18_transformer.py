"""SE-ResNet18 + Transformer of report R1: encoder layers behind all stages."""

from __future__ import annotations

from torch import Tensor, nn

from shelfwise.networks.architectures.encoder import Encoder
from shelfwise.networks.architectures.residual import squeezing_block, stage_of, start_weights, stem_of


class SeResNet18Transformer(nn.Module):
    """Photos (n, 3, h, w) to scores (n, c).

    At 224 px: stem 64 x 56 x 56; stages 64 x 56 x 56, 128 x 28 x 28, 256 x 14 x 14, 512 x 7 x 7 with squeeze and
    excitation; three encoder layers over the 49 places; average (n, 512), linear. 20,724,800 + 513 c weights.
    Source: report R1, `several layers`; three, 8 heads and the feed-forward width of 2,048 are ours.
    """

    def __init__(self, categories: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = stem_of(64)
        self.layer1 = stage_of(squeezing_block, 2, 64, 64, 1)
        self.layer2 = stage_of(squeezing_block, 2, 64, 128, 2)
        self.layer3 = stage_of(squeezing_block, 2, 128, 256, 2)
        self.layer4 = stage_of(squeezing_block, 2, 256, 512, 2)
        self.encoder = Encoder(512, layers=3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(512, categories)
        start_weights(self)

    def forward(self, photos: Tensor) -> Tensor:
        """Return the scores."""
        maps = self.encoder(self.layer4(self.layer3(self.layer2(self.layer1(self.stem(photos))))))
        scores: Tensor = self.classifier(self.dropout(self.flatten(self.pool(maps))))
        return scores
