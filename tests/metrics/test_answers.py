from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_answers import drawn_answers, drawn_probabilities, drawn_tree, plain_answers

from shelfwise.columns import Columns
from shelfwise.errors import LabelMismatchError, OptionError
from shelfwise.metrics.answers import Answers
from shelfwise.taxonomy import Node, Taxonomy


def test_the_best_answers_are_those_of_a_stable_sort() -> None:
    truth, probabilities = drawn_probabilities(200, 7)
    probabilities = np.round(probabilities, 1)
    probabilities[:, 0] += 1 - probabilities.sum(axis=1)
    probabilities = probabilities[probabilities[:, 0] >= 0]
    tree = drawn_tree()
    ids = [str(row) for row in range(len(probabilities))]
    answers = Answers.from_probabilities(ids, truth[: len(ids)], probabilities, Columns(tree.leaves, tree), k=4)
    expected = np.argsort(-probabilities, axis=1, kind="stable")[:, :4]
    assert np.array_equal(answers.top, expected)
    assert np.array_equal(answers.top_probability, np.take_along_axis(probabilities, expected, axis=1))


def test_a_level_is_answered_with_the_node_of_the_largest_summed_probability() -> None:
    truth, probabilities = drawn_probabilities(100, 7)
    tree = drawn_tree()
    answers = Answers.from_probabilities(
        [str(row) for row in range(100)], truth, probabilities, Columns(tree.leaves, tree)
    )
    for row in range(100):
        for level in range(3):
            sums: dict[str, float] = {}
            for column, leaf in enumerate(tree.leaves):
                node = tree.ancestor(leaf, level)
                sums[node] = sums.get(node, 0.0) + float(probabilities[row, column])
            best = max(sums, key=lambda node: sums[node])
            nodes = answers.level_nodes[level]
            assert nodes[answers.level_top[row, level]] == best
            assert answers.level_probability[row, level] == pytest.approx(sums[best], abs=1e-6)
            assert nodes[answers.level_truth[row, level]] == tree.ancestor(tree.leaves[truth[row]], level)


def test_two_likely_siblings_outweigh_the_single_best_leaf_at_the_level_above() -> None:
    tree = Taxonomy(
        [Node("a", "A", None), Node("b", "B", None), Node("a1", "1", "a"), Node("b1", "1", "b"), Node("b2", "2", "b")]
    )
    probabilities = np.array([[0.4, 0.3, 0.3]], dtype=np.float32)
    answers = Answers.from_probabilities(
        ["x"], np.array([0], dtype=np.int32), probabilities, Columns(tree.leaves, tree)
    )
    assert answers.categories[answers.answer[0]] == "a1"
    assert answers.level_nodes[0][answers.level_top[0, 0]] == "b"


def test_a_leaf_above_the_deepest_level_stands_for_itself() -> None:
    tree = Taxonomy([Node("a", "A", None), Node("b", "B", None), Node("b1", "1", "b"), Node("b2", "2", "b")])
    probabilities = np.array([[0.5, 0.2, 0.3]], dtype=np.float32)
    answers = Answers.from_probabilities(
        ["x"], np.array([2], dtype=np.int32), probabilities, Columns(tree.leaves, tree)
    )
    assert answers.level_nodes == (("a", "b"), ("a", "b1", "b2"))
    assert answers.level_top.tolist() == [[0, 0]]
    assert answers.level_truth.tolist() == [[1, 2]]


def test_batches_joined_are_the_answers_in_one_go() -> None:
    answers = drawn_answers(50)
    joined = Answers.concatenate([answers.take(range(20)), answers.take(np.arange(50) >= 20)])
    for name in ("product_ids", "truth", "top", "top_probability", "level_top", "level_truth", "probability_of_truth"):
        assert np.array_equal(getattr(joined, name), getattr(answers, name))


def test_taking_rows_keeps_their_order() -> None:
    answers = drawn_answers(10)
    assert answers.take([7, 2, 7]).product_ids.tolist() == ["product 7", "product 2", "product 7"]
    assert len(answers.take([])) == 0


def test_no_products_are_still_answers() -> None:
    assert len(drawn_answers(0)) == 0


def test_answers_of_different_categories_cannot_be_joined() -> None:
    with pytest.raises(LabelMismatchError, match="different categories"):
        Answers.concatenate([drawn_answers(3), drawn_answers(3, drawn_tree(fine=8))])
    with pytest.raises(OptionError, match="no answers"):
        Answers.concatenate([])


@pytest.mark.parametrize(
    ("field", "column"), [("truth", 7), ("truth", -1), ("top", 7), ("level_top", 2), ("level_truth", 2)]
)
def test_a_column_out_of_range_is_refused_by_row(field: str, column: int) -> None:
    answers = drawn_answers(4)
    values = getattr(answers, field).copy()
    values[(2, 0) if values.ndim == 2 else 2] = column
    with pytest.raises(LabelMismatchError, match=rf"{field}.* of row 2 is {column}, but there are"):
        replace(answers, **{field: values})


@pytest.mark.parametrize(
    "field", ["truth", "top_probability", "level_top", "level_probability", "probability_of_truth"]
)
def test_a_shape_that_disagrees_is_refused(field: str) -> None:
    answers = drawn_answers(4)
    with pytest.raises(OptionError, match=f"{field} has the shape"):
        replace(answers, **{field: getattr(answers, field)[:3]})


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.5, np.inf])
def test_what_is_not_a_probability_is_refused(bad: float) -> None:
    tree = drawn_tree()
    truth, probabilities = drawn_probabilities(3, 7)
    probabilities[1, 4] = bad
    with pytest.raises(OptionError, match="row 1 is"):
        Answers.from_probabilities(["a", "b", "c"], truth, probabilities, Columns(tree.leaves, tree))


def test_scores_that_do_not_sum_to_one_are_refused() -> None:
    tree = drawn_tree()
    truth, probabilities = drawn_probabilities(3, 7)
    with pytest.raises(OptionError, match=r"row 0 sum to 0\.5, expected 1"):
        Answers.from_probabilities(["a", "b", "c"], truth, probabilities / 2, Columns(tree.leaves, tree))


def test_one_category_is_enough() -> None:
    answers = plain_answers([0, 0], [0, 0], 1)
    assert answers.right.all()
    assert answers.top.shape == (2, 1)
