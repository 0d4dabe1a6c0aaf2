import numpy as np
import pytest
from drawn_shelves import SHELVES, draw_shelves

from shelfwise.shelves.judge import Judged, best_shelves, judge_rows
from shelfwise.shelves.noise import confident_joint, estimate_noise, misplaced_probability, self_confidence


def kept_of(category: np.ndarray, probabilities: np.ndarray) -> Judged:
    """What is kept of all probabilities (p, c)."""
    own = probabilities[np.arange(len(category)), category].astype(np.float32)
    return Judged(category.astype(np.int32), own, *best_shelves(probabilities), 0.1, 0.1)


def drawn_answers(p: int, c: int, seed: int, sharpness: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, some of them wrong, and probabilities around the truth."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, c, p)
    powers = np.exp(sharpness * np.eye(c)[true] + rng.standard_normal((p, c)))
    category = np.where(rng.random(p) < 0.15, rng.integers(0, c, p), true)
    return category, (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def test_a_confident_joint_worked_by_hand() -> None:
    # Thresholds: shelf 0 (0.9 + 0.8 + 0.1) / 3 = 0.6, shelf 1 (0.9 + 0.6 + 0.45) / 3 = 0.65.
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.1, 0.9], [0.4, 0.6], [0.55, 0.45]])
    category = np.array([0, 0, 0, 1, 1, 1])
    judged = kept_of(category, probabilities)
    np.testing.assert_allclose(self_confidence(judged, 2), [0.6, 0.65])
    np.testing.assert_array_equal(confident_joint(judged, 2).toarray(), [[2, 1], [0, 1]])
    noise = estimate_noise(judged, 3)
    np.testing.assert_allclose(noise.share, [1 / 3, 0, np.nan])
    assert (noise.shelf.tolist(), noise.other.tolist(), noise.misplaced.tolist()) == ([0], [1], [1])
    assert noise.products.tolist() == [3, 3, 0]


@pytest.mark.parametrize(("c", "seed"), [(3, 0), (5, 1), (40, 2)])
def test_thresholds_and_joint_are_those_of_cleanlab(c: int, seed: int) -> None:
    count = pytest.importorskip("cleanlab.count", reason="cleanlab is not installed: pip install -e .[dev]")
    category, probabilities = drawn_answers(600, c, seed)
    judged = kept_of(category, probabilities)
    np.testing.assert_allclose(
        self_confidence(judged, c), count.get_confident_thresholds(category, probabilities), rtol=1e-5
    )
    expected = count.compute_confident_joint(category, probabilities, calibrate=False)
    np.testing.assert_array_equal(confident_joint(judged, c).toarray(), expected)
    calibrated = count.compute_confident_joint(category, probabilities, calibrate=True)
    away = 1 - calibrated.diagonal() / calibrated.sum(axis=1)
    noise = estimate_noise(judged, c)
    assert (np.abs(noise.share - away) * noise.products <= 1).all()  # cleanlab rounds to whole products


def test_the_share_of_moved_products_is_estimated() -> None:
    shop = draw_shelves(2000, d=16, moved=200)
    noise = estimate_noise(judge_rows(shop.rows, shop.filed, shop.category, len(SHELVES)), len(SHELVES))
    moved = shop.category != shop.true
    true = np.bincount(shop.category, moved) / np.bincount(shop.category)
    np.testing.assert_allclose(noise.share, true, atol=0.03)
    assert noise.misplaced.sum() == pytest.approx(200, rel=0.2)


def test_nothing_judged_gives_no_estimates() -> None:
    noise = estimate_noise(Judged.nothing(np.zeros(5, np.int32)), 2)
    assert np.isnan(noise.share).all()
    assert not len(noise.shelf)


def test_memory_grows_with_the_pairs_that_occur_and_not_with_the_square_of_the_shelves() -> None:
    category, probabilities = drawn_answers(500, 50, 0)
    judged = kept_of(category, probabilities)
    assert len(estimate_noise(judged, 2_000_000).shelf) == len(estimate_noise(judged, 50).shelf)


def test_the_probability_of_standing_wrong_has_the_estimated_mean_and_can_be_believed() -> None:
    shop = draw_shelves(3000, d=8, moved=300)
    judged = judge_rows(shop.rows, shop.filed, shop.category, len(SHELVES))
    noise = estimate_noise(judged, len(SHELVES))
    wrong = misplaced_probability(judged, noise)
    assert wrong.mean() == pytest.approx(noise.misplaced.sum() / 3000, rel=1e-3)
    moved = shop.category != shop.true
    for least, most in ((0, 0.1), (0.1, 0.9), (0.9, 1)):
        there = (wrong >= least) & (wrong <= most)
        assert abs(moved[there].mean() - wrong[there].mean()) < 0.15
    order = np.argsort(judged.own)
    assert (np.diff(wrong[order]) <= 1e-6).all()


def test_a_catalog_without_noise_has_nothing_that_stands_wrong() -> None:
    category = np.repeat(np.arange(3), 5)
    judged = kept_of(category, 0.85 * np.eye(3)[category] + 0.05)
    judged.own[0] = np.nan
    wrong = misplaced_probability(judged, estimate_noise(judged, 3))
    assert np.isnan(wrong[0])
    assert (wrong[1:] == 0).all()
