import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from shelfwise.classifiers.certainty import (
    GRID,
    at_most,
    deepest,
    fewest_products,
    in_sets,
    set_bar,
    threshold_for,
    wrong_at,
)
from shelfwise.columns import Columns
from shelfwise.metrics.answers import Answers
from shelfwise.taxonomy import Node, Taxonomy

TREE = Taxonomy(
    [Node(f"t{i}", f"T{i}", None) for i in range(3)]
    + [Node(f"m{i}", f"M{i}", f"t{i % 2}") for i in range(4)]
    + [Node(f"f{i}", f"F{i}", f"m{i % 4}") for i in range(8)]
)
COLUMNS = Columns(TREE.leaves, TREE)  # t2 is a category at the top


def shop(n: int, seed: int, doubt: float = 1.0) -> Answers:
    """Draw products whose truth follows the probabilities, which `doubt` flattens: below 1 they are too sure."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 1, (n, len(COLUMNS))) * rng.gamma(2.0, 2.0, (n, 1))
    true, told = (np.exp(s - s.max(axis=1, keepdims=True)) for s in (scores, scores / doubt))
    true, told = (p / p.sum(axis=1, keepdims=True) for p in (true, told))
    truth = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=len(COLUMNS) - 1)
    return Answers.from_probabilities([str(i) for i in range(n)], truth, told.astype(np.float32), COLUMNS)


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.2, 0.5, 0.8, 0.99, 1.1]))
def test_the_answer_is_the_deepest_node_of_the_way_that_passes(seed, bar):
    answers = shop(5, seed)
    depths = deepest(answers.way, answers.way_probability, COLUMNS, bar)
    wrong = wrong_at(answers, depths)
    for row, depth in enumerate(depths):
        told = None
        for level in range(3):
            if answers.way_probability[row, level] >= bar:
                told = COLUMNS.level_nodes[level][answers.way[row, level]]
        assert depth == (0 if told is None else len(TREE.path(told)))
        truth = TREE.path(COLUMNS.categories[answers.truth[row]])
        assert wrong[row] == (told is not None and told not in truth)


@given(st.integers(1, 400), st.floats(0.001, 0.6), st.floats(0, 1))
def test_the_chance_of_few_wrong_ones_agrees_with_scipy(answered, share, part):
    wrong = int(part * answered)
    assert at_most(wrong, answered, share) == pytest.approx(binom.cdf(wrong, answered, share), rel=1e-6, abs=1e-12)


def test_the_chance_holds_for_hundreds_of_thousands_of_answers():
    assert at_most(9_800, 200_000, 0.05) == pytest.approx(binom.cdf(9_800, 200_000, 0.05), rel=1e-6)


@pytest.mark.parametrize(
    ("max_error", "confidence", "fewest"), [(0.05, 0.9, 45), (0.05, 0.95, 59), (0.01, 0.9, 230), (0.5, 0.5, 1)]
)
def test_the_fewest_products_are_those_of_the_tables(max_error, confidence, fewest):
    assert fewest_products(max_error, confidence) == fewest
    assert (1 - max_error) ** fewest <= 1 - confidence + 1e-12 < (1 - max_error) ** (fewest - 1) + 2e-12


def test_the_threshold_is_the_last_that_passes_before_one_fails():
    held_out = shop(400, 7)
    found = threshold_for(held_out, 0.1)
    for value in GRID:  # the same sequence with scipy's binomial test, written out
        depth = deepest(held_out.way, held_out.way_probability, COLUMNS, value)
        answered, wrong = int((depth > 0).sum()), int(wrong_at(held_out, depth).sum())
        if 0.9**answered <= 0.1 + 1e-12:
            if binom.cdf(wrong, answered, 0.1) > 0.1:
                break
            expected = (value, answered, wrong)
    assert (found.value, found.answered, found.wrong) == expected


@pytest.mark.parametrize("doubt", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("n", [60, 250])
def test_the_promise_is_broken_in_no_more_draws_than_it_allows(n, doubt):
    """Set the threshold on 200 draws of held-out products, and ask what it lets through among 40,000 others."""
    asked, max_error = shop(40_000, 99, doubt), 0.1
    error = {}
    for value in GRID:
        depth = deepest(asked.way, asked.way_probability, COLUMNS, value)
        error[float(value)] = wrong_at(asked, depth).sum() / max(1, (depth > 0).sum())
    found = [threshold_for(shop(n, 1000 + seed, doubt), max_error).value for seed in range(200)]
    broken = np.mean([value is not None and error[value] > max_error for value in found])
    assert broken <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 200)
    if n == 250:
        assert np.mean([value is not None for value in found]) > 0.9  # and it does not keep the promise by silence


def test_a_promise_is_told_with_the_share_that_was_asked_for_however_small():
    assert "at most 0.01% of the answers" in threshold_for(shop(30, 1), 0.0001).message()
    assert "at most 5% of the answers" in threshold_for(shop(30, 1), 0.05).message()


def test_too_few_held_out_products_are_told_with_how_many_more_are_needed():
    found = threshold_for(shop(30, 1), 0.05)
    assert found.value is None
    assert "Nothing is answered" in found.message()
    assert "30 held-out products" in found.message()
    assert "15 more are needed" in found.message()
    assert not (deepest(shop(30, 1).way, shop(30, 1).way_probability, COLUMNS, found.bar) > 0).any()


def test_answers_that_are_wrong_however_sure_are_told_so():
    answers = shop(300, 2)
    lying = Answers.from_probabilities(
        answers.product_ids,
        (answers.truth + 4) % len(COLUMNS),
        np.eye(len(COLUMNS), dtype=np.float32)[answers.top[:, 0]],
        COLUMNS,
    )
    found = threshold_for(lying, 0.05)
    assert found.value is None
    assert "not even the surest" in found.message()


@pytest.mark.parametrize("missed", [0.05, 0.2])
def test_sets_hold_the_truth_as_often_as_was_asked(missed):
    """Over 400 draws of 99 held-out products and one that is asked about: coverage lies between 1 - missed and a little above."""
    kept = []
    for seed in range(400):
        held_out, one = shop(99, 2 * seed, 2.0), shop(20, 2 * seed + 1, 2.0)
        kept += list(one.probability_of_truth >= np.float32(set_bar(held_out, missed)))
    assert 1 - missed - 0.01 < np.mean(kept) < 1 - missed + 1 / 100 + 0.01


def test_the_bar_of_sets_is_the_rank_that_the_count_asks_for():
    held_out = shop(99, 5)
    assert set_bar(held_out, 0.05) == np.sort(held_out.probability_of_truth)[4]
    assert set_bar(shop(18, 5), 0.05) == 0.0  # 19 are the fewest that can leave a category out


def test_a_set_is_never_empty():
    probabilities = np.array([[0.4, 0.35, 0.25], [0.9, 0.1, 0.0]], dtype=np.float32)
    assert in_sets(probabilities, 0.5).tolist() == [[True, False, False], [True, False, False]]
    assert in_sets(probabilities, 0.3).tolist() == [[True, True, False], [True, False, False]]
    assert in_sets(probabilities, 0.0).all()
