import numpy as np
import pytest
from drawn_rows import Rows, draw_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.errors import OptionError
from shelfwise.statistics import sufficient
from shelfwise.statistics.sufficient import SufficientStatistics


def close(one: SufficientStatistics, other: SufficientStatistics) -> None:
    for name, array in one.to_arrays().items():
        np.testing.assert_allclose(array, other.to_arrays()[name], rtol=1e-9, atol=1e-9, err_msg=name)


drawn = st.builds(
    draw_rows,
    n=st.integers(1, 40),
    d=st.integers(1, 6),
    categories=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
    weighted=st.booleans(),
)


@given(drawn)
@settings(deadline=None)
def test_sums_equal_a_loop_over_the_rows(rows: Rows) -> None:
    gram, sums, counts = 0.0, np.zeros((rows.x.shape[1], rows.categories)), np.zeros(rows.categories)
    for x, column, weight in zip(rows.x, rows.column, rows.weight, strict=True):
        gram = gram + weight * np.outer(x, x)
        sums[:, column] += weight * x
        counts[column] += weight
    statistics = rows.statistics()
    np.testing.assert_allclose(statistics.gram, gram, rtol=1e-10)
    np.testing.assert_allclose(statistics.sums, sums, rtol=1e-10)
    np.testing.assert_allclose(statistics.counts, counts, rtol=1e-10)
    np.testing.assert_allclose(statistics.total, rows.weight @ rows.x, rtol=1e-10)
    assert statistics.weight == pytest.approx(rows.weight.sum())


@given(drawn, st.data())
@settings(deadline=None)
def test_removing_what_was_added_gives_the_statistics_back(rows: Rows, data: st.DataObject) -> None:
    part = slice(data.draw(st.integers(0, len(rows.x))), None)
    statistics = rows.statistics()
    statistics.add(rows.x[part], rows.column[part], rows.weight[part])
    statistics.remove(rows.x[part], rows.column[part], rows.weight[part])
    close(statistics, rows.statistics())


@given(drawn, st.data())
@settings(deadline=None)
def test_two_halves_merged_equal_the_whole(rows: Rows, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(rows.x)))
    halves = []
    for part in (slice(cut), slice(cut, None)):
        half = SufficientStatistics(rows.x.shape[1], rows.categories)
        half.add(rows.x[part], rows.column[part], rows.weight[part])
        halves.append(half)
    close(halves[0].merge(halves[1]), rows.statistics())


@given(drawn, st.data())
@settings(deadline=None)
def test_grouped_categories_equal_statistics_of_the_coarser_labels(rows: Rows, data: st.DataObject) -> None:
    groups = data.draw(st.integers(1, 6))
    column_of = np.array(data.draw(st.lists(st.integers(0, groups - 1), min_size=5, max_size=5)))[: rows.categories]
    coarse = SufficientStatistics(rows.x.shape[1], groups)
    coarse.add(rows.x, column_of[rows.column], rows.weight)
    close(rows.statistics().grouped(column_of, groups), coarse)


def test_grouped_statistics_do_not_change_with_those_they_came_from() -> None:
    rows = draw_rows(10, 3, 2)
    statistics = rows.statistics()
    grouped = statistics.grouped([0, 0], 1)
    statistics.add(rows.x, rows.column)
    close(grouped, rows.statistics().grouped([0, 0], 1))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = draw_rows(101, 4, 3, weighted=True)
    whole = rows.statistics()
    monkeypatch.setattr(sufficient, "BLOCK_BYTES", 8 * 4 * 10)
    close(rows.statistics(), whole)


def test_float32_rows_are_summed_in_float64() -> None:
    x = np.full((200_000, 1), 0.1, dtype=np.float32)
    statistics = SufficientStatistics(1, 1)
    statistics.add(x, np.zeros(len(x), dtype=np.int32))
    exact = len(x) * float(np.float32(0.1))
    assert statistics.total[0] == pytest.approx(exact, rel=1e-12)
    assert statistics.gram[0, 0] == pytest.approx(len(x) * float(np.float32(0.1)) ** 2, rel=1e-12)


def test_the_rows_given_are_left_as_they_were() -> None:
    rows = draw_rows(10, 3, 2, weighted=True)
    before = rows.x.copy()
    rows.statistics()
    np.testing.assert_array_equal(rows.x, before)


def test_arrays_rebuild_the_statistics() -> None:
    statistics = draw_rows(10, 3, 2).statistics()
    rebuilt = SufficientStatistics.from_arrays(statistics.to_arrays())
    close(rebuilt, statistics)
    rebuilt.add(np.ones((1, 3)), [0])
    close(statistics, draw_rows(10, 3, 2).statistics())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"gram": np.eye(2), "sums": np.ones((2, 3))}, "lack the array 'counts'"),
        ({"gram": np.eye(2), "sums": np.ones((2, 3)), "counts": np.ones(2)}, "shapes do not fit"),
        ({"gram": np.eye(3), "sums": np.ones((2, 3)), "counts": np.ones(3)}, "shapes do not fit"),
    ],
)
def test_damaged_arrays_are_refused(arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        SufficientStatistics.from_arrays(arrays)


@pytest.mark.parametrize(
    ("x", "column", "weight", "message"),
    [
        (np.ones((2, 4)), [0, 1], None, r"\(n, 3\) is needed"),
        ([[1, 2, np.nan], [1, 2, 3]], [0, 1], None, "1 rows hold NaN or infinity, the first is row 0"),
        (np.ones((2, 3)), [0, 2], None, "0 to 2 where there are 2 categories"),
        (np.ones((2, 3)), [-1, 1], None, "-1 to 1 where there are 2 categories"),
        (np.ones((2, 3)), [0.0, 1.0], None, "integers are needed"),
        (np.ones((2, 3)), [0], None, "2 integers are needed"),
        (np.ones((2, 3)), [0, 1], [1, -1], "none negative"),
        (np.ones((2, 3)), [0, 1], [1, np.inf], "finite"),
        (np.ones((2, 3)), [0, 1], [1], "2 finite numbers"),
    ],
)
def test_rows_that_cannot_be_used_are_refused_and_nothing_is_added(x, column, weight, message) -> None:
    statistics = SufficientStatistics(3, 2)
    with pytest.raises(OptionError, match=message):
        statistics.add(x, column, weight)
    close(statistics, SufficientStatistics(3, 2))


def test_removing_more_than_was_added_is_refused_and_nothing_is_removed() -> None:
    statistics = SufficientStatistics(2, 2)
    statistics.add([[1, 2], [3, 4]], [0, 0])
    with pytest.raises(OptionError, match="category column 1"):
        statistics.remove([[1, 2], [3, 4]], [0, 1])
    assert statistics.weight == 2
    assert statistics.total.tolist() == [4, 6]


def test_statistics_of_different_shapes_do_not_merge() -> None:
    with pytest.raises(OptionError, match="do not add up"):
        SufficientStatistics(2, 2).merge(SufficientStatistics(2, 3))
