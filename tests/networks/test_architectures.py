"""Our own networks, held against numbers worked out by hand and against timm's and torchvision's."""

from __future__ import annotations

import inspect
import math
import re
from functools import cache

import pytest
import timm
import torch
import torchvision
from torch import nn

from shelfwise.networks.architectures import ARCHITECTURES
from shelfwise.networks.architectures.encoder import Encoder, positions
from shelfwise.networks.architectures.resnet50_transformer import ResNet50Transformer
from shelfwise.networks.find import find_network, new_network
from shelfwise.networks.stages import Vectors, classifier_of, cut, stages_of

C = 10


def weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def conv(inputs: int, outputs: int, side: int) -> int:
    """Weights of a convolution without bias, and of the batch norm behind it."""
    return inputs * outputs * side * side + 2 * outputs


def basic_stage(inputs: int, outputs: int, blocks: int = 2) -> int:
    """Weights of basic blocks; the first one has a 1 x 1 convolution around it where the channels change."""
    first = conv(inputs, outputs, 3) + conv(outputs, outputs, 3)
    around = conv(inputs, outputs, 1) if inputs != outputs else 0
    return first + around + (blocks - 1) * 2 * conv(outputs, outputs, 3)


def squeezes(channels: int, narrow: int, blocks: int = 2) -> int:
    """Weights of two dense layers with biases in every block."""
    return blocks * (channels * narrow + narrow + narrow * channels + channels)


def encoder(width: int, layers: int) -> int:
    """Weights of queries, keys, values and output; of both dense layers; of two norms; and of the last norm."""
    attention = 4 * (width * width + width)
    dense = width * 4 * width + 4 * width + 4 * width * width + width
    return layers * (attention + dense + 2 * 2 * width) + 2 * width


def linear(inputs: int) -> int:
    return inputs * C + C


@cache
def network_of(name: str) -> nn.Module:
    """Build a network once for all tests, which leave its weights as they are."""
    return new_network(find_network(name), C, 0.2, 0)


STEM = conv(3, 64, 7)
THREE_STAGES = STEM + basic_stage(64, 64) + basic_stage(64, 128) + basic_stage(128, 256)
RESNET18 = THREE_STAGES + basic_stage(256, 512)
SQUEEZES = squeezes(64, 8) + squeezes(128, 8) + squeezes(256, 16) + squeezes(512, 32)
DEEP = conv(3, 64, 3) + sum(basic_stage(i, o, 1) for i, o in ((64, 64), (64, 128), (128, 256), (256, 512)))
RESNET50 = 23_508_032
BY_HAND = {
    "resnet18-d": RESNET18 + linear(512),
    "se-resnet18": RESNET18 + SQUEEZES + linear(512),
    "resnet18-transformer": THREE_STAGES + encoder(256, 1) + linear(256),
    "resnet18-transformer-off": THREE_STAGES + linear(256),
    "se-resnet18-transformer": RESNET18 + SQUEEZES + encoder(512, 3) + linear(512),
    "resnet50-transformer": RESNET50 + 2048 * 512 + 512 + encoder(512, 3) + linear(512),
    "deepcnn-transformer": DEEP + encoder(512, 3) + linear(512),
    "small-cnn": (27 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 128 + 128) + (2048 * 128 + 128) + linear(128),
}


@pytest.mark.parametrize(
    "name", [name for name in ARCHITECTURES if name not in ("small-cnn", "resnet18-transformer-off")]
)
def test_a_docstring_tells_as_many_weights_as_worked_out_by_hand(name: str):
    (body, times_c) = re.search(
        r"([0-9,]+) \+ ([0-9]+)\s+c weights", inspect.getdoc(type(network_of(name))) or ""
    ).groups()
    assert int(body.replace(",", "")) + int(times_c) * C == BY_HAND[name]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_has_as_many_weights_as_worked_out_by_hand(name: str):
    assert weights(network_of(name)) == BY_HAND[name]


def test_the_bodies_have_as_many_weights_as_timms_and_torchvisions():
    assert BY_HAND["resnet18-d"] == weights(timm.create_model("resnet18", num_classes=C))
    assert BY_HAND["resnet18-d"] == weights(torchvision.models.resnet18(num_classes=C))
    assert BY_HAND["se-resnet18"] == weights(timm.create_model("seresnet18", num_classes=C))
    assert weights(timm.create_model("resnet50", num_classes=0)) == RESNET50


@pytest.mark.parametrize(("ours", "theirs"), [("resnet18-d", "resnet18"), ("se-resnet18", "seresnet18")])
def test_with_timms_weights_a_network_answers_as_timms(ours: str, theirs: str):
    one, other = new_network(find_network(ours), C, 0.0, 0), timm.create_model(theirs, num_classes=C)
    _copy_in_order(other, one)
    _drift_apart(other, one)
    photos = torch.rand(2, 3, 96, 96)
    torch.testing.assert_close(one.eval()(photos), other.eval()(photos), atol=1e-4, rtol=1e-4)


def test_with_timms_weights_the_bottlenecks_see_what_timms_see():
    ours, theirs = ResNet50Transformer(C), timm.create_model("resnet50", num_classes=0, global_pool="")
    body = nn.Sequential(ours.stem, ours.layer1, ours.layer2, ours.layer3, ours.layer4)
    _copy_in_order(theirs, body)
    photos = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(body.eval()(photos), theirs.eval()(photos), atol=1e-4, rtol=1e-4)


def _copy_in_order(source: nn.Module, target: nn.Module) -> None:
    values = list(source.state_dict().values())
    target.load_state_dict(dict(zip(target.state_dict(), values, strict=True)))


def _drift_apart(one: nn.Module, other: nn.Module) -> None:
    """Give batch norms means and scales that matter, the same ones in both."""
    for network in (one, other):
        generator = torch.Generator().manual_seed(3)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.1, 0.1, generator=generator)
                module.weight.data.uniform_(0.5, 1.5, generator=generator)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_takes_photos_of_any_side_from_32_px_on_and_learns_in_every_layer(name: str):
    network = network_of(name).train()
    scores = network(torch.rand(2, 3, 32, 32))
    assert scores.shape == (2, C)
    scores.square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    network.zero_grad(set_to_none=True)
    with torch.no_grad():
        assert Vectors(network).eval()(torch.rand(2, 3, 41, 70)).shape == (2, classifier_of(network)[1].in_features)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_our_networks_can_be_cut_in_front_of_their_last_stages(name: str):
    network = network_of(name)
    stages = stages_of(network)
    assert stages[-1].name == "head"
    for first in range(len(stages) - 3, len(stages)):
        cut(network, stages, first, 48)


def test_positions_are_the_sines_and_cosines_of_row_and_column():
    told = positions(16, 3, 5)
    assert told.shape == (16, 3, 5)
    for row in range(3):
        for column in range(5):
            waves = [10000 ** (-2 * i / 8) for i in range(4)]
            by_hand = [f(place * wave) for place in (row, column) for wave in waves for f in (math.sin, math.cos)]
            torch.testing.assert_close(told[:, row, column], torch.tensor(by_hand), atol=1e-6, rtol=1e-5)


def test_an_encoder_sees_where_something_lies_but_for_its_positions_it_would_not():
    torch.manual_seed(0)
    layer = Encoder(16, 1).eval()
    maps = torch.rand(1, 16, 4, 4)
    moved = maps.flip(3)
    with torch.no_grad():
        assert not torch.allclose(layer(maps).mean((2, 3)), layer(moved).mean((2, 3)), atol=1e-4)
        bare = nn.Sequential(layer.layers, layer.norm)
        tokens, mirrored = maps.flatten(2).transpose(1, 2), moved.flatten(2).transpose(1, 2)
        torch.testing.assert_close(bare(tokens).mean(1), bare(mirrored).mean(1), atol=1e-5, rtol=1e-5)


def test_the_weights_are_those_of_the_seed():
    one, same, other = (new_network(find_network("resnet18-transformer"), 3, 0.0, seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
