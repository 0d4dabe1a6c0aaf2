import pytest
import torch
from torch import Tensor, nn

from shelfwise.train.network.descent import depthwise, step_precision
from shelfwise.train.network.descent.depthwise import is_small_depthwise, small_depthwise
from shelfwise.train.network.descent.step_precision import computed

entry_of_pair = depthwise._entry_of_pair


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


@pytest.mark.parametrize(("h", "w"), [(7, 7), (8, 8), (3, 5), (1, 1), (4, 9)])
@pytest.mark.parametrize("channels_last", [True, False])
def test_depthwise_convolutions_of_small_maps_give_torchs_gradients(h: int, w: int, channels_last: bool) -> None:
    torch.manual_seed(h)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    weight = torch.rand(12, 1, 5, 5, dtype=torch.float32, requires_grad=True)
    inputs = torch.rand(6, 12, h, w).contiguous(memory_format=layout).requires_grad_()
    wanted = torch.rand(6, 12, h, w)
    given = []
    for convolve in (lambda: small_depthwise(inputs, weight), lambda: torch.conv2d(inputs, weight, None, 1, 2, 1, 12)):
        maps = convolve()
        given.append((maps, *torch.autograd.grad(maps, (inputs, weight), wanted)))
    for ours, torchs in zip(*given, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-5, atol=1e-5)


def test_the_gradient_of_a_small_depthwise_convolution_is_that_of_finite_differences(monkeypatch) -> None:
    monkeypatch.setattr(depthwise, "_entry_of_pair", lambda *shape: entry_of_pair(*shape).double())
    inputs = torch.rand(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(3, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(small_depthwise, (inputs, weight))


@pytest.mark.parametrize(
    ("channels", "shape", "how"),
    [
        (6, (6, 1, 3, 3), (1, 1, 1, 6)),  # small filters are as fast in torch
        (6, (6, 1, 5, 5), (2, 2, 1, 6)),  # moves on by two
        (6, (6, 1, 5, 5), (1, 0, 1, 6)),  # loses the margin
        (6, (6, 1, 5, 5), (1, "same", 1, 6)),
        (6, (6, 1, 5, 5), (1, 4, 2, 6)),  # skips positions
        (6, (12, 1, 5, 5), (1, 2, 1, 6)),  # two filters a channel
        (6, (6, 2, 5, 5), (1, 2, 1, 3)),  # filters over several channels
    ],
)
def test_other_convolutions_are_left_to_torch(channels: int, shape: tuple[int, ...], how: tuple) -> None:
    assert not is_small_depthwise(torch.rand(2, channels, 7, 7), torch.rand(shape), *how)
    assert not is_small_depthwise(torch.rand(2, 6, 9, 8), torch.rand(6, 1, 5, 5), 1, 2, 1, 6)  # a larger map
    assert is_small_depthwise(torch.rand(2, 6, 8, 8), torch.rand(6, 1, 5, 5), (1, 1), (2, 2), (1, 1), 6)


def test_a_network_with_small_maps_takes_the_fast_way_and_learns_the_same(monkeypatch) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 5, padding=2, groups=16, bias=False),
        nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip
    photos, taken = torch.rand(4, 3, 16, 16), []
    monkeypatch.setattr(step_precision, "small_depthwise", lambda *a: taken.append(a) or small_depthwise(*a))
    ours, plain = gradients(network, computed(network, photos, bf16=False)), gradients(network, network(photos))
    assert len(taken) == 1
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
