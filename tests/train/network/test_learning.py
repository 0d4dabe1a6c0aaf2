"""How the loop learns, held against loops written by hand and against curves that were made up."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import nn
from toy_training import COLUMN, POINTS, Told, toy_loop, toy_network, toy_settings

from shelfwise.train.network.descent.schedules import rate_at
from shelfwise.train.network.inputs.order import order_of

FLAT = [(1.0, 0.5)] * 8


def by_hand(network: nn.Module, rates: list[float], decay: float = 0.0, clip: float = 0.0) -> dict[str, torch.Tensor]:
    """Train with AdamW step by step in the order of the loop; return the moving average of the weights where one is asked for."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1.0, weight_decay=0.01)
    average = {name: value.double() for name, value in network.state_dict().items()}
    network.train()
    steps = 0
    for epoch in range(len(rates) // 3):
        order = order_of(COLUMN, epoch, toy_settings())
        for part in (order[:20], order[20:40], order[40:]):
            optimizer.param_groups[0]["lr"] = rates[steps]
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(POINTS[part]), torch.from_numpy(COLUMN[part]).long()).backward()
            if clip:
                gradient = torch.cat([p.grad.flatten() for p in network.parameters()])
                for parameter in network.parameters():
                    parameter.grad *= min(1.0, clip / float(gradient.norm()))
            optimizer.step()
            now = min(decay, (1 + steps) / (10 + steps))
            for name, value in network.state_dict().items():
                average[name] = now * average[name] + (1 - now) * value.double()
            steps += 1
    return average


def one_cycle() -> list[float]:
    return [rate_at(0.05, toy_settings(), epoch + step / 3, []) for epoch in range(4) for step in range(3)]


@pytest.mark.parametrize(("decay", "clip"), [(0.0, 0.0), (0.9, 0.0), (0.0, 0.05)])
def test_the_loop_learns_what_a_loop_by_hand_learns(tmp_path: Path, decay: float, clip: float):
    expected = by_hand(toy_network(), one_cycle(), decay, clip)
    network, told = toy_network(), Told([(1.0 / n, n / 10) for n in range(1, 9)])
    toy_loop(tmp_path, network, toy_settings(ema=decay, clip_norm=clip), told)()
    for name, value in network.state_dict().items():
        if name != "2.num_batches_tracked":  # a counter is copied, not averaged
            assert torch.allclose(value.double(), expected[name], atol=2e-5), name


@pytest.mark.parametrize(
    ("curve", "patience", "epochs", "best"),
    [
        ([(3.0, 0.1), (2.0, 0.3), (1.9, 0.3), (1.8, 0.2), (1.7, 0.2)], 2, 5, 3),  # a tie is won by the lower loss
        ([(3.0, 0.1), (2.0, 0.3), (2.1, 0.3), (2.2, 0.3)], 2, 4, 2),
        ([(3.0, 0.1), (9.0, 0.2), (2.0, 0.1), (2.0, 0.1), (2.0, 0.1)], 3, 5, 2),  # accuracy counts before loss
        ([(1.0, 0.9), (2.0, 0.1)], 1, 2, 1),
        ([(3.0, 0.1), (2.0, 0.3), *[(2.5, 0.2)] * 6], 0, 8, 2),  # 0 goes on to the end
    ],
)
def test_early_stopping_ends_so_many_epochs_behind_the_best_one(tmp_path: Path, curve, patience, epochs, best):
    settings = toy_settings(epochs=8, early_stopping=patience)
    state = toy_loop(tmp_path, toy_network(), settings, Told(curve))()
    assert (len(state.curve), state.best + 1) == (epochs, best)


def test_the_weights_of_the_best_epoch_are_kept_and_no_others(tmp_path: Path):
    told, network = Told([(2.0, 0.3), (1.5, 0.6), (1.4, 0.5), (1.3, 0.4)]), toy_network()
    toy_loop(tmp_path, network, toy_settings(), told)()
    same = [all(torch.equal(v, network.state_dict()[k]) for k, v in asked.items()) for asked in told.asked]
    assert same == [False, True, False, False]


def test_with_an_average_the_average_is_judged_and_kept(tmp_path: Path):
    told, network = Told([(2.0, 0.3), (1.5, 0.4), (1.4, 0.5), (1.3, 0.6)]), toy_network()
    toy_loop(tmp_path, network, toy_settings(ema=0.9), told)()
    expected = by_hand(toy_network(), one_cycle(), decay=0.9)
    assert torch.allclose(told.asked[-1]["0.weight"].double(), expected["0.weight"], atol=2e-5)
    assert torch.equal(told.asked[-1]["0.weight"], network.state_dict()["0.weight"])


def test_plateau_lowers_the_rate_by_what_held_out_products_say(tmp_path: Path):
    settings = toy_settings(schedule="plateau", patience=2, plateau_times=0.2, least_rate=1e-3, epochs=8)
    held = [(2.0, 0.1), (1.0, 0.2), (1.0, 0.2), (1.0, 0.2), (1.0, 0.2), (1.0, 0.2), (1.0, 0.2), (1.0, 0.2)]
    state = toy_loop(tmp_path, toy_network(), settings, Told(held))()
    assert [row["rate"] for row in state.curve] == pytest.approx([0.05] * 4 + [0.01] * 2 + [0.002] * 2)


def test_gradual_unfreezing_moves_the_head_first_and_then_one_layer_more(tmp_path: Path):
    network, told = toy_network(), Told(FLAT)
    begun = {name: value.clone() for name, value in network.state_dict().items()}
    toy_loop(tmp_path, network, toy_settings(gradual=1, epochs=4), told)()
    moved = [
        {n for n, v in asked.items() if n.endswith("weight") and not torch.equal(v, begun[n])} for asked in told.asked
    ]
    assert moved[0] == {"5.weight"}
    assert moved[0] < moved[1] <= moved[2] <= moved[3] == {n for n in begun if n.endswith("weight")}


def test_the_csv_log_holds_the_curve(tmp_path: Path):
    state = toy_loop(tmp_path, toy_network(), toy_settings(), Told(FLAT), log="csv")()
    with (tmp_path / "toy.training-log.csv").open(newline="") as lines:
        told = [{name: float(value) for name, value in line.items()} for line in csv.DictReader(lines)]
    assert told == state.curve
