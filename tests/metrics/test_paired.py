"""Two models on the same products: McNemar's test against scipy's binomial test, intervals against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_answers import drawn_answers, drawn_tree, plain_answers
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from shelfwise.errors import LabelMismatchError, OptionError
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import score
from shelfwise.metrics.paired import beyond_chance, compare, mcnemar


def two(p: int = 200) -> tuple[Answers, Answers]:
    """Draw answers of two models about the same products."""
    first, other = drawn_answers(p, strength=2.0), drawn_answers(p, strength=1.4, seed=9)
    tree, columns = first.columns.taxonomy, first.columns
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.full(len(columns), 0.5), p).astype(np.float32)
    probabilities[np.arange(p), first.truth] += 0.4
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert tree == other.columns.taxonomy
    return first, Answers.from_probabilities(first.product_ids, first.truth, probabilities, columns)


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_p_value_is_that_of_scipys_exact_binomial_test(only_first: int, only_second: int) -> None:
    both = only_first + only_second
    expected = binomtest(only_first, both, 0.5).pvalue if both else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected, rel=1e-9)


def test_differences_are_those_of_the_two_scores() -> None:
    first, second = two()
    found = compare(first, second, resamples=0)
    one, other = score(first, resamples=0), score(second, resamples=0)
    assert found.top1.difference.value == pytest.approx(one.figures["top1"].value - other.figures["top1"].value)
    expected = one.figures["hierarchical_f1"].value - other.figures["hierarchical_f1"].value
    assert found.hierarchical_f1.value == pytest.approx(expected)
    for level, accuracy in found.levels.items():
        expected = one.levels[level]["top1"].value - other.levels[level]["top1"].value
        assert accuracy.difference.value == pytest.approx(expected)
        assert accuracy.only_first - accuracy.only_second == pytest.approx(expected * len(first))
    assert found.levels["fine"] == found.top1


def test_the_intervals_are_those_of_a_plain_loop_that_draws_products_for_both() -> None:
    first, second = two(60)
    found = compare(first, second, seed=2, resamples=80)
    rng = np.random.default_rng(2)
    leads: dict[str, list[float]] = {"top1": [], "hierarchical_f1": []}
    for _ in range(80):
        rows = rng.integers(0, 60, 60, dtype=np.int32)
        one, other = (score(answers.take(rows), resamples=0).figures for answers in (first, second))
        for name, values in leads.items():
            values.append(one[name].value - other[name].value)
    for name, estimate in (("top1", found.top1.difference), ("hierarchical_f1", found.hierarchical_f1)):
        assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(leads[name], [0.025, 0.975])))


def test_pairs_tell_models_apart_whose_own_intervals_overlap() -> None:
    truth = [0] * 1000
    better = [0] * 820 + [1] * 180
    worse = [0] * 800 + [1] * 200
    first, second = plain_answers(truth, better, 2), plain_answers(truth, worse, 2)
    apart = [score(answers).figures["top1"] for answers in (first, second)]
    assert apart[0].low is not None and apart[1].high is not None
    assert apart[0].low < apart[1].high
    found = compare(first, second).top1
    assert found.difference.low is not None and found.difference.low > 0
    assert (found.only_first, found.only_second) == (20, 0)
    assert found.p_value == pytest.approx(2 * 0.5**20)


def test_a_model_against_itself_shows_nothing() -> None:
    first, _ = two()
    found = compare(first, first).to_dict()
    assert found["top1"] == {"value": 0, "low": 0, "high": 0, "only_first": 0, "only_second": 0, "p_value": 1}
    assert found["hierarchical_f1"] == {"value": 0, "low": 0, "high": 0}


def test_other_products_or_another_tree_are_refused() -> None:
    first, second = two()
    with pytest.raises(OptionError, match="same products"):
        compare(first, second.take(range(100)))
    with pytest.raises(OptionError, match="same products"):
        compare(first, second.take(range(199, -1, -1)))
    other = drawn_answers(200, drawn_tree(tops=3))
    with pytest.raises(LabelMismatchError, match="another shelf of level"):
        compare(first, other)
    with pytest.raises(LabelMismatchError, match="levels"):
        compare(first, plain_answers([0] * 200, [0] * 200, 2))


def test_a_difference_counts_against_its_scatter_between_groups() -> None:
    rng = np.random.default_rng(0)
    between = rng.normal(0.2, 1, 30)
    assert beyond_chance(rng.normal(0.2, 1, 600), np.arange(600))
    assert not beyond_chance(np.repeat(between, 20), np.repeat(np.arange(30), 20))
