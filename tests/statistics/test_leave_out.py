import numpy as np
import pytest
from drawn_rows import Rows, draw_rows, spectra
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shelfwise.errors import OptionError
from shelfwise.statistics import leave_out
from shelfwise.statistics.leave_out import LeaveOut, left_out_scores
from shelfwise.statistics.ridge import Spectrum


def collected(blocks, n: int, categories: int) -> NDArray[np.float64]:
    scores, seen = np.full((n, categories), np.nan), np.zeros(n, dtype=int)
    for rows, block in blocks:
        scores[rows] = block
        np.add.at(seen, rows, 1)
    assert (seen == 1).all()
    return scores


def refitted(rows: Rows, group: NDArray, alpha: float) -> NDArray[np.float64]:
    scores = np.empty((len(rows.x), rows.categories))
    for label in np.unique(group):
        out = group == label
        scores[out] = rows.refit(~out, alpha).predict(rows.x[out])
    return scores


def compare(rows: Rows, group: NDArray | None, penalty: float, tolerance: float = 2e-5) -> None:
    alone = np.arange(len(rows.x)) if group is None else group
    for spectrum in spectra(rows).values():
        blocks = left_out_scores(spectrum, rows.statistics(), penalty, rows.x, rows.column, group, rows.weight)
        scores = collected(blocks, len(rows.x), rows.categories)
        np.testing.assert_allclose(scores, refitted(rows, alone, spectrum.alpha(penalty)), atol=tolerance)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), [(50, 6), (12, 30)])
@pytest.mark.parametrize("penalty", [1e-4, 0.3])
def test_leave_one_out_equals_learning_again_without_each_row(n: int, d: int, penalty: float, weighted: bool) -> None:
    compare(draw_rows(n, d, 3, weighted=weighted), None, penalty)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), [(60, 6), (24, 40)])
def test_leave_group_out_equals_learning_again_without_each_group(n: int, d: int, weighted: bool) -> None:
    group = np.random.default_rng(1).integers(0, 9, n) ** 2
    compare(draw_rows(n, d, 3, weighted=weighted), group, 0.1)


@given(
    st.integers(3, 20),
    st.integers(1, 8),
    st.sampled_from([1e-5, 1e-2, 3]),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.data(),
)
@settings(deadline=None, max_examples=60)
def test_any_groups_equal_learning_again(n, d, penalty, seed, weighted, data: st.DataObject) -> None:
    group = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n).filter(lambda g: len(set(g)) > 1)))
    compare(draw_rows(n, d, 3, seed=seed, weighted=weighted), group, penalty, tolerance=1e-4)


def test_a_group_too_large_for_a_square_equals_learning_again() -> None:
    rows = draw_rows(1500, 5, 3, weighted=True)
    group = np.where(np.arange(1500) % 5 == 0, 1, 0)
    assert np.bincount(group)[0] > leave_out.LARGEST_SMALL_GROUP
    compare(rows, group, 0.1)


@pytest.mark.parametrize("small", [0, 1024])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    rows = draw_rows(90, 4, 3, weighted=True)
    group = np.repeat(np.arange(9), 10)
    monkeypatch.setattr(leave_out, "BLOCK_BYTES", 400)
    monkeypatch.setattr(leave_out, "LARGEST_SMALL_GROUP", small)
    compare(rows, group, 0.1)


def test_twins_left_out_together_keep_their_precision_at_the_smallest_penalty() -> None:
    rows = draw_rows(30, 12, 3)
    rows.x[1::2] = rows.x[::2] + 1e-4
    compare(rows, np.arange(30) // 2, 1e-6, tolerance=1e-4)


def test_many_well_known_rows_are_scored_in_float32() -> None:
    rows = draw_rows(300, 4, 3)
    blocks = left_out_scores(Spectrum.from_rows(rows.x), rows.statistics(), 0.1, rows.x, rows.column)
    assert {scores.dtype for _, scores in blocks} == {np.dtype(np.float32)}


def test_float32_rows_score_like_float64_rows() -> None:
    rows = draw_rows(300, 6, 3)
    single = Rows(rows.x.astype(np.float32), rows.column, rows.weight, 3)
    scores = [
        collected(left_out_scores(Spectrum.from_rows(r.x), r.statistics(), 0.1, r.x, r.column), 300, 3)
        for r in (rows, single)
    ]
    np.testing.assert_allclose(*scores, atol=1e-5)


def test_rows_without_weight_are_scored_by_a_head_that_never_saw_them() -> None:
    rows = draw_rows(40, 4, 3)
    rows.weight[:10] = 0
    spectrum = Spectrum.from_rows(rows.x, rows.weight)
    blocks = left_out_scores(spectrum, rows.statistics(), 0.1, rows.x, rows.column, None, rows.weight)
    scores = collected(blocks, 40, 3)
    reference = rows.refit(np.arange(40) >= 10, spectrum.alpha(0.1)).predict(rows.x[:10])
    np.testing.assert_allclose(scores[:10], reference, atol=1e-5)


def test_a_category_of_one_group_scores_nothing_there_and_is_called_unknown() -> None:
    rows = draw_rows(30, 4, 2)
    column = np.where(np.arange(30) < 5, 2, rows.column)
    rows, group = Rows(rows.x, column, rows.weight, 3), np.where(np.arange(30) < 5, 0, 1 + np.arange(30) // 3)
    left = LeaveOut(Spectrum.from_rows(rows.x), rows.statistics(), rows.x, column, group)
    np.testing.assert_array_equal(left.known, np.arange(30) >= 5)
    np.testing.assert_allclose(collected(left.scores(0.1), 30, 3)[:5, 2], 0, atol=1e-5)


def test_a_sample_holds_whole_groups_and_scores_them_as_the_whole_does() -> None:
    rows = draw_rows(200, 5, 3, weighted=True)
    group = np.random.default_rng(2).integers(0, 40, 200)
    spectrum = Spectrum.from_rows(rows.x, rows.weight)
    left = LeaveOut(spectrum, rows.statistics(), rows.x, rows.column, group, rows.weight)
    whole, sample = collected(left.scores(0.1), 200, 3), left.sample(50, seed=3)
    assert 50 <= len(sample.column) < 70
    scores = collected(sample.scores(0.1), len(sample.column), 3)
    places = [np.flatnonzero(np.isclose(whole, row, atol=1e-6).all(axis=1)) for row in scores]
    assert all(len(place) == 1 for place in places)
    drawn = np.concatenate(places)
    np.testing.assert_array_equal(rows.column[drawn], sample.column)
    assert set(np.flatnonzero(np.isin(group, group[drawn]))) == set(drawn)
    np.testing.assert_array_equal(left.sample(50, seed=3).column, sample.column)
    assert len(left.sample(10_000, seed=3).column) == 200


def test_no_rows_yield_no_blocks() -> None:
    rows = draw_rows(5, 2, 2)
    blocks = left_out_scores(Spectrum.from_rows(rows.x), rows.statistics(), 1, rows.x[:0], rows.column[:0])
    assert list(blocks) == []


@pytest.mark.parametrize(
    ("column", "group", "message"),
    [
        ([0, 1, 0, 1, 0], [7] * 5, "nothing to learn from"),
        ([0, 1, 0, 1, 2], None, "0 to 2 where there are 2 categories"),
        ([0, 1, 0, 1, -1], None, "-1 to 1"),
        ([0, 1, 0, 1, 0], [1, 2], r"groups of shape \(2,\) for 5 rows"),
    ],
)
def test_rows_and_groups_that_cannot_be_used_are_refused(column, group, message: str) -> None:
    rows = draw_rows(5, 2, 2)
    with pytest.raises(OptionError, match=message):
        left_out_scores(Spectrum.from_rows(rows.x), rows.statistics(), 1, rows.x, np.array(column), group)


@pytest.mark.parametrize("size", [1, 4, 10])
def test_rows_asked_about_in_parts_score_as_all_of_them_do(size: int) -> None:
    rows = draw_rows(200, 5, 3, weighted=True)
    group = np.arange(200) // 5
    left = LeaveOut(Spectrum.from_rows(rows.x, rows.weight), rows.statistics(), rows.x, rows.column, group, rows.weight)
    whole = collected(left.scores(0.1), 200, 3)
    for start in range(0, 200, 5 * size):
        part = slice(start, start + 5 * size)
        asked = left.about(rows.x[part], rows.column[part], group[part], rows.weight[part])
        scores = collected(asked.scores(0.1), len(rows.x[part]), 3)
        np.testing.assert_allclose(scores, whole[part], atol=1e-5)
        np.testing.assert_array_equal(asked.known, left.known[part])
    np.testing.assert_allclose(collected(left.scores(0.1), 200, 3), whole)


def test_parts_can_be_asked_at_several_penalties_by_turns() -> None:
    rows = draw_rows(60, 5, 3)
    left = LeaveOut(Spectrum.from_rows(rows.x), rows.statistics(), rows.x, rows.column)
    part = left.about(rows.x[:20], rows.column[:20])
    for penalty in (0.1, 1.0, 0.1):
        np.testing.assert_allclose(
            collected(part.scores(penalty), 20, 3), collected(left.scores(penalty), 60, 3)[:20], atol=1e-5
        )


@pytest.mark.parametrize("size", [1, 3])
def test_rows_given_by_their_coordinates_score_as_the_rows_do_in_any_groups(size: int) -> None:
    rows = draw_rows(30, 50, 3)
    group = np.arange(30) // size
    spectrum, z = Spectrum.with_coordinates(rows.x)
    np.testing.assert_allclose(z, spectrum.project(rows.x), atol=1e-8)
    left = LeaveOut.of_coordinates(spectrum, z, rows.column, 3, np.arange(30) // 2)
    for asked in (left.regrouped(group), LeaveOut.of_coordinates(spectrum, z, rows.column, 3, group)):
        np.testing.assert_allclose(
            collected(asked.scores(0.1), 30, 3), refitted(rows, group, spectrum.alpha(0.1)), atol=2e-5
        )
    with pytest.raises(OptionError, match="nothing to learn from"):
        left.regrouped(np.zeros(30))
