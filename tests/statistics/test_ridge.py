import numpy as np
import pytest
from drawn_rows import draw_rows, spectra
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from shelfwise.errors import OptionError
from shelfwise.statistics.head import Head
from shelfwise.statistics.ridge import Spectrum, fit
from shelfwise.statistics.sufficient import SufficientStatistics


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), [(60, 8), (8, 20), (30, 30)])
@pytest.mark.parametrize("penalty", [1e-6, 0.1, 10])
def test_the_head_equals_scikit_learns_ridge(n: int, d: int, penalty: float, weighted: bool) -> None:
    rows = draw_rows(n, d, 4, weighted=weighted)
    mean = np.average(rows.x, axis=0, weights=rows.weight)
    alpha = penalty * rows.weight @ ((rows.x - mean) ** 2).sum(axis=1) / d
    reference = Ridge(alpha=alpha, solver="cholesky").fit(rows.x, rows.one_hot, sample_weight=rows.weight)
    for spectrum in spectra(rows).values():
        assert spectrum.alpha(penalty) == pytest.approx(alpha, rel=1e-9)
        head = fit(spectrum, rows.statistics(), penalty)
        np.testing.assert_allclose(head.weight, reference.coef_.T, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(head.intercept, reference.intercept_, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(head.scores(rows.x), reference.predict(rows.x), atol=1e-7)


@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None)
def test_the_spectrum_of_the_rows_equals_that_of_the_statistics(n: int, d: int, seed: int, weighted: bool) -> None:
    rows = draw_rows(n, d, 2, seed=seed, weighted=weighted)
    full, thin = spectra(rows).values()
    mean = np.average(rows.x, axis=0, weights=rows.weight)
    centred = (rows.x - mean) * np.sqrt(rows.weight)[:, None]
    for spectrum in (full, thin):
        assert len(spectrum.eigenvalues) == min(n - 1, d)
        np.testing.assert_allclose(spectrum.vectors.T @ spectrum.vectors, np.eye(min(n - 1, d)), atol=1e-6)
        rebuilt = spectrum.vectors * spectrum.eigenvalues @ spectrum.vectors.T
        np.testing.assert_allclose(rebuilt, centred.T @ centred, atol=1e-8)
        np.testing.assert_allclose(spectrum.mean, mean)
        assert spectrum.weight == pytest.approx(rows.weight.sum())


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_penalty_means_the_same_whatever_the_scale_of_the_rows(scale: float) -> None:
    rows = draw_rows(40, 5, 3)
    scaled = SufficientStatistics(5, 3)
    scaled.add(rows.x * scale, rows.column)
    before = fit(Spectrum.from_statistics(rows.statistics()), rows.statistics(), 0.3).scores(rows.x)
    after = fit(Spectrum.from_statistics(scaled), scaled, 0.3).scores(rows.x * scale)
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_rows_that_are_all_the_same_score_as_their_categories_are_frequent() -> None:
    x, column = np.full((5, 3), 0.7), np.array([0, 0, 0, 0, 1])
    statistics = SufficientStatistics(3, 2)
    statistics.add(x, column)
    for spectrum in (Spectrum.from_statistics(statistics), Spectrum.from_rows(x)):
        head = fit(spectrum, statistics, 0.1)
        np.testing.assert_allclose(head.scores(np.array([[0.7, 0.7, 0.7], [9.0, -9.0, 0.0]])), [[0.8, 0.2]] * 2)


def test_a_head_scores_in_the_precision_of_its_weights() -> None:
    head = Head(np.ones((2, 3), dtype=np.float32), np.zeros(3, dtype=np.float32))
    assert head.scores(np.ones((4, 2))).dtype == np.float32


@pytest.mark.parametrize("penalty", [0, -1, np.nan, np.inf])
def test_a_penalty_that_is_not_a_positive_number_is_refused(penalty: float) -> None:
    rows = draw_rows(5, 2, 2)
    with pytest.raises(OptionError, match="not a positive number"):
        fit(Spectrum.from_rows(rows.x), rows.statistics(), penalty)


def test_no_rows_and_statistics_of_other_rows_are_refused() -> None:
    rows = draw_rows(5, 2, 2)
    with pytest.raises(OptionError, match="no rows"):
        Spectrum.from_statistics(SufficientStatistics(2, 2))
    with pytest.raises(OptionError, match="no rows"):
        Spectrum.from_rows(np.empty((0, 2)))
    with pytest.raises(OptionError, match="not of the same rows"):
        fit(Spectrum.from_rows(rows.x[:4]), rows.statistics(), 1)
