from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.columns import Columns
from shelfwise.metrics.answers import Answers, ways_down
from shelfwise.taxonomy import Node, Taxonomy

# Uneven: two products of one name under different parents, a leaf at the top, a category that is an inner node.
SHOP = Taxonomy(
    [
        Node("home", "Home", None), Node("kitchen", "Kitchen", "home"), Node("mug", "Mug", "kitchen"),
        Node("sets", "Sets", "kitchen"), Node("garden", "Garden", "home"), Node("garden-sets", "Sets", "garden"),
        Node("gifts", "Gifts", None),
    ]
)  # fmt: skip
COLUMNS = Columns(("gifts", "mug", "sets", "garden-sets", "garden"), SHOP)


def drawn_columns(seed: int) -> Columns:
    """A random forest of up to 40 nodes with a random choice of its nodes as columns, in random order."""
    rng = np.random.default_rng(seed)
    nodes = [Node("0", "0", None)]
    for number in range(1, int(rng.integers(2, 40))):
        parent = int(rng.integers(-1, number))
        nodes.append(Node(str(number), str(number), None if parent < 0 else str(parent)))
    chosen = rng.permutation(len(nodes))[: int(rng.integers(1, len(nodes) + 1))]
    return Columns(tuple(str(number) for number in chosen), Taxonomy(nodes))


def test_each_column_knows_its_ancestor_on_every_level_and_stands_for_itself_below():
    above = [[COLUMNS.level_nodes[level][place] for place in COLUMNS.level_of[level]] for level in range(3)]
    assert above[0] == ["gifts", "home", "home", "home", "home"]
    assert above[1] == ["gifts", "kitchen", "kitchen", "garden", "garden"]
    assert above[2] == ["gifts", "mug", "sets", "garden-sets", "garden"]


def test_categories_are_found_by_id_and_strangers_have_no_column():
    ids = np.array(["mug", "plate", "gifts"], dtype=object)
    assert COLUMNS.of(ids).tolist() == [1, -1, 0]


@given(st.integers(0, 10**6))
def test_a_node_has_what_its_children_have_together(seed: int):
    columns = drawn_columns(seed)
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(len(columns)), 3).astype(np.float32)
    for level, parent in enumerate(columns.parent_of):
        of_parents = np.zeros((3, len(columns.level_nodes[level])))
        for child, place in enumerate(parent):
            of_parents[:, place] += columns.summed(probabilities, level + 1)[:, child]
            above = columns.taxonomy.ancestor(columns.level_nodes[level + 1][child], level)
            assert columns.level_nodes[level][place] == above
        np.testing.assert_allclose(columns.summed(probabilities, level), of_parents, atol=1e-6)


@given(st.integers(0, 10**6))
def test_the_way_down_goes_from_parent_to_child_and_is_never_surer_below(seed: int):
    columns = drawn_columns(seed)
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(len(columns)), 4).astype(np.float32)
    of_levels = [columns.summed(probabilities, level) for level in range(len(columns.level_nodes))]
    way, probability = ways_down(of_levels, columns.parent_of)
    assert (way[:, 0] == of_levels[0].argmax(axis=1)).all()
    for level, parent in enumerate(columns.parent_of):
        assert (parent[way[:, level + 1]] == way[:, level]).all()
        for row in range(4):
            siblings = np.flatnonzero(parent == way[row, level])
            best = of_levels[level + 1][row, siblings].max()
            assert probability[row, level + 1] == best <= probability[row, level] + 1e-6


def test_the_way_may_miss_the_likeliest_leaf():
    probabilities = np.array([[0.34, 0.26, 0.2, 0.1, 0.1]], dtype=np.float32)
    answers = Answers.from_probabilities(["x"], np.array([0], dtype=np.int32), probabilities, COLUMNS)
    assert COLUMNS.categories[answers.answer[0]] == "gifts"
    way = [nodes[place] for nodes, place in zip(COLUMNS.level_nodes, answers.way[0], strict=True)]
    assert way == ["home", "kitchen", "mug"]
    assert answers.way_probability[0].tolist() == pytest.approx([0.66, 0.46, 0.26])
