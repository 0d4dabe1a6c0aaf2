"""ResNet18-D of report R1: ResNet-18 with dropout in front of the linear layer; the D is no ResNet-D stem."""

from __future__ import annotations

from torch import Tensor, nn

from shelfwise.networks.architectures.residual import BasicBlock, Block, stage_of, start_weights, stem_of


class ResNet18D(nn.Module):
    """Photos (n, 3, h, w) to scores (n, c).

    At 224 px: stem 64 x 56 x 56; stages 64 x 56 x 56, 128 x 28 x 28, 256 x 14 x 14, 512 x 7 x 7, of two basic blocks each;
    average (n, 512), dropout, linear. 11,176,512 + 513 c weights. Source: report R1; He et al. (2016), table 1.
    """

    block: Block = BasicBlock

    def __init__(self, categories: int, dropout: float = 0.0) -> None:
        super().__init__()
        block = type(self).block
        self.stem = stem_of(64)
        self.layer1 = stage_of(block, 2, 64, 64, 1)
        self.layer2 = stage_of(block, 2, 64, 128, 2)
        self.layer3 = stage_of(block, 2, 128, 256, 2)
        self.layer4 = stage_of(block, 2, 256, 512, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(512, categories)
        start_weights(self)

    def forward(self, photos: Tensor) -> Tensor:
        """Return the scores."""
        maps = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(photos)))))
        scores: Tensor = self.classifier(self.dropout(self.flatten(self.pool(maps))))
        return scores
