import numpy as np
import pytest
from drawn_rows import draw_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.errors import OptionError
from shelfwise.statistics.ridge import Spectrum, fit
from shelfwise.statistics.solve import System
from shelfwise.statistics.sufficient import SufficientStatistics

SHAPES = st.sampled_from([(60, 7), (20, 30), (5, 12)])
PENALTIES = st.sampled_from([0.003, 0.1, 3.0])


@given(SHAPES, PENALTIES, st.integers(0, 99))
@settings(max_examples=40)
def test_the_head_is_that_of_the_eigendecomposition_and_of_scikit_learn(shape, penalty: float, seed: int) -> None:
    rows = draw_rows(*shape, 3, seed=seed)
    statistics = rows.statistics()
    spectrum = Spectrum.from_rows(rows.x)
    found = System.of(statistics, penalty).head(statistics.sums, statistics.counts)
    expected = fit(spectrum, statistics, penalty)
    np.testing.assert_allclose(found.weight, expected.weight, atol=1e-8)
    np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-8)
    ridge = rows.refit(np.ones(len(rows.x), bool), spectrum.alpha(penalty))
    np.testing.assert_allclose(found.scores(rows.x), ridge.predict(rows.x), atol=1e-7)


@given(SHAPES, PENALTIES, st.integers(0, 99))
@settings(max_examples=20)
def test_whitened_rows_times_the_coefficients_are_the_scores(shape, penalty: float, seed: int) -> None:
    rows = draw_rows(*shape, 3, seed=seed)
    statistics = rows.statistics()
    system = System.of(statistics, penalty)
    head = system.head(statistics.sums, statistics.counts)
    scores = system.whiten(rows.x) @ system.coefficients(statistics.sums, statistics.counts)
    np.testing.assert_allclose(scores, head.scores(rows.x), atol=1e-8)


def test_some_columns_alone_are_those_of_all_columns_together() -> None:
    rows = draw_rows(60, 9, 5)
    statistics = rows.statistics()
    system = System.of(statistics, 0.1)
    every = system.head(statistics.sums, statistics.counts)
    some = system.head(statistics.sums[:, [3, 1]], statistics.counts[[3, 1]])
    np.testing.assert_allclose(some.weight, every.weight[:, [3, 1]], atol=1e-12)


def test_products_that_are_all_the_same_and_penalties_that_are_none_are_refused() -> None:
    same = SufficientStatistics(4, 2)
    same.add(np.full((6, 4), 0.3), np.array([0, 1] * 3))
    with pytest.raises(OptionError, match="all the same"):
        System.of(same, 0.1)
    sound = draw_rows(20, 4, 2).statistics()
    for penalty in (0.0, -1.0, float("nan")):
        with pytest.raises(OptionError, match="nothing to learn"):
            System.of(sound, penalty)
    with pytest.raises(OptionError, match="nothing to learn"):
        System.of(SufficientStatistics(4, 2), 0.1)
