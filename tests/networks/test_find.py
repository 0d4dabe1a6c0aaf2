"""Networks by name, and how they end."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from shelfwise.errors import OptionError
from shelfwise.networks.find import find_network, new_network
from shelfwise.networks.heads import Ending, parse_ending
from shelfwise.networks.stages import classifier_of, head_of


@given(st.booleans(), st.lists(st.integers(1, 99_999), max_size=4))
def test_an_ending_is_read_as_it_is_written(flattens: bool, widths: list[int]):
    text = "vgg16" + "+flatten" * flattens + (f"+dense={','.join(map(str, widths))}" if widths else "")
    assert parse_ending(text) == ("vgg16", Ending(flattens, tuple(widths)))


@pytest.mark.parametrize("text", ["", "+flatten", "a+dense=", "a+dense=0", "a+dense=4,", "a+dense=4+flatten", "a+flat"])
def test_what_is_no_ending_is_refused(text: str):
    with pytest.raises(OptionError, match="write NETWORK"):
        parse_ending(text)


@pytest.mark.parametrize(
    ("name", "body", "features"),
    [
        ("vgg16", 14_714_688, 7 * 7 * 512),
        pytest.param("vgg19", 20_024_384, 7 * 7 * 512, marks=pytest.mark.slow),
        pytest.param("resnet50", 23_508_032, 7 * 7 * 2048, marks=pytest.mark.slow),
    ],
)
def test_report_3_lays_the_maps_of_vgg_and_resnet_flat(name: str, body: int, features: int):
    network = new_network(find_network(f"{name}+flatten"), 3, 0.0, 0)
    assert classifier_of(network)[1].in_features == features
    assert sum(p.numel() for p in network.parameters()) == body + features * 3 + 3


def test_a_map_laid_flat_stays_as_it_is_at_the_networks_own_side_and_is_averaged_at_others():
    network = new_network(find_network("resnet18+flatten"), 3, 0.0, 0).eval()
    photos = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        flat = network.get_submodule("body")(photos).flatten(1)
        torch.testing.assert_close(network(photos), classifier_of(network)[1](flat))
        assert network(torch.rand(2, 3, 64, 64)).shape == (2, 3)


def test_report_4_puts_two_dense_layers_and_dropout_in_front_of_the_scores():
    network = new_network(find_network("lite0+dense=8000,4000"), 49, 0.5, 0)
    head = network.get_submodule(head_of(network))
    assert [tuple(m.weight.shape) for m in head if isinstance(m, nn.Linear)] == [(8000, 1280), (4000, 8000), (49, 4000)]
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout) and m.p] == [0.5]


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224+flatten", "small-cnn+flatten"])
def test_a_network_without_a_map_cannot_be_laid_flat(name: str):
    with pytest.raises(OptionError, match=r"has no map to lay flat.*leave out \+flatten"):
        new_network(find_network(name), 3, 0.0, 0)


def test_the_nearest_name_is_proposed_and_those_that_need_no_network_are_listed():
    with pytest.raises(
        OptionError, match=r"did you mean 'se-resnet18-transformer'.*small-cnn, lite0, lite1, lite2, and timm's"
    ):
        find_network("se-resnet18-transfomer")
