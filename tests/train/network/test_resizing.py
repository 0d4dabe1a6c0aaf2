"""Photos that grow while a network learns: when the next side is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from shelfwise.errors import OptionError
from shelfwise.options import NetworkOptions
from shelfwise.train.network.inputs.resizing import refuse_sides, side_of

SIDES = (64, 128, 150, 224, 299)


def sides_of_run(sides: tuple[int, ...], exceeds: list[bool]) -> list[int]:
    """Play a run through: after which epochs held-out products are explained worse."""
    curve: list[dict[str, float]] = []
    for worse in exceeds:
        side = side_of(sides, len(exceeds), curve)
        curve.append({"side_px": side, "loss": 1.0, "held_loss": 1.5 if worse else 0.9})
    return [int(row["side_px"]) for row in curve]


def test_every_side_gets_its_share_where_held_out_products_are_explained_well() -> None:
    assert sides_of_run(SIDES, [False] * 10) == [64, 64, 128, 128, 150, 150, 224, 224, 299, 299]
    assert sides_of_run((64, 128), [False] * 5) == [64, 64, 128, 128, 128]


def test_the_next_side_is_taken_after_an_epoch_in_which_they_are_explained_worse() -> None:
    worse = [False, True, True, False, False, False, True, False, False, False]
    assert sides_of_run((64, 128, 224), worse) == [64, 64, 128, 224, 224, 224, 224, 224, 224, 224]
    assert sides_of_run((64, 128, 224), [True] + [False] * 8) == [64, 128, 128, 128, 128, 128, 224, 224, 224]


def test_the_smallest_sides_are_left_out_where_there_are_more_than_epochs() -> None:
    assert sides_of_run(SIDES, [False]) == [299]
    assert sides_of_run(SIDES, [False] * 2) == [150, 299]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 5))
def test_sides_only_grow_and_the_last_epoch_is_of_the_last_side(exceeds: list[bool], sides: int) -> None:
    taken = sides_of_run(SIDES[:sides], exceeds)
    assert taken == sorted(taken) and taken[-1] == SIDES[sides - 1]


def test_a_side_that_a_network_does_not_take_is_refused_before_anything_is_learned() -> None:
    fixed = nn.Sequential(nn.Flatten(), nn.Linear(3 * 48 * 48, 2))
    with pytest.raises(OptionError, match="--side 64: the network takes no such photos"):
        refuse_sides(fixed, (48, 64))


def test_several_sides_are_refused_where_the_frozen_part_is_computed_once() -> None:
    with pytest.raises(OptionError, match="one side with --finetune"):
        NetworkOptions(side="64,128", finetune=True)
