import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from shelfwise.classifiers.calibration import Calibration
from shelfwise.columns import Columns
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.taxonomy import Node, Taxonomy
from shelfwise.train.calibrate import cross_calibrated, fit_calibration, fit_line

TREE = Taxonomy(
    [Node(f"t{i}", f"T{i}", None) for i in range(3)]
    + [Node(f"m{i}", f"M{i}", f"t{i % 3}") for i in range(6)]
    + [Node(f"f{i}", f"F{i}", f"m{i % 6}") for i in range(18)]
)
COLUMNS = Columns(TREE.leaves, TREE)


def drawn(n: int, seed: int, told: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """Draw log-probabilities and a truth that follows what `told` makes of them."""
    rng = np.random.default_rng(seed)
    scores = log_softmax(rng.normal(0, 2.5, (n, len(COLUMNS))), axis=1).astype(np.float32)
    chance = told.apply(scores, COLUMNS)
    return scores, (chance.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=17).astype(np.int32)


def loss(calibration: Calibration, scores: np.ndarray, truth: np.ndarray) -> float:
    return float(-np.log(calibration.apply(scores, COLUMNS)[np.arange(len(truth)), truth]).mean())


def test_temperatures_that_were_planted_on_the_levels_are_found():
    found = fit_calibration(*drawn(20_000, 0, Calibration((0.5, 1.0, 2.0))), COLUMNS)
    np.testing.assert_allclose(found.temperatures, (0.5, 1.0, 2.0), rtol=0.1)
    assert found.slope == pytest.approx(1, abs=0.06)
    assert found.offset == pytest.approx(0, abs=0.06)


def test_a_line_that_was_planted_is_found_as_scikit_learn_finds_it():
    rng = np.random.default_rng(1)
    x = rng.normal(1, 3, 5000)
    right = rng.random(5000) < 1 / (1 + np.exp(-(0.5 * x + 0.7)))
    model = LogisticRegression(C=1e9).fit(x[:, None], right)
    slope, offset = fit_line(x, right)
    assert slope == pytest.approx(model.coef_[0, 0], rel=0.02)
    assert offset == pytest.approx(model.intercept_[0], abs=0.02)


def test_it_beats_one_temperature_on_products_it_was_not_fitted_on():
    told = Calibration((0.4, 0.8, 1.6), 0.6, 0.4)
    scores, truth = drawn(300, 2, told)
    others = drawn(5000, 3, told)
    common = Calibration((fit_temperature(scores, truth),) * 3)
    assert loss(fit_calibration(scores, truth, COLUMNS), *others) < loss(common, *others) - 0.02


@pytest.mark.parametrize("n", [1, 5, 40])
def test_where_all_answers_are_right_they_are_believed_as_far_as_their_number_allows(n):
    scores = log_softmax(np.eye(18)[np.arange(n) % 18] * 9, axis=1).astype(np.float32)
    calibrated = fit_calibration(scores, np.arange(n, dtype=np.int32) % 18, COLUMNS).apply(scores, COLUMNS)
    assert np.isfinite(calibrated).all()
    assert calibrated.max(axis=1).min() > 0.5
    assert calibrated.max(axis=1).mean() < 1 - 0.2 / (n + 2)


def test_a_flat_tree_and_scores_that_are_all_the_same_are_fitted_too():
    flat = Columns(("a", "b"), Taxonomy([Node("a", "A", None), Node("b", "B", None)]))
    scores = np.full((6, 2), np.log(0.5), dtype=np.float32)
    found = fit_calibration(scores, np.array([0, 1, 0, 1, 0, 1], dtype=np.int32), flat).apply(scores, flat)
    np.testing.assert_allclose(found, 0.5, atol=0.01)
    rng = np.random.default_rng(0)
    drawn = np.log(softmax(rng.normal(size=(50, 2)), axis=1)).astype(np.float32)
    assert len(fit_calibration(drawn, rng.integers(0, 2, 50).astype(np.int32), flat).temperatures) == 1


def test_cross_calibrated_answers_do_not_depend_on_their_own_truth():
    scores, truth = drawn(200, 4, Calibration((0.5, 1.0, 2.0)))
    group = np.arange(200) // 4
    rows = np.arange(200)
    crossed = cross_calibrated(scores, truth, COLUMNS, rows, group)
    mine = np.flatnonzero(crossed.fold == crossed.fold[0])
    lied = truth.copy()
    lied[mine] = (truth[mine] + 1) % 18
    again = cross_calibrated(scores, lied, COLUMNS, rows, group)
    np.testing.assert_array_equal(crossed.apply(scores[mine], COLUMNS, mine), again.apply(scores[mine], COLUMNS, mine))
    assert all(len(set(crossed.fold[group == number])) == 1 for number in range(50))
    assert crossed.calibration == fit_calibration(scores, truth, COLUMNS)


def test_temperatures_that_cost_right_first_answers_are_left_at_one():
    """Half of the answers prefer a true leaf of the large branch to the lone one, the others are sure of a wrong sibling."""
    nodes = [Node("a", "A", None), Node("b", "B", None), Node("a0", "A0", "a")]
    tree = Taxonomy([*nodes, *(Node(f"b{i}", f"B{i}", "b") for i in range(9))])
    columns = Columns(tree.leaves, tree)
    lone = columns.categories.index("a0")
    of_b = np.flatnonzero(np.arange(len(columns)) != lone)
    truth = np.tile(of_b, 12).astype(np.int32)
    told = np.full((len(truth), len(columns)), 0.15 / 8)
    told[np.arange(len(truth)), truth], told[:, lone] = 0.55, 0.3
    unsure = np.arange(len(truth)) % 2 == 0
    wrong = np.roll(of_b, 1)[(truth[~unsure] - of_b[0])]
    told[~unsure] = 1e-6
    told[np.flatnonzero(~unsure), wrong] = 1 - 9e-6
    scores = np.log(told).astype(np.float32)
    right = scores.argmax(axis=1) == truth
    assert right.sum() == unsure.sum()
    found = fit_calibration(scores, truth, columns)
    assert found.temperatures == (1.0, 1.0)
    calibrated = found.apply(scores, columns)
    np.testing.assert_array_equal(calibrated.argmax(axis=1) == truth, right)
    assert calibrated.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.1)
    flattened = Calibration((1.0, 3.0)).apply(scores, columns)
    assert (flattened.argmax(axis=1) == truth).sum() < right.sum() / 2
