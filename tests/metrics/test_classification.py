"""Every figure against scikit-learn, the intervals against a plain loop."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from drawn_answers import drawn_answers, drawn_tree, plain_answers
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from shelfwise.columns import Columns
from shelfwise.errors import OptionError
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import Scores, score
from shelfwise.metrics.confusion import confused_pairs, confusion, per_category
from shelfwise.metrics.intervals import BLOCK_VALUES, Proportion, wilson_interval

LABELS = st.integers(1, 8).flatmap(
    lambda c: st.tuples(
        st.just(c), st.lists(st.tuples(st.integers(0, c - 1), st.integers(0, c - 1)), min_size=1, max_size=60)
    )
)


@given(LABELS)
@settings(max_examples=150, deadline=None)
def test_precision_recall_and_f1_are_those_of_scikit_learn(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    c, pairs = drawn
    truth, answer = [list(column) for column in zip(*pairs, strict=True)]
    found = score(plain_answers(truth, answer, c), resamples=0).figures
    assert found["top1"].value == pytest.approx(accuracy_score(truth, answer))
    for average in ("macro", "micro", "weighted"):
        expected = precision_recall_fscore_support(truth, answer, average=average, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), expected[:3], strict=True):
            assert found[f"{average}_{name}"].value == pytest.approx(value)


@given(LABELS)
@settings(max_examples=100, deadline=None)
def test_categories_and_confusion_are_those_of_scikit_learn(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    c, pairs = drawn
    truth, answer = [list(column) for column in zip(*pairs, strict=True)]
    counts = confusion(plain_answers(truth, answer, c))
    matrix = confusion_matrix(truth, answer, labels=range(c + 1))[:c, :c]
    assert np.array_equal(counts.dense(), matrix)
    rows = per_category(counts)
    expected = precision_recall_fscore_support(truth, answer, labels=range(c), zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [getattr(row, name) for row in rows] == pytest.approx(values)
    np.fill_diagonal(matrix, 0)
    for row, wrong in zip(rows, matrix, strict=True):
        assert row.confused_count == wrong.max()
        assert row.confused_with == (f"k{wrong.argmax()}" if wrong.max() else None)


@pytest.mark.parametrize("seed", range(5))
def test_top_five_and_log_loss_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tree = drawn_tree(fine=12)
    probabilities = rng.dirichlet(np.full(12, 0.3), 300).astype(np.float32)
    truth = rng.integers(0, 12, 300).astype(np.int32)
    answers = Answers.from_probabilities([str(i) for i in range(300)], truth, probabilities, Columns(tree.leaves, tree))
    found = score(answers, resamples=0).figures
    assert found["top5"].value == pytest.approx(top_k_accuracy_score(truth, probabilities, k=5, labels=range(12)))
    assert found["log_loss"].value == pytest.approx(log_loss(truth, probabilities, labels=range(12)), rel=1e-4)


def test_levels_are_scored_by_their_own_nodes() -> None:
    answers = drawn_answers(300, strength=1.0)
    found = score(answers, resamples=0)
    assert list(found.levels) == ["top", "coarse", "fine"]
    for level, name in enumerate(answers.level_names):
        truth, answer = answers.level_truth[:, level], answers.level_top[:, level]
        expected = precision_recall_fscore_support(truth, answer, average="macro", zero_division=0)
        assert found.levels[name]["top1"].value == pytest.approx(accuracy_score(truth, answer))
        assert found.levels[name]["macro_f1"].value == pytest.approx(expected[2])
    assert found.levels["fine"]["top1"] == found.figures["top1"]


def test_a_category_that_neither_occurs_nor_is_answered_leaves_the_macro_average_alone() -> None:
    small, padded = plain_answers([0, 0, 1], [0, 1, 1], 2), plain_answers([0, 0, 1], [0, 1, 1], 9)
    assert score(small, resamples=0).figures["macro_f1"] == score(padded, resamples=0).figures["macro_f1"]


def test_a_category_that_is_only_answered_counts_as_zero_in_the_macro_average() -> None:
    found = score(plain_answers([0, 0], [0, 2], 3), resamples=0).figures
    assert found["macro_f1"].value == pytest.approx((2 / 3 + 0) / 2)


def test_the_intervals_are_those_of_a_plain_loop() -> None:
    answers = drawn_answers(60, strength=1.5)
    found = score(answers, seed=3, resamples=200)
    rng = np.random.default_rng(3)
    loop: dict[str, list[float]] = {"top1": [], "macro_f1": [], "weighted_f1": [], "log_loss": [], "coarse": []}
    losses = -np.log(answers.probability_of_truth.astype(float))
    for _ in range(200):
        rows = rng.integers(0, 60, 60, dtype=np.int32)
        truth, answer = answers.truth[rows], answers.answer[rows]
        loop["top1"].append(accuracy_score(truth, answer))
        loop["macro_f1"].append(precision_recall_fscore_support(truth, answer, average="macro", zero_division=0)[2])
        loop["weighted_f1"].append(
            precision_recall_fscore_support(truth, answer, average="weighted", zero_division=0)[2]
        )
        loop["log_loss"].append(losses[rows].mean())
        coarse = precision_recall_fscore_support(
            answers.level_truth[rows, 1], answers.level_top[rows, 1], average="macro", zero_division=0
        )
        loop["coarse"].append(coarse[2])
    for name, values in loop.items():
        estimate = found.levels["coarse"]["macro_f1"] if name == "coarse" else found.figures[name]
        assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def test_the_intervals_do_not_depend_on_the_size_of_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = drawn_answers(50)
    whole = score(answers, resamples=60).to_dict()
    assert BLOCK_VALUES > 50 * 60
    monkeypatch.setattr("shelfwise.metrics.intervals.BLOCK_VALUES", 50 * 7)
    assert json.dumps(score(answers, resamples=60).to_dict()) == json.dumps(whole)


def test_the_interval_of_an_accuracy_is_as_wide_as_the_binomial_says() -> None:
    answers = drawn_answers(2000, strength=2.0)
    top1 = score(answers).figures["top1"]
    assert top1.low is not None and top1.high is not None
    expected = 2 * 1.96 * np.sqrt(top1.value * (1 - top1.value) / 2000)
    assert top1.high - top1.low == pytest.approx(expected, rel=0.12)


def test_every_interval_holds_its_value() -> None:
    for seed in range(5):
        found = score(drawn_answers(150, drawn_tree(3, 8, 20), seed=seed), resamples=300)
        for estimate in [*found.figures.values(), *(e for level in found.levels.values() for e in level.values())]:
            assert estimate.low is not None and estimate.high is not None
            assert estimate.low <= estimate.value <= estimate.high


def test_an_accuracy_of_one_from_few_products_is_not_called_certain() -> None:
    found = score(plain_answers([0, 1, 0, 1, 0], [0, 1, 0, 1, 0], 2)).figures["top1"]
    assert (found.low, found.high) == wilson_interval(Proportion(1.0, 5))


def test_one_seed_gives_one_report_and_another_seed_another() -> None:
    answers = drawn_answers(80)
    assert score(answers, seed=1, resamples=50) == score(answers, seed=1, resamples=50)
    assert score(answers, seed=1, resamples=50) != score(answers, seed=2, resamples=50)


def test_scores_survive_json() -> None:
    for resamples in (0, 40):
        found = score(drawn_answers(40), resamples=resamples)
        assert Scores.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert set(score(drawn_answers(40), resamples=0).to_dict()["top1"]) == {"value"}


def test_no_products_and_too_few_kept_answers_are_refused() -> None:
    with pytest.raises(OptionError, match="no products"):
        score(drawn_answers(0))
    answers = drawn_answers(5)
    with pytest.raises(OptionError, match="only 2 were kept"):
        score(replace(answers, top=answers.top[:, :2], top_probability=answers.top_probability[:, :2]))


def test_a_tree_of_one_level_and_one_product_are_scored_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score(plain_answers([0], [0], 1), resamples=20)
    assert found.figures["macro_f1"].value == 1
    assert list(found.levels) == ["level1"]


def test_confused_pairs_count_both_directions_and_show_the_most_confident_first() -> None:
    truth, answer = [0, 0, 1, 2, 2, 1, 0], [1, 1, 0, 2, 0, 1, 2]
    confidence = [0.6, 0.9, 0.7, 0.9, 0.8, 0.9, 0.5]
    pairs = confused_pairs(plain_answers(truth, answer, 3, confidence), examples=1)
    assert [(pair.first, pair.second, pair.first_as_second, pair.second_as_first) for pair in pairs] == [
        ("k0", "k1", 2, 1),
        ("k0", "k2", 1, 1),
    ]
    assert [pair.rows for pair in pairs] == [(1, 2), (4, 6)]
    assert pairs[0].count == 3


def test_the_confusion_of_a_level_adds_up_that_of_its_leaves() -> None:
    tree = drawn_tree()
    answers = drawn_answers(200, tree, strength=50.0)
    leaves, tops = confusion(answers), confusion(answers, 0)
    expected = dict.fromkeys(tops.categories, 0)
    for leaf, support in zip(leaves.categories, leaves.support, strict=True):
        expected[tree.ancestor(leaf, 0)] += int(support)
    assert dict(zip(tops.categories, tops.support.tolist(), strict=True)) == expected
