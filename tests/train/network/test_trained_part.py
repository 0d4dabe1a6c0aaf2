"""Which weights learn, in which epoch, and how fast; what does not learn stays the same bit for bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from shelfwise.errors import OptionError
from shelfwise.networks.find import find_network, new_network
from shelfwise.networks.stages import cut, weighted_layers
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.train.network.descent.optimizers import grouped_parameters, new_optimizer
from shelfwise.train.network.descent.trained_part import TrainedPart, frozen_stages, set_trained, trained_part
from shelfwise.train.network.settings import Settings, settle

NETWORKS = ("small-cnn", "resnet18", "tf_efficientnet_lite0")


def network_of(name: str) -> nn.Module:
    return new_network(find_network(name), 5, 0.2, 0)


def settings_of(name: str, **more: object) -> Settings:
    return replace(settle(TrainOptions(network=name), NetworkOptions(), find_network(name)), **more)


def learning(network: nn.Module) -> list[str]:
    return [name for name, parameter in network.named_parameters() if parameter.requires_grad]


def children_of(names: list[str]) -> list[str]:
    """Name what learns by the first two parts of the names, each once."""
    return list(dict.fromkeys(".".join(name.split(".")[:2]) for name in names))


@pytest.mark.parametrize(
    ("name", "tune", "children"),
    [
        ("small-cnn", "head", ["classifier.weight", "classifier.bias"]),
        ("small-cnn", "1", ["hidden.weight", "hidden.bias", "classifier.weight", "classifier.bias"]),
        ("small-cnn", "from:stages.2", ["stages.2", "hidden.weight", "hidden.bias", "classifier.weight", "classifier.bias"]),
        ("small-cnn", "from:3", ["hidden.weight", "hidden.bias", "classifier.weight", "classifier.bias"]),
        ("resnet18", "head", ["fc.weight", "fc.bias"]),
        ("resnet18", "1", ["layer4.0", "layer4.1", "fc.weight", "fc.bias"]),
        ("resnet18", "2", ["layer3.0", "layer3.1", "layer4.0", "layer4.1", "fc.weight", "fc.bias"]),
        ("resnet18", "from:layer4.1", ["layer4.1", "fc.weight", "fc.bias"]),
        ("tf_efficientnet_lite0", "head", ["classifier.weight", "classifier.bias"]),
        (
            "tf_efficientnet_lite0", "1",
            ["blocks.6", "conv_head.weight", "bn2.weight", "bn2.bias", "classifier.weight", "classifier.bias"],
        ),  # the neck goes with the last stage
        (
            "tf_efficientnet_lite0", "from:conv_head",
            ["conv_head.weight", "bn2.weight", "bn2.bias", "classifier.weight", "classifier.bias"],
        ),
    ],
)  # fmt: skip
def test_tune_names_what_learns(name: str, tune: str, children: list[str]):
    network = network_of(name)
    set_trained(network, trained_part(network, tune), 0, False)
    assert children_of(learning(network)) == children


@pytest.mark.parametrize("name", NETWORKS)
def test_tune_all_trains_every_weight(name: str):
    network = network_of(name)
    set_trained(network, trained_part(network, "all"), 0, False)
    assert learning(network) == [name for name, _ in network.named_parameters()]
    assert all(module.training for module in network.modules())


def test_the_layer_numbers_of_report_r4_are_those_of_the_layers_with_weights():
    network = network_of("resnet18")
    part = trained_part(network, "from:10")
    assert part.layers[part.first] == weighted_layers(network)[10]


@pytest.mark.parametrize("tune", ["9", "from:nothing", "from:99"])
def test_what_the_network_lacks_is_refused_with_what_it_has(tune: str):
    with pytest.raises(OptionError, match=r"the network has"):
        trained_part(network_of("resnet18"), tune)


def one_step(
    network: nn.Module, part: TrainedPart, freezes_batch_norm: bool, frozen: int = 0
) -> dict[str, torch.Tensor]:
    """Make two steps on noise; return the state before."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = new_optimizer(
        grouped_parameters(network, part, settings_of("small-cnn", rate=0.1)), settings_of("small-cnn")
    )
    set_trained(network, part, frozen, freezes_batch_norm)
    for seed in (0, 1):
        photos = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        nn.functional.cross_entropy(network(photos), torch.tensor([0, 1, 2, 3])).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return before


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("tune", ["head", "1", "2"])
@pytest.mark.parametrize("freezes_batch_norm", [True, False])
def test_what_is_frozen_stays_the_same_bit_for_bit_and_all_else_moves(name: str, tune: str, freezes_batch_norm: bool):
    network = network_of(name)
    part = trained_part(network, tune)
    before = one_step(network, part, freezes_batch_norm)
    learned = set(learning(network))
    modules = dict(network.named_modules())
    for key, value in network.state_dict().items():
        layer = modules[key.rpartition(".")[0]]
        is_statistic = key.endswith(("running_mean", "running_var", "num_batches_tracked"))
        expected = (layer.training and not freezes_batch_norm) if is_statistic else key in learned
        assert torch.equal(value, before[key]) != expected, key


def test_batch_norms_that_learn_do_so_in_trained_stages_alone():
    network = network_of("resnet18")
    part = trained_part(network, "1")
    before = one_step(network, part, False)
    moved = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    assert "layer4.0.bn1.running_mean" in moved
    assert not any(key.startswith(("bn1", "layer1", "layer2", "layer3")) for key in moved)


def test_gradual_unfreezing_begins_with_the_head_and_frees_a_stage_every_so_many_epochs():
    network = network_of("resnet18")
    part = trained_part(network, "all")
    told = []
    for epoch in range(12):
        set_trained(network, part, frozen_stages(part, 2, epoch), False)
        told.append(children_of(learning(network))[0].partition(".")[0])
    assert told == ["fc", "fc", *(f"layer{n}" for n in (4, 4, 3, 3, 2, 2, 1, 1)), "conv1", "conv1"]


def test_gradual_unfreezing_goes_no_further_than_what_is_tuned():
    network = network_of("resnet18")
    part = trained_part(network, "2")
    for epoch, first in enumerate(["fc", "layer4", "layer3", "layer3", "layer3", "layer3", "layer3"]):
        set_trained(network, part, frozen_stages(part, 1, epoch), True)
        assert learning(network)[0].startswith(first), epoch


def test_without_gradual_all_learns_from_the_start():
    part = trained_part(network_of("resnet18"), "all")
    assert [frozen_stages(part, 0, epoch) for epoch in (0, 1, 7)] == [0, 0, 0]


@pytest.mark.parametrize("tune", ["2", "from:layer4.1"])
def test_behind_a_cut_nothing_in_front_of_it_can_learn(tune: str):
    network = network_of("resnet18")
    part = trained_part(network, tune)
    _, tail = cut(network, part.stages, part.first_stage)
    layers = weighted_layers(tail)
    tail_part = TrainedPart(part.stages, layers, layers.index(part.layers[part.first]))
    for epoch in range(8):
        set_trained(tail, tail_part, frozen_stages(tail_part, 1, epoch), True)
        set_trained(network, part, frozen_stages(part, 1, epoch), True)
        assert learning(tail) == learning(network)
        assert {part.stage_of(name) for name in learning(tail)} <= set(range(part.first_stage, len(part.stages)))


def test_dropout_in_front_of_what_learns_is_switched_off_and_behind_it_on():
    network = nn.Sequential(
        nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 4)),
        nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Linear(4, 4)),
        nn.Dropout(),
        nn.Linear(4, 2),
    )  # fmt: skip
    set_trained(network, trained_part(network, "1"), 0, True)
    assert [network[0][1].training, network[1][1].training, network[2].training] == [False, True, True]


def test_each_stage_learns_at_its_share_of_the_rate_of_the_stage_behind_it():
    network = network_of("resnet18")
    groups = grouped_parameters(
        network, trained_part(network, "all"), settings_of("resnet18", rate=0.01, stage_rate=0.5, head_rate=3.0)
    )
    rate_of = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    told = {name.split(".")[0]: rate_of[id(parameter)] for name, parameter in network.named_parameters()}
    expected = {"fc": 0.03, "layer4": 0.005, "layer3": 0.0025, "layer2": 0.00125, "layer1": 0.000625, "bn1": 0.0003125}
    assert told == pytest.approx(expected | {"conv1": 0.0003125})
    assert len(rate_of) == len(list(network.parameters()))


def test_a_token_that_lies_in_no_stage_learns_with_the_first_one():
    network = network_of("vit_tiny_patch16_224")
    part = trained_part(network, "1")
    set_trained(network, part, 0, True)
    assert children_of(learning(network)) == ["blocks.11", "norm.weight", "norm.bias", "head.weight", "head.bias"]
    assert network.blocks[11].training
    assert part.stage_of("cls_token") == 0


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("adamw", torch.optim.AdamW, {"lr": 5e-4, "weight_decay": 0.01, "betas": (0.9, 0.999)}),
        ("adam", torch.optim.Adam, {"lr": 5e-4, "weight_decay": 0.0}),
        ("sgd", torch.optim.SGD, {"lr": 1e-2, "weight_decay": 1e-4, "momentum": 0.9}),
        ("adadelta", torch.optim.Adadelta, {"lr": 1.0, "weight_decay": 0.0, "rho": 0.95}),  # report R4
    ],
)
def test_the_optimizers_are_torchs_with_the_customary_numbers(name: str, kind: type, expected: dict[str, object]):
    network = network_of("small-cnn")
    settings = settle(
        TrainOptions(network="small-cnn", optimizer=name), NetworkOptions(start="random"), find_network("small-cnn")
    )
    made = new_optimizer(grouped_parameters(network, trained_part(network, "all"), settings), settings)
    assert type(made) is kind
    assert {key: made.param_groups[0][key] for key in expected} == expected


def test_weight_decay_that_is_asked_for_is_taken_and_refused_outside_its_range():
    settings = settle(
        TrainOptions(network="small-cnn", optimizer="adam"),
        NetworkOptions(weight_decay=0.05),
        find_network("small-cnn"),
    )
    assert settings.weight_decay == 0.05
    with pytest.raises(OptionError, match=r"--weight-decay 1\.5: from 0"):
        NetworkOptions(weight_decay=1.5)
