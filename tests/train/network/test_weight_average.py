"""The moving average of weights, held against a loop written by hand and against torch's."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from shelfwise.train.network.descent.average import WeightAverage


def random_states(count: int) -> list[dict[str, torch.Tensor]]:
    chance = torch.Generator().manual_seed(0)
    return [
        {"weight": torch.rand(3, 2, generator=chance), "steps": torch.tensor(step)} for step in range(count)
    ]  # fmt: skip


def test_it_is_what_a_loop_by_hand_gives_and_forgets_the_first_steps_sooner():
    first, *others = random_states(60)
    average = WeightAverage(0.9)
    average.begin(first)
    by_hand = first["weight"].double().numpy()
    for steps, state in enumerate(others):
        average.add(state, steps)
        decay = min(0.9, (1 + steps) / (10 + steps))
        by_hand = decay * by_hand + (1 - decay) * state["weight"].double().numpy()
    assert average.values["weight"].numpy() == pytest.approx(by_hand, rel=1e-5)
    assert average.values["steps"] == 59


def test_from_many_steps_on_it_is_torchs_averaged_model():
    network = nn.Linear(4, 3)
    theirs, ours = AveragedModel(network, avg_fn=get_ema_avg_fn(0.95)), WeightAverage(0.95)
    theirs.update_parameters(network)  # the first call copies
    ours.begin(network.state_dict())
    for step in range(30):
        with torch.no_grad():
            network.weight += 0.1 * torch.rand(3, 4, generator=torch.Generator().manual_seed(step))
        theirs.update_parameters(network)
        ours.add(network.state_dict(), 10_000 + step)
    assert torch.allclose(ours.values["weight"], theirs.module.weight, rtol=1e-5)


def test_weights_that_stay_average_to_the_same_bits():
    (state,) = random_states(1)
    average = WeightAverage(0.999)
    average.begin(state)
    for steps in range(50):
        average.add(state, steps)
    assert torch.equal(average.values["weight"], state["weight"])


def test_a_decay_of_zero_averages_nothing():
    average = WeightAverage(0.0)
    average.begin(random_states(1)[0])
    assert average.values == {}
