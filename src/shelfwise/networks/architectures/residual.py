"""Residual blocks and the stages made of them. Source: He et al., Deep Residual Learning (2016), table 1 and figure 5."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from shelfwise.networks.architectures.squeeze import SqueezeExcitation

Block = Callable[[int, int, int], nn.Module]
"""block(inputs, outputs, stride) makes a block."""


class BasicBlock(nn.Module):
    """Maps (n, inputs, h, w) to (n, outputs, h / stride, w / stride): two 3 x 3 convolutions beside a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int, squeezes: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.squeeze = SqueezeExcitation(outputs) if squeezes else nn.Identity()
        self.around = _around(inputs, outputs, stride)
        self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps of the block."""
        changed = self.squeeze(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps))))))
        result: Tensor = self.relu(changed + self.around(maps))
        return result


class Bottleneck(nn.Module):
    """Maps (n, inputs, h, w) to (n, outputs, h / stride, w / stride): 1 x 1 to a quarter of the outputs, 3 x 3, 1 x 1.

    The stride is that of the 3 x 3, as in torchvision and timm.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        narrow = outputs // 4
        self.conv1 = nn.Conv2d(inputs, narrow, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(narrow)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(narrow)
        self.conv3 = nn.Conv2d(narrow, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.around = _around(inputs, outputs, stride)
        self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps of the block."""
        narrow = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps))))))
        result: Tensor = self.relu(self.bn3(self.conv3(narrow)) + self.around(maps))
        return result


def squeezing_block(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Make a basic block with squeeze and excitation."""
    return BasicBlock(inputs, outputs, stride, squeezes=True)


def stem_of(channels: int) -> nn.Sequential:
    """Photos (n, 3, h, w) to maps (n, channels, h / 4, w / 4): 7 x 7 convolution of stride 2, batch norm, ReLU, max-pool."""
    return nn.Sequential(
        nn.Conv2d(3, channels, 7, 2, padding=3, bias=False), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
    )


def stage_of(block: Block, blocks: int, inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Put blocks one behind the other, of which the first has the stride."""
    rest = [block(outputs, outputs, 1) for _ in range(blocks - 1)]
    return nn.Sequential(block(inputs, outputs, stride), *rest)


def start_weights(network: nn.Module) -> None:
    """Draw the weights of convolutions. Source: He et al., Delving Deep into Rectifiers (2015), equation 14."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _around(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Return the way around a block: nothing where the shape stays, else a 1 x 1 convolution and batch norm."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
