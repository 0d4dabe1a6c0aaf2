import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax

from shelfwise.classifiers.calibration import Calibration, lifted, log_summed, tempered
from shelfwise.columns import Columns
from shelfwise.errors import BundleError
from shelfwise.taxonomy import Node, Taxonomy

# Uneven: one category at the top, a chain of single children, an inner category that holds products of its own.
TREE = Taxonomy(
    [
        Node("lone", "Lone", None), Node("a", "A", None), Node("b", "B", None),
        Node("a1", "One", "a"), Node("a2", "Two", "a"), Node("b1", "One", "b"),
        Node("a1x", "X", "a1"), Node("a1y", "Y", "a1"), Node("b1x", "X", "b1"),
    ]
)  # fmt: skip
COLUMNS = Columns(("a1x", "b1x", "lone", "a2", "a1y", "a1"), TREE)
seeds = st.integers(0, 2**32 - 1)
temperatures = st.tuples(*[st.floats(0.1, 10)] * 3)


def drawn(seed: int, n: int = 4, spread: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, (n, len(COLUMNS))).astype(np.float32)


@given(seeds, temperatures, st.floats(0.1, 3), st.floats(-3, 3))
def test_calibrated_probabilities_sum_to_one_and_no_child_is_likelier_than_its_parent(seed, temperature, slope, offset):
    calibrated = Calibration(temperature, slope, offset).apply(drawn(seed), COLUMNS)
    np.testing.assert_allclose(calibrated.sum(axis=1), 1, atol=1e-5)
    assert calibrated.min() >= 0
    levels = [COLUMNS.summed(calibrated, level) for level in range(3)]
    for above, below, parent in zip(levels, levels[1:], COLUMNS.parent_of, strict=False):
        assert (below <= above[:, parent] + 1e-6).all()


@given(seeds, temperatures)
def test_temperatures_divide_the_logs_of_siblings_as_a_walk_down_the_tree_does(seed, temperature):
    scores = drawn(seed, n=1)
    found = np.exp(tempered(scores, COLUMNS, temperature))[0]

    def below(depth: int, columns: list[int], share: float) -> dict[int, float]:
        if depth == 3:
            return {columns[0]: share}
        of_child: dict[str, list[int]] = {}
        for column in columns:
            of_child.setdefault(TREE.ancestor(COLUMNS.categories[column], depth), []).append(column)
        shares = softmax(
            [logsumexp(scores[0, members].astype(float)) / temperature[depth] for members in of_child.values()]
        )
        walked: dict[int, float] = {}
        for members, of_one in zip(of_child.values(), shares, strict=True):
            walked |= below(depth + 1, members, share * of_one)
        return walked

    expected = below(0, list(range(len(COLUMNS))), 1.0)
    np.testing.assert_allclose(found, [expected[column] for column in range(len(COLUMNS))], rtol=2e-4, atol=1e-7)


@given(seeds)
def test_one_temperature_of_1_and_the_straight_line_change_nothing(seed):
    scores = drawn(seed)
    np.testing.assert_allclose(Calibration().apply(scores, COLUMNS), softmax(scores, axis=1), rtol=1e-4, atol=1e-6)


@given(seeds, st.floats(0.2, 3), st.floats(-4, 4))
def test_the_line_moves_the_first_and_keeps_the_others_in_proportion(seed, slope, offset):
    before = softmax(drawn(seed, spread=1.0), axis=1)
    after = lifted(before, slope, offset)
    for p, q in zip(before.astype(float), after.astype(float), strict=True):
        first = p.argmax()
        others = np.arange(len(p)) != first
        assert q[first] >= q.max() - 1e-6
        np.testing.assert_allclose(q[others] / q[others].sum(), p[others] / p[others].sum(), rtol=1e-3)
        asked = 1 / (1 + np.exp(-(slope * np.log(p[first] / (1 - p[first])) + offset)))
        least = p[others].max() / (p[others].sum() + p[others].max())  # where the second would pass the first
        np.testing.assert_allclose(q[first], max(asked, least), rtol=1e-3)


def test_a_surer_first_answer_stays_the_surer_one():
    sure = np.linspace(0.4, 0.999999, 200)
    after = lifted(np.stack([sure, (1 - sure) / 2, (1 - sure) / 2], axis=1).astype(np.float32), 0.4, 0.2)[:, 0]
    assert (np.diff(after) > -1e-6).all()


def test_certainty_itself_survives_calibration():
    scores = np.array([[0.0, -2000, -3000, -1e4, -1e4, -1e4]], dtype=np.float32)
    calibrated = Calibration((0.1, 1.0, 3.0), 0.5, 0.1).apply(scores, COLUMNS)
    assert np.isfinite(calibrated).all()
    np.testing.assert_allclose(calibrated.sum(), 1, atol=1e-6)


def test_a_branch_that_a_hierarchy_rules_out_gets_nothing_and_breaks_nothing():
    scores = np.array([[-np.inf, 0, np.finfo(np.float32).min, -np.inf, -np.inf, -np.inf]], dtype=np.float32)
    calibrated = Calibration((0.3, 1.0, 2.0), 0.8, 0.1).apply(scores, COLUMNS)
    np.testing.assert_allclose(calibrated, [[0, 1, 0, 0, 0, 0]], atol=1e-6)


def test_logs_of_sums_agree_with_scipy_where_sums_overflow():
    values = np.array([[500.0, 499.0, -500.0, -501.0]], dtype=np.float32)
    expected = [logsumexp([500, -500]), logsumexp([499, -501])]
    np.testing.assert_allclose(log_summed(values, np.array([0, 1, 0, 1])), [expected], rtol=1e-6)


def test_a_deeper_tree_than_was_calibrated_uses_the_last_temperature():
    scores = drawn(3)
    short, long = Calibration((0.5, 2.0), 0.7, 0.1), Calibration((0.5, 2.0, 2.0), 0.7, 0.1)
    np.testing.assert_array_equal(short.apply(scores, COLUMNS), long.apply(scores, COLUMNS))


def test_it_is_read_as_it_was_stored():
    calibration = Calibration((0.5, 1.25), 0.75, -0.5)
    assert Calibration.restored(calibration.stored()) == calibration


@pytest.mark.parametrize(
    "wrong",
    [{"temperatures": []}, {"temperatures": [0]}, {"temperatures": [-1.0]}, {"slope": 0}, {"slope": None},
     {"offset": float("nan")}, {"offset": "1"}, {"slope": True}],
)  # fmt: skip
def test_numbers_that_are_no_calibration_are_refused(wrong):
    with pytest.raises(BundleError):
        Calibration.restored(Calibration().stored() | wrong)
