"""Answers of learning, told in the columns and the tree after a change."""

import numpy as np
import pytest

from shelfwise.bundle.remapped import remapped
from shelfwise.columns import Columns
from shelfwise.metrics.answers import Answers
from shelfwise.taxonomy import Node, Taxonomy

TREE = Taxonomy(
    [Node("F", "Food", None), Node("G", "Garden", None)]
    + [Node(leaf, leaf, "F") for leaf in "abc"]
    + [Node(leaf, leaf, "G") for leaf in "de"]
)


@pytest.fixture
def answers() -> Answers:
    dice = np.random.default_rng(0)
    probabilities = dice.dirichlet(np.full(5, 0.5), 40).astype(np.float32)
    columns = Columns(tuple("abcde"), TREE)
    return Answers.from_probabilities([f"p{i}" for i in range(40)], np.arange(40) % 5, probabilities, columns, k=3)


def told(answers: Answers) -> list:
    """Everything by ids of categories, so that the order of columns does not count."""
    nodes = answers.level_nodes
    return [
        [answers.categories[answers.truth[row]], float(answers.probability_of_truth[row])]
        + [
            (answers.categories[c], float(p))
            for c, p in zip(answers.top[row], answers.top_probability[row], strict=True)
        ]
        + [nodes[level][answers.level_top[row, level]] for level in range(len(nodes))]
        + [nodes[level][answers.level_truth[row, level]] for level in range(len(nodes))]
        + [
            (nodes[level][answers.way[row, level]], float(answers.way_probability[row, level]))
            for level in range(len(nodes))
        ]
        for row in range(len(answers))
    ]


def test_other_columns_of_the_same_categories_change_nothing_but_the_numbers(answers: Answers) -> None:
    again = remapped(answers, Columns(tuple("edxabc"), Taxonomy([*TREE.nodes.values(), Node("x", "x", "G")])), {})
    assert told(again) == told(answers)
    assert again.categories == tuple("edxabc")


def test_a_name_that_changed_changes_nothing(answers: Answers) -> None:
    nodes = TREE.nodes | {"a": Node("a", "Apple", "F")}
    assert told(remapped(answers, Columns(tuple("abcde"), Taxonomy(nodes.values())), {})) == told(answers)


def test_answers_that_became_one_add_up(answers: Answers) -> None:
    tree = Taxonomy(node for node in TREE.nodes.values() if node.id != "b")
    again = remapped(answers, Columns(tuple("acde"), tree), {"b": "a"})
    assert len(again) == 40
    for before, after in zip(told(answers), told(again), strict=True):
        shares = {"a": 0.0} | dict(before[2:5])
        shares["a"] += shares.pop("b", 0.0)
        expected = sorted((item for item in shares.items() if item[1] > 0), key=lambda item: -item[1])
        found = [item for item in after[2:5] if item[1] > 0]
        assert [category for category, _ in found] == [category for category, _ in expected]
        np.testing.assert_allclose([share for _, share in found], [share for _, share in expected], atol=1e-6)
        assert after[0] == ("a" if before[0] == "b" else before[0])
        assert len({category for category, _ in after[2:5]}) == 3
        assert after[5] == before[5]  # the top is as it was


def test_products_whose_category_went_are_left_out_and_nobody_answers_it(answers: Answers) -> None:
    tree = Taxonomy(node for node in TREE.nodes.values() if node.id != "d")
    again = remapped(answers, Columns(tuple("abce"), tree), {})
    assert len(again) == 32
    assert all("d" not in str(row) for row in told(again))


def test_a_tree_with_another_level_tells_the_last_one_on_it(answers: Answers) -> None:
    nodes = TREE.nodes | {"n": Node("n", "New", "F"), "a": Node("a", "a", "n")}
    again = remapped(answers, Columns(tuple("abcde"), Taxonomy(nodes.values())), {})
    assert again.level_top.shape == (40, 3)
    np.testing.assert_array_equal(again.way_probability[:, 2], answers.way_probability[:, 1])
    for row in range(40):
        leaf = again.categories[again.truth[row]]
        assert again.level_nodes[2][again.level_truth[row, 2]] == leaf
        assert again.level_nodes[1][again.level_truth[row, 1]] == ("n" if leaf == "a" else leaf)


def test_with_fewer_categories_than_answers_were_kept_there_are_fewer_answers(answers: Answers) -> None:
    tree = Taxonomy(node for node in TREE.nodes.values() if node.id not in "bcde")
    again = remapped(answers, Columns(("a", "G"), tree), {"b": "a", "c": "a", "d": "G", "e": "G"})
    assert again.top.shape == (40, 2)
    assert (again.top_probability[:, 0] >= again.top_probability[:, 1]).all()
