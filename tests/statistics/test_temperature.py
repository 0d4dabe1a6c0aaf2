import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.special import softmax as scipy_softmax
from sklearn.metrics import log_loss as sklearn_log_loss

from shelfwise.errors import OptionError
from shelfwise.statistics.calibration import fit_temperature, log_loss
from shelfwise.statistics.head import softmax


def draw(temperature: float, n: int = 20_000, categories: int = 6, scale: float = 1.0):
    """Scores, and truths drawn from their softmax at a temperature."""
    rng = np.random.default_rng(5)
    scores = rng.standard_normal((n, categories)) * 2 * scale
    chances = scipy_softmax(scores / (temperature * scale), axis=1).cumsum(axis=1)
    truth = (rng.random((n, 1)) > chances).sum(axis=1).clip(max=categories - 1)
    return scores, truth


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-6, 1, 1e4])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_a_planted_temperature_is_recovered(temperature: float, scale: float, dtype: type) -> None:
    scores, truth = draw(temperature, scale=scale)
    assert fit_temperature(scores.astype(dtype), truth) == pytest.approx(temperature * scale, rel=0.05)


def test_no_temperature_on_a_fine_grid_has_a_lower_loss() -> None:
    scores, truth = draw(0.7, n=300)
    grid = np.geomspace(0.1, 10, 2000)
    losses = [-log_softmax(scores / t, axis=1)[np.arange(300), truth].mean() for t in grid]
    fitted = fit_temperature(scores, truth)
    assert fitted == pytest.approx(grid[np.argmin(losses)], rel=0.05)
    assert log_loss(scores, truth, fitted) < min(losses) + 1e-4


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
@settings(deadline=None)
def test_softmax_equals_scipys_and_log_loss_equals_scikit_learns(seed: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    scores, truth = rng.standard_normal((7, 4)), rng.integers(0, 4, 7)
    probabilities = softmax(scores, temperature)
    np.testing.assert_allclose(probabilities, scipy_softmax(scores / temperature, axis=1), rtol=1e-9, atol=1e-300)
    exact = -log_softmax(scores / temperature, axis=1)[np.arange(7), truth].mean()
    assert log_loss(scores, truth, temperature) == pytest.approx(exact, rel=1e-9)
    if probabilities.min() > 1e-12:
        reference = sklearn_log_loss(truth, probabilities, labels=np.arange(4))
        assert log_loss(scores, truth, temperature) == pytest.approx(reference, rel=1e-6)


def test_scores_beyond_the_range_of_exp_have_probabilities() -> None:
    np.testing.assert_array_equal(softmax(np.array([[1000.0, 0.0], [-1000.0, -1000.0]]), 1.0), [[1, 0], [0.5, 0.5]])


@pytest.mark.parametrize("size", [1e30, 1e-30])
def test_huge_and_tiny_scores_stay_finite(size: float) -> None:
    scores = np.array([[1, 0, 0.5], [0, 1, 0.2], [0.4, 0.6, 0]], dtype=np.float32) * np.float32(size)
    truth = np.array([0, 1, 0])
    temperature = fit_temperature(scores, truth)
    assert 0 < temperature < np.inf
    assert np.isfinite(log_loss(scores, truth, temperature))
    np.testing.assert_allclose(softmax(scores, temperature).sum(axis=1), 1, rtol=1e-6)


def test_answers_that_are_all_right_do_not_become_certain() -> None:
    """Of 50 right answers 1 / 52 is spread over two columns: half of that goes to the wrong one."""
    scores, truth = np.tile([[1.0, 0.0]], (50, 1)), np.zeros(50, dtype=int)
    probability = softmax(scores, fit_temperature(scores, truth))[0, 0]
    assert probability == pytest.approx(1 - 1 / 52 / 2, abs=1e-3)


def test_answers_that_are_all_wrong_give_a_finite_temperature_and_no_decision() -> None:
    scores, truth = np.tile([[1.0, 0.0]], (50, 1)), np.ones(50, dtype=int)
    temperature = fit_temperature(scores, truth)
    assert np.isfinite(temperature)
    np.testing.assert_allclose(softmax(scores, temperature), 0.5, atol=1e-3)


def test_scores_that_say_nothing_get_temperature_one() -> None:
    assert fit_temperature(np.full((4, 3), 0.2), np.array([0, 1, 2, 0])) == 1


@pytest.mark.parametrize(
    ("scores", "truth"),
    [
        (np.empty((0, 3)), np.empty(0, dtype=int)),
        (np.ones((2, 3)), np.array([0])),
        (np.array([[1, np.nan]]), np.array([0])),
        (np.ones(3), np.array([0, 1, 2])),
    ],
)
def test_scores_that_cannot_be_used_are_refused(scores, truth) -> None:
    with pytest.raises(OptionError, match="finite scores"):
        fit_temperature(scores, truth)
