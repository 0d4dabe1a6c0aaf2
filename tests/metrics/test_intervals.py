from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.errors import OptionError
from shelfwise.metrics.intervals import (
    Proportion,
    differ,
    difference_interval,
    reflected_interval,
    resampled_weights,
    wilson_interval,
)


def test_wilson_is_the_published_example() -> None:
    """Newcombe 1998 (two-sided intervals for the single proportion), table I, method 3: 81 of 263."""
    assert wilson_interval(Proportion(81 / 263, 263)) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(Proportion(0 / 20, 20)) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_the_difference_is_the_published_example() -> None:
    """Newcombe 1998 (independent proportions), table II, method 10: 56/70 and 48/80."""
    assert difference_interval(Proportion(56 / 70, 70), Proportion(48 / 80, 80)) == pytest.approx(
        (0.0524, 0.3339), abs=5e-5
    )
    assert difference_interval(Proportion(10 / 10, 10), Proportion(0, 10)) == pytest.approx((0.6075, 1.0), abs=5e-5)


def test_the_trap_of_the_design_is_seen_and_the_clothing_set_is_not() -> None:
    assert differ(Proportion(0.984, 2640), Proportion(0.775, 296))
    assert not differ(Proportion(0.889, 1000), Proportion(0.889, 300))


def test_equal_proportions_are_called_different_about_once_in_twenty() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.binomial(400, 0.8, 4000) / 400, rng.binomial(250, 0.8, 4000) / 250
    alarms = np.mean([differ(Proportion(x, 400), Proportion(y, 250)) for x, y in zip(a, b, strict=True)])
    assert 0.03 < alarms < 0.07


@given(st.integers(1, 500), st.integers(1, 500), st.floats(0, 1), st.floats(0, 1))
def test_swapping_the_proportions_mirrors_the_interval(n: int, m: int, x: float, y: float) -> None:
    low, high = difference_interval(Proportion(x, n), Proportion(y, m))
    assert difference_interval(Proportion(y, m), Proportion(x, n)) == pytest.approx((-high, -low))
    assert low <= x - y <= high


@pytest.mark.parametrize(("value", "n"), [(1.1, 5), (-0.1, 5), (float("nan"), 5), (0.5, 0)])
def test_a_proportion_of_nothing_or_out_of_range_is_refused(value: float, n: int) -> None:
    with pytest.raises(OptionError):
        Proportion(value, n)


def test_every_resample_draws_as_many_products_as_there_are() -> None:
    weights = np.concatenate(list(resampled_weights(30, 25, seed=1)), axis=1)
    assert weights.shape == (30, 25)
    assert (weights.sum(axis=0) == 30).all()


def test_a_block_stays_within_its_bound() -> None:
    first = next(resampled_weights(1_000, 100_000, seed=0, widest=50_000))
    assert first.shape == (1_000, 80)


def test_a_reflected_interval_holds_its_value_even_where_resamples_miss_it() -> None:
    assert reflected_interval(0.1, np.linspace(0.12, 0.16, 101)) == pytest.approx((0.041, 0.1))
    assert reflected_interval(0.01, np.linspace(0.02, 0.06, 101))[0] == 0
