import pytest
import torch
from torch import Tensor, nn

from shelfwise.train.network.descent.step_precision import computed


def depthwise_network() -> nn.Module:
    """Make a small network with convolutions of all kinds."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 5, stride=2, padding=2, groups=16), nn.ReLU6(),
        nn.Conv2d(16, 32, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 5),
    )  # fmt: skip


def gradients(network: nn.Module, scores: Tensor) -> list[Tensor]:
    network.zero_grad()
    nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2, 3])).backward()
    return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]


@pytest.fixture
def photos() -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_the_layout_changes_nothing_but_rounding(photos: Tensor) -> None:
    network = depthwise_network()
    plain, ours = network(photos), computed(network, photos, bf16=False)
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)
    for a, b in zip(gradients(network, ours), gradients(network, network(photos)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_steps_in_bf16_learn_what_steps_in_float32_learn(photos: Tensor) -> None:
    network = depthwise_network()
    halves, whole = gradients(network, computed(network, photos, bf16=True)), gradients(network, network(photos))
    assert len(halves) == 8
    for a, b in zip(halves, whole, strict=True):
        assert a.dtype == torch.float32
        assert float(nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0)) > 0.99


def test_in_bf16_grouped_convolutions_alone_stay_in_float32(photos: Tensor) -> None:
    network, told = depthwise_network(), {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _i, out, name=name: told.update({name: out.dtype}))
    assert computed(network, photos, bf16=True).dtype == torch.float32
    assert told == {"0": torch.bfloat16, "2": torch.float32, "4": torch.bfloat16}


def test_inputs_that_are_no_maps_are_taken_as_they_are() -> None:
    layer = nn.Linear(6, 3)
    rows = torch.rand(4, 6)
    torch.testing.assert_close(computed(layer, rows, bf16=False), layer(rows))
