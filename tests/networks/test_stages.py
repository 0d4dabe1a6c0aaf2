"""Where networks are divided, and what cutting them gives."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache

import pytest
import timm
import torch
from torch import nn

from shelfwise.errors import OptionError
from shelfwise.networks.find import find_network, new_network
from shelfwise.networks.stages import Vectors, classifier_of, cut, head_of, stages_of
from shelfwise.train.network.descent.trained_part import trained_part

# The last two stages, as the papers draw them, and the layer that --tune 2 begins with.
LAST_TWO = {
    "resnet18": ["layer3", "layer4"],
    "resnet50": ["layer3", "layer4"],
    "vgg16": ["features.24", "pre_logits"],
    "vgg16+flatten": ["body.features.17", "body.features.24"],
    "resnet18+flatten": ["body.layer3", "body.layer4"],
    "mobilenetv3_small_100": ["blocks.4", "blocks.5"],
    "convnext_atto": ["stages.2", "stages.3"],
    "vit_tiny_patch16_224": ["blocks.10", "blocks.11"],
    "efficientnet_b0": ["blocks.5", "blocks.6"],
    "lite0": ["blocks.5", "blocks.6"],
    "lite0+dense=16,8": ["blocks.5", "blocks.6"],
    "resnet18-transformer": ["layer3", "encoder"],
    "small-cnn": ["stages.2", "hidden"],
}
CUT = [name for name in LAST_TWO if not name.startswith(("vit", "vgg16"))]


@cache
def network_of(name: str) -> nn.Module:
    """Build a network without drawing weights where the paper's 138 million would take seconds: tests do not change it."""
    with torch.device("meta") if name == "vgg16" else nullcontext():
        return new_network(find_network(name), 5, 0.2, 0).eval()


@pytest.mark.parametrize(("name", "last"), LAST_TWO.items())
def test_tune_2_trains_the_last_two_stages_and_what_lies_behind_them(name: str, last: list[str]):
    network = network_of(name)
    stages = [stage.name for stage in stages_of(network)]
    assert [stage for stage in stages if stage not in ("stem", "neck", "head")][-2:] == last
    part = trained_part(network, "2")
    assert part.layers[part.first].startswith(f"{last[0]}")
    assert part.stages[part.first_stage].name == last[0]


@pytest.mark.parametrize("name", LAST_TWO)
def test_every_layer_with_weights_lies_in_exactly_one_stage(name: str):
    network = network_of(name)
    modules = [module for stage in stages_of(network) for module in stage.modules]
    assert len(set(modules)) == len(modules)
    inside = sum(p.numel() for m in modules for p in network.get_submodule(m).parameters())
    lone = sum(p.numel() for p in network.parameters(recurse=False))  # a token and positions, in a vision transformer
    assert inside + lone == sum(p.numel() for p in network.parameters())
    assert head_of(network) == classifier_of(network)[0] or "dense" in name or "flatten" in name


@pytest.mark.parametrize("name", CUT)
def test_a_network_whose_stages_follow_one_another_is_cut_anywhere(name: str):
    network = network_of(name)
    stages = stages_of(network)
    photos = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        whole = network(photos)
        for first in (len(stages) // 2, len(stages) - 1):
            trunk, tail = cut(network, stages, first, 32)
            torch.testing.assert_close(tail.eval()(trunk.eval()(photos)), whole, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_vgg16_is_cut_in_front_of_its_dense_layers_and_of_its_last_stages():
    network = new_network(find_network("vgg16"), 5, 0.0, 0)
    stages = stages_of(network)
    for first in (len(stages) - 3, len(stages) - 2):
        cut(network, stages, first, 32)


def test_the_trunk_of_a_network_of_which_only_the_head_learns_gives_the_vector():
    network = network_of("lite0+dense=16,8")
    part = trained_part(network, "head")
    trunk, tail = cut(network, part.stages, part.first_stage, 64)
    with torch.no_grad():
        assert trunk.eval()(torch.rand(2, 3, 64, 64)).shape == (2, 1280)
    assert [type(m) for m in tail.get_submodule("classifier")] == [
        nn.Linear,
        nn.ReLU,
        nn.Linear,
        nn.ReLU,
        nn.Dropout,
        nn.Linear,
    ]


def test_a_network_that_adds_something_between_its_stages_is_not_cut():
    network = network_of("vit_tiny_patch16_224")
    with pytest.raises(OptionError, match=r"cannot be cut before 'blocks\.10'.* leave out --finetune"):
        cut(network, stages_of(network), 11, 224)


def test_a_dropout_in_front_of_the_last_layer_is_trained_with_it():
    network = network_of("resnet18-d")
    assert stages_of(network)[-1].modules == ("dropout", "classifier")
    _, tail = cut(network, stages_of(network), len(stages_of(network)) - 1, 64)
    assert isinstance(tail.get_submodule("dropout"), nn.Dropout)


def test_the_vectors_are_what_the_last_layer_looks_at():
    network = network_of("resnet18+flatten+dense=16")
    photos = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        vectors = Vectors(network).eval()(photos)
        assert vectors.shape == (2, 16)
        torch.testing.assert_close(classifier_of(network)[1](vectors), network(photos))


def test_a_network_without_a_linear_layer_is_refused():
    with pytest.raises(OptionError, match="does not end in a linear layer"):
        classifier_of(timm.create_model("resnet18", num_classes=0))
