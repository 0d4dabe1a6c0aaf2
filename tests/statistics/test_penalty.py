import numpy as np
import pytest
from drawn_rows import Rows, draw_rows
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from shelfwise.errors import OptionError
from shelfwise.statistics import penalty
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.statistics.leave_out import LeaveOut
from shelfwise.statistics.penalty import GRID, choose_penalty, unexplained
from shelfwise.statistics.ridge import Spectrum, fit


def chosen(rows: Rows, group: np.ndarray | None = None, seed: int = 0) -> penalty.PenaltyChoice:
    spectrum = Spectrum.from_statistics(rows.statistics())
    return choose_penalty(LeaveOut(spectrum, rows.statistics(), rows.x, rows.column, group, rows.weight), seed)


def correlation_form(scores: np.ndarray, truth: np.ndarray) -> float:
    targets = np.eye(scores.shape[1])[truth]
    pairs = (scores - scores.mean(axis=0)).ravel(), (targets - targets.mean(axis=0)).ravel()
    return 1 - np.corrcoef(*pairs)[0, 1] ** 2


def test_what_is_unexplained_equals_one_less_the_squared_correlation() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 4, 50)
    scores = rng.standard_normal((50, 4)) + 1.5 * np.eye(4)[truth] + [5, 0, -2, 1]
    assert unexplained(scores, truth) == pytest.approx(correlation_form(scores, truth))
    assert unexplained(scores * 100, truth) == pytest.approx(unexplained(scores, truth))
    assert unexplained(np.eye(4)[truth], truth) == pytest.approx(0)


def test_scores_against_the_truth_and_scores_that_are_constant_explain_nothing() -> None:
    truth = np.array([0, 1, 0, 1])
    assert unexplained(-np.eye(2)[truth], truth) >= 1
    assert unexplained(np.ones((4, 2)), truth) == 1
    assert unexplained(np.ones((4, 1)), np.zeros(4, dtype=int)) == 1


def test_the_choice_equals_that_of_scikit_learn_refits_over_the_grid() -> None:
    products, group = draw_rows(40, 20, 3, spread=2), np.arange(80) // 2
    views = products.x[group] + 0.1 * np.random.default_rng(1).standard_normal((80, 20))
    rows = Rows(views, products.column[group], np.ones(80), 3)
    choice = chosen(rows, group)
    spectrum = Spectrum.from_rows(rows.x)
    for value, share in choice.unexplained.items():
        ridge = Ridge(alpha=spectrum.alpha(value), solver="cholesky")
        scores = cross_val_predict(ridge, rows.x, rows.one_hot, groups=group, cv=LeaveOneGroupOut())
        assert share == pytest.approx(correlation_form(scores, rows.column), abs=1e-4)
        if value == choice.penalty:
            assert choice.temperature == pytest.approx(fit_temperature(scores, rows.column), rel=1e-3)
    assert choice.penalty == min(choice.unexplained, key=choice.unexplained.__getitem__)
    assert GRID[0] < choice.penalty < GRID[-1]


def test_the_choice_is_nearly_the_best_for_rows_to_come() -> None:
    rng = np.random.default_rng(9)
    centers = rng.standard_normal((5, 100)) * 0.25
    column, later = rng.integers(0, 5, 150), rng.integers(0, 5, 4000)
    rows = Rows(centers[column] + rng.standard_normal((150, 100)), column, np.ones(150), 5)
    x = centers[later] + rng.standard_normal((4000, 100))
    spectrum, choice = Spectrum.from_statistics(rows.statistics()), chosen(rows)
    right = {p: (fit(spectrum, rows.statistics(), p).scores(x).argmax(axis=1) == later).mean() for p in GRID}
    assert right[choice.penalty] > max(right.values()) - 0.03
    assert max(right.values()) > right[GRID[0]] + 0.1


def test_a_bounded_sample_of_rows_decides_and_the_seed_draws_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = draw_rows(300, 6, 3, spread=3)
    whole = chosen(rows)
    monkeypatch.setattr(penalty, "SAMPLE_ROWS", 100)
    assert chosen(rows, seed=1).unexplained == chosen(rows, seed=1).unexplained
    assert chosen(rows, seed=1).unexplained != chosen(rows, seed=2).unexplained
    assert chosen(rows, seed=1).unexplained[0.1] == pytest.approx(whole.unexplained[0.1], abs=0.1)


def test_rows_of_a_category_that_stands_in_one_group_do_not_count() -> None:
    rows = draw_rows(40, 4, 3)
    alone = rows.column == 2
    group = np.where(alone, 0, 1 + np.arange(40))
    spectrum = Spectrum.from_statistics(rows.statistics())
    kept = np.flatnonzero(~alone)
    scores = np.array([rows.refit(np.arange(40) != row, spectrum.alpha(0.1)).predict(rows.x[[row]])[0] for row in kept])
    assert chosen(rows, group).unexplained[0.1] == pytest.approx(correlation_form(scores, rows.column[kept]), abs=1e-4)


def test_categories_that_all_stand_in_one_group_each_are_refused() -> None:
    rows = draw_rows(20, 4, 3)
    with pytest.raises(OptionError, match="no category has rows in two groups"):
        chosen(rows, rows.column)
