"""Learning rates, held against torch's own schedulers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    OneCycleLR,
    ReduceLROnPlateau,
)

from shelfwise.networks.find import find_network
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.train.network.descent.schedules import rate_at
from shelfwise.train.network.plan import cycle_line
from shelfwise.train.network.settings import Settings, settle

SCHEDULES = ("one-cycle", "cosine", "restarts", "plateau", "constant")


def settings(schedule: str, epochs: int = 12, **more: object) -> Settings:
    begun = settle(TrainOptions(network="small-cnn"), NetworkOptions(), find_network("small-cnn"))
    return replace(begun, schedule=schedule, epochs=epochs, **more)


def optimizer(rate: float) -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


def test_cosine_is_torchs_cosine_annealing_at_every_step():
    steps, ours = 30, settings("cosine", epochs=3)
    theirs = optimizer(0.3)
    schedule = CosineAnnealingLR(theirs, T_max=steps)
    for step in range(steps):
        assert rate_at(0.3, ours, step / 10, []) == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9, abs=1e-12)
        theirs.step()
        schedule.step()


def test_one_cycle_has_the_shape_of_torchs_one_cycle():
    steps, ours = 4000, settings("one-cycle", epochs=4)
    theirs = optimizer(0.1)
    schedule = OneCycleLR(theirs, 0.1, steps, pct_start=0.25, div_factor=25, final_div_factor=1e4 / 25)
    for step in range(steps):  # torch reaches the top and the end one step earlier than a share of all steps does
        assert rate_at(0.1, ours, step / 1000, []) == pytest.approx(theirs.param_groups[0]["lr"], abs=0.1 * 2e-3)
        theirs.step()
        if step < steps - 1:
            schedule.step()


@pytest.mark.parametrize(("first", "times"), [(2, 2), (1, 1), (3, 2), (1, 3)])
def test_restarts_are_torchs_warm_restarts_at_every_step(first: int, times: int):
    ours, theirs = settings("restarts", epochs=14, cycle_epochs=first, cycle_times=times), optimizer(0.01)
    schedule = CosineAnnealingWarmRestarts(theirs, T_0=first, T_mult=times)
    for step in range(14 * 8):
        schedule.step(step / 8)
        assert rate_at(0.01, ours, step / 8, []) == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9, abs=1e-12)


def test_the_restarts_of_report_r2_are_three_cycles_of_2_4_and_8_epochs():
    ours = settings("restarts", epochs=14)
    tops = [epoch for epoch in range(14) if rate_at(1.0, ours, epoch, []) == 1.0]
    assert tops == [0, 2, 6]
    assert rate_at(1.0, ours, 13.999, []) < 1e-6


@given(
    st.lists(st.floats(0.0, 5.0), max_size=40), st.integers(1, 5), st.floats(0.05, 0.9), st.floats(0, 1e-2)
)  # fmt: skip
def test_plateau_is_torchs_reduce_on_plateau_with_the_patience_of_keras(losses, patience, times, least):
    ours, theirs = settings("plateau", patience=patience, plateau_times=times, least_rate=least), optimizer(0.1)
    # Keras lowers after `patience` epochs without gain, torch after one more; torch leaves out steps below `eps`.
    schedule = ReduceLROnPlateau(
        theirs, factor=times, patience=patience - 1, threshold=1e-4, threshold_mode="abs", min_lr=least, eps=0
    )
    for done, loss in enumerate(losses, 1):
        schedule.step(loss)
        assert rate_at(0.1, ours, done, losses[:done]) == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-9)


def test_the_plateau_of_report_r4_lowers_to_a_fifth_after_two_epochs_without_gain_and_never_below_its_floor():
    ours = settings("plateau", patience=2, plateau_times=0.2, least_rate=1e-4)
    losses = [2.0, 1.5, 1.6, 1.5, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4]
    told = [rate_at(1e-2, ours, done, losses[:done]) for done in range(len(losses) + 1)]
    assert told == pytest.approx([1e-2] * 4 + [2e-3] * 3 + [4e-4] * 2 + [1e-4] * 3)


def test_the_floor_holds_for_every_group_and_raises_no_rate_that_was_asked_lower():
    ours = settings("plateau", patience=1, least_rate=1e-4)
    flat = [1.0] * 20
    assert rate_at(1e-1, ours, 20, flat) == 1e-4
    assert rate_at(1e-5, ours, 20, flat) == 1e-5


@given(st.sampled_from(SCHEDULES), st.floats(0, 20), st.floats(1e-6, 10), st.lists(st.floats(0, 9), max_size=9))
def test_no_schedule_goes_above_the_asked_rate_or_below_nothing(schedule, progress, asked, losses):
    assert 0 <= rate_at(asked, settings(schedule), progress, losses) <= asked * (1 + 1e-12)


@given(st.sampled_from(SCHEDULES[:3]), st.floats(0, 12), st.floats(1e-4, 1), st.floats(1e-4, 1))
def test_groups_keep_their_proportions(schedule, progress, one, other):
    ours = settings(schedule)
    first, second = rate_at(one, ours, progress, []), rate_at(other, ours, progress, [])
    assert first * other == pytest.approx(second * one, abs=1e-12)


@pytest.mark.parametrize(
    ("epochs", "first", "times", "told"),
    [(14, 2, 2, None), (6, 2, 2, None), (12, 2, 2, "6 or 14"), (1, 2, 2, "2"), (5, 1, 1, None), (5, 2, 1, "4 or 6")],
)
def test_restarts_that_end_within_a_cycle_say_how_many_epochs_would_not(epochs, first, times, told):
    said = cycle_line(settings("restarts", epochs=epochs, cycle_epochs=first, cycle_times=times))
    assert said is None if told is None else f"--epochs {told} would" in said
    assert cycle_line(settings("cosine", epochs=epochs)) is None
