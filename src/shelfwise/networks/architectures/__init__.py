"""Our own networks, by name: those of the reference reports that timm does not have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from shelfwise.networks.architectures.deepcnn_transformer import DeepCnnTransformer
from shelfwise.networks.architectures.resnet18_d import ResNet18D
from shelfwise.networks.architectures.resnet18_transformer import ResNet18Transformer
from shelfwise.networks.architectures.resnet50_transformer import ResNet50Transformer
from shelfwise.networks.architectures.se_resnet18 import SeResNet18
from shelfwise.networks.architectures.se_resnet18_transformer import SeResNet18Transformer
from shelfwise.networks.architectures.small_cnn import SmallCnn


@dataclass(frozen=True)
class Architecture:
    """build(categories, dropout) makes the network with random weights; side_px: the side of its photos."""

    title: str
    build: Callable[[int, float], nn.Module]
    side_px: int


def _without_encoder(categories: int, dropout: float) -> nn.Module:
    return ResNet18Transformer(categories, dropout, attends=False)


ARCHITECTURES = {
    "resnet18-d": Architecture("ResNet-18 with dropout (R1)", ResNet18D, 224),
    "se-resnet18": Architecture("ResNet-18 with squeeze and excitation (R1)", SeResNet18, 224),
    "resnet18-transformer": Architecture("ResNet-18, an encoder for its last stage (R1)", ResNet18Transformer, 224),
    "resnet18-transformer-off": Architecture("The same without the encoder (R1)", _without_encoder, 224),
    "se-resnet18-transformer": Architecture("SE-ResNet-18 with encoder layers (R1)", SeResNet18Transformer, 224),
    "resnet50-transformer": Architecture("ResNet-50 with encoder layers (R1)", ResNet50Transformer, 224),
    "deepcnn-transformer": Architecture("Residual stages with encoder layers (R1)", DeepCnnTransformer, 224),
    "small-cnn": Architecture("Three convolutions and two linear layers (R5)", SmallCnn, 64),
}
