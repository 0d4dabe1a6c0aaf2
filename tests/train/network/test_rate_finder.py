"""The search for a learning rate, held against what is known of gradient descent on a parabola."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from toy_training import COLUMN, POINTS, Points, toy_network, toy_settings

from shelfwise.errors import LossError
from shelfwise.progress import SILENT
from shelfwise.train.network.descent.losses import loss_of
from shelfwise.train.network.descent.rate_finder import RateSearch, find_rate, kept_search, steepest
from shelfwise.train.network.descent.rate_picture import draw_rates
from shelfwise.train.network.descent.trained_part import trained_part

CPU = torch.device("cpu")


class Squares:
    """The mean squared distance from one-hot targets: a parabola in the weights of a linear network."""

    def target(self, column: Tensor) -> Tensor:
        return nn.functional.one_hot(column.long(), 3).float()

    def __call__(self, scores: Tensor, target: Tensor) -> Tensor:
        return ((scores - target) ** 2).sum(dim=1).mean()


class Broken(Points):
    def batches(self, epoch: int, parts: Iterable[np.ndarray]) -> Iterator[Tensor]:
        return (batch * torch.nan for batch in super().batches(epoch, parts))


def linear() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 3, bias=False))


def searched(network: nn.Module, **settings: object) -> RateSearch:
    asked = toy_settings(**settings)
    return find_rate(
        network, trained_part(network, "all"), asked, Points(), COLUMN, loss_of(asked, COLUMN, 3), CPU, SILENT
    )


def test_on_a_parabola_it_stops_behind_the_rate_that_diverges_and_proposes_one_before_it():
    network = linear()
    asked = toy_settings(optimizer="sgd", momentum=0.0, weight_decay=0.0, batch=60)
    found = find_rate(network, trained_part(network, "all"), asked, Points(), COLUMN, Squares(), CPU, SILENT)
    points = POINTS.double().numpy()
    diverges = 2 / np.linalg.eigvalsh(2 * points.T @ points / 60).max()  # 2 / curvature: Nesterov 2004, section 2.1.5
    assert found.rate < diverges < found.rates[-1]
    assert found.rate > diverges / 1000
    assert found.rates[-1] < 30 * diverges


def test_rates_grow_by_one_factor_from_far_too_low():
    found = searched(toy_network())
    steps = np.diff(np.log(found.rates))
    assert found.rates[0] == pytest.approx(1e-7)
    assert steps == pytest.approx(np.full(len(steps), np.log(1e8) / 99))
    assert len(found.rates) == len(found.losses) <= 100


def test_it_changes_nothing_of_the_network_and_finds_the_same_again():
    network = toy_network().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first, second = searched(network), searched(network)
    assert first == second
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network.training


def test_it_learns_well_with_what_it_proposes():
    found = searched(toy_network())
    losses = {}
    for times in (1, 1e-3, 1e3):
        network = toy_network()
        optimizer = torch.optim.AdamW(network.parameters(), lr=times * found.rate)
        for _ in range(30):
            loss = nn.functional.cross_entropy(network(POINTS), torch.from_numpy(COLUMN).long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses[times] = float(loss.detach())
    assert losses[1] < 0.5 * losses[1e-3]
    assert losses[1] < losses[1e3] or np.isnan(losses[1e3])


def test_a_run_that_goes_on_searches_only_where_its_search_is_lost_or_of_another_run(tmp_path: Path):
    file, made = tmp_path / "rate.json", []

    def search() -> RateSearch:
        made.append(1)
        return RateSearch([1e-4, 1e-3], [2.0, 1.0], 1e-4)

    first = kept_search(file, {"sides_px": (32, 64)}, search)
    assert kept_search(file, {"sides_px": (32, 64)}, search) == first
    assert len(made) == 1
    kept_search(file, {"sides_px": (32,)}, search)
    assert len(made) == 2
    file.write_bytes(file.read_bytes().replace(b"0.001", b"0.002"))  # a flipped bit
    assert kept_search(file, {"sides_px": (32,)}, search) == first
    assert len(made) == 3


def test_a_loss_that_is_no_number_from_the_start_is_told():
    network = toy_network()
    asked = toy_settings()
    with pytest.raises(LossError, match="loss_not_finite"):
        find_rate(
            network, trained_part(network, "all"), asked, Broken(), COLUMN, loss_of(asked, COLUMN, 3), CPU, SILENT
        )


def test_the_rate_is_where_a_smooth_loss_falls_fastest_whatever_comes_before_and_behind():
    place = np.arange(100)
    rates = (1e-7 * 1.2**place).tolist()
    losses = 4 - 2 / (1 + np.exp(-(place - 60) / 4)) + np.where(place > 80, (place - 80.0) ** 2, 0)  # steepest at 60
    losses[:4] += [0.5, 0.2, 0.1, 0.05]  # the first smoothed losses fall too, by chance
    assert abs(rates.index(steepest(rates, losses.tolist())) - 60) <= 1


def test_a_loss_that_never_fell_proposes_nothing_and_the_search_keeps_what_was_asked():
    rates = [1e-7 * 1.2**k for k in range(30)]
    assert steepest(rates, [4.0] * 30) is None
    assert steepest(rates, [4.0 + k for k in range(30)]) is None
    assert steepest(rates[:1], [4.0]) is None


@given(st.lists(st.floats(0, 100), min_size=1, max_size=100))
def test_the_rate_is_never_above_that_of_the_lowest_loss(losses):
    rates = [1e-7 * 1.2**k for k in range(len(losses))]
    found = steepest(rates, losses)
    assert found is None or found <= rates[losses.index(min(losses))]


@pytest.mark.filterwarnings("default")
def test_the_picture_is_the_same_twice_and_opens(tmp_path: Path):
    found = searched(toy_network())
    draw_rates(found, tmp_path / "a.svg")
    draw_rates(found, tmp_path / "b.svg")
    drawn = (tmp_path / "a.svg").read_bytes()
    assert drawn == (tmp_path / "b.svg").read_bytes()
    assert ElementTree.parse(io.BytesIO(drawn)).getroot().tag.endswith("svg")
    assert f"take {found.rate:.2g}".encode() in drawn
