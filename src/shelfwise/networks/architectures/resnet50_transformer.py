"""ResNet50 + Transformer of report R1: encoder layers behind the bottlenecks of ResNet-50."""

from __future__ import annotations

from torch import Tensor, nn

from shelfwise.networks.architectures.encoder import Encoder
from shelfwise.networks.architectures.residual import Bottleneck, stage_of, start_weights, stem_of


class ResNet50Transformer(nn.Module):
    """Photos (n, 3, h, w) to scores (n, c).

    At 224 px: stem 64 x 56 x 56; stages of 3, 4, 6 and 3 bottlenecks 256 x 56 x 56, 512 x 28 x 28, 1,024 x 14 x 14,
    2,048 x 7 x 7; a 1 x 1 convolution to 512 x 7 x 7; three encoder layers over the 49 places; average (n, 512), linear.
    34,015,296 + 513 c weights. Source: report R1; the narrowing, without which an encoder layer has 50 million weights,
    and the number of layers are ours.
    """

    def __init__(self, categories: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = stem_of(64)
        self.layer1 = stage_of(Bottleneck, 3, 64, 256, 1)
        self.layer2 = stage_of(Bottleneck, 4, 256, 512, 2)
        self.layer3 = stage_of(Bottleneck, 6, 512, 1024, 2)
        self.layer4 = stage_of(Bottleneck, 3, 1024, 2048, 2)
        self.narrow = nn.Conv2d(2048, 512, 1)
        self.encoder = Encoder(512, layers=3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(512, categories)
        start_weights(self)

    def forward(self, photos: Tensor) -> Tensor:
        """Return the scores."""
        maps = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(photos)))))
        seen = self.encoder(self.narrow(maps))
        scores: Tensor = self.classifier(self.dropout(self.flatten(self.pool(seen))))
        return scores
