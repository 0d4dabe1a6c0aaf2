"""DeepCNN + Transformer of report R1: four stages of residual blocks, then encoder layers."""

from __future__ import annotations

from torch import Tensor, nn

from shelfwise.networks.architectures.encoder import Encoder
from shelfwise.networks.architectures.residual import BasicBlock, stage_of, start_weights


class DeepCnnTransformer(nn.Module):
    """Photos (n, 3, h, w) to scores (n, c).

    At 224 px: stem, a 3 x 3 convolution of stride 2, batch norm, ReLU, 64 x 112 x 112; stages of one residual block
    64 x 112 x 112, 128 x 56 x 56, 256 x 28 x 28, 512 x 14 x 14; three encoder layers over the 196 places; average (n, 512),
    linear. 14,356,288 + 513 c weights. Source: report R1; widths, one block a stage and three layers are ours.
    """

    def __init__(self, categories: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 3, 2, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.layer1 = stage_of(BasicBlock, 1, 64, 64, 1)
        self.layer2 = stage_of(BasicBlock, 1, 64, 128, 2)
        self.layer3 = stage_of(BasicBlock, 1, 128, 256, 2)
        self.layer4 = stage_of(BasicBlock, 1, 256, 512, 2)
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
