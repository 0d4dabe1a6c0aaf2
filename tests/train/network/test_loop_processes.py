"""What several processes compute of a step adds up to the step."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.train.network.safety.processes import Processes


def shares(part: np.ndarray, count: int) -> list[tuple[np.ndarray, float]]:
    places = [SimpleNamespace(num_processes=count, process_index=place) for place in range(count)]
    return [Processes(place).share(part) for place in places]


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_shares_cover_a_step_once_and_their_weighed_means_are_the_mean_of_all(size: int, count: int, seed: int):
    chance = np.random.default_rng(seed)
    part, loss = chance.permutation(100)[:size], chance.random(100)
    own = shares(part, count)
    assert sorted(np.concatenate([rows for rows, weight in own if weight])) == sorted(part)
    assert all(len(rows) for rows, _ in own), "every process has something to compute"
    assert sum(weight for _, weight in own) == pytest.approx(1)
    assert sum(weight * loss[rows].mean() for rows, weight in own) == pytest.approx(loss[part].mean())


def test_an_unweighed_mean_of_uneven_shares_is_another_one():
    loss = np.array([1.0, 2.0, 4.0])
    own = shares(np.arange(3), 2)
    assert np.mean([loss[rows].mean() for rows, _ in own]) != pytest.approx(loss.mean(), rel=1e-2)
