import numpy as np
import pytest
from drawn_rows import Rows, draw_rows

from shelfwise.statistics import few_rows
from shelfwise.statistics.few_rows import FewRows
from shelfwise.statistics.leave_out import LeaveOut
from shelfwise.statistics.penalty import GRID, choose_penalty
from shelfwise.statistics.ridge import Spectrum


def by_spectrum(rows: Rows, group: np.ndarray) -> LeaveOut:
    return LeaveOut(Spectrum.from_rows(rows.x), rows.statistics(), rows.x, rows.column, group)


@pytest.mark.parametrize("penalty", [1e-5, 0.1, 30])
@pytest.mark.parametrize("groups", [5, 12, 1000])
def test_scores_equal_learning_again_without_each_group(groups: int, penalty: float) -> None:
    rows = draw_rows(40, 60, 3)
    group = np.random.default_rng(1).integers(0, groups, 40) ** 2
    scores, alpha = FewRows(rows.x, rows.column, 3, group).scores(penalty), Spectrum.from_rows(rows.x).alpha(penalty)
    for label in np.unique(group):
        out = group == label
        np.testing.assert_allclose(scores[out], rows.refit(~out, alpha).predict(rows.x[out]), atol=1e-7)


def test_categories_without_rows_outside_the_group_score_nothing() -> None:
    rows = draw_rows(20, 30, 2)
    column = np.where(np.arange(20) < 3, 3, rows.column)
    scores = FewRows(rows.x, column, 5, np.where(np.arange(20) < 3, 0, np.arange(20))).scores(0.1)
    np.testing.assert_allclose(scores[:3, 3], 0, atol=1e-9)
    assert (scores[:, [2, 4]] == 0).all()


@pytest.mark.parametrize("spread", [0.3, 1, 3])
@pytest.mark.parametrize("start", [0, 8, len(GRID) - 1])
def test_the_best_penalty_is_that_of_the_whole_grid(monkeypatch: pytest.MonkeyPatch, start: int, spread: float) -> None:
    monkeypatch.setattr(few_rows, "_START", start)
    rows = draw_rows(150, 200, 4, spread=spread)
    column = np.where(np.arange(150) == 0, 4, rows.column)  # one row alone in its category says nothing
    rows = Rows(rows.x, column, rows.weight, 5)
    left = by_spectrum(rows, np.arange(150) // 2)
    choice = choose_penalty(left)
    penalty, temperature, scores = FewRows(rows.x, column, 5, np.arange(150) // 2).best(left.known)
    assert penalty == choice.penalty
    assert temperature == pytest.approx(choice.temperature, rel=1e-3)
    for places, expected in left.scores(penalty):
        np.testing.assert_allclose(scores[places], expected, atol=2e-5)


def test_rows_that_are_all_the_same_score_as_the_other_rows_categories_are_frequent() -> None:
    column = np.array([0, 0, 0, 1, 1])
    scores = FewRows(np.full((5, 9), 0.7), column, 2, np.arange(5)).scores(0.1)
    np.testing.assert_allclose(scores[:, 0], np.where(column == 0, 2 / 4, 3 / 4), atol=1e-9)
