"""Levels and routing, by cases worked by hand and by the sums that they must keep."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.classifiers.flat import Flat, log_softmax
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.levels import Levels, log_softmax_among, node_scores
from shelfwise.classifiers.member import Member
from shelfwise.classifiers.routed import Routed, Routing
from shelfwise.classifiers.stored import Tensors
from shelfwise.columns import Columns
from shelfwise.errors import BundleError
from shelfwise.taxonomy import Node, Taxonomy


def tree(**parent_of: str) -> Taxonomy:
    """Make a tree of ids with parents, `top` for none; the id is the name."""
    return Taxonomy([Node(node, node, None if parent == "top" else parent) for node, parent in parent_of.items()])


# Fruit: apples (red, green) and pear; drink, a category itself, with juice below; one category at the top.
UNEVEN = tree(
    fruit="top", apple="fruit", red="apple", green="apple", pear="fruit", drink="top", juice="drink", salt="top"
)
COLUMNS = Columns(("red", "green", "pear", "drink", "juice", "salt"), UNEVEN)


def shares(*values: float) -> np.ndarray:
    return np.log(np.array([values], dtype=np.float32))


class Said:
    """A head that has one score for each category, whatever it is shown."""

    def __init__(self, *scores: float) -> None:
        self.row = np.array(scores, dtype=np.float32)

    def scores(self, x: np.ndarray) -> np.ndarray:
        return np.repeat(self.row[None], len(x), axis=0)

    def stored(self) -> Any:
        raise NotImplementedError


def drawn_head(d: int, c: int, seed: int = 0) -> Flat:
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((d, c)).astype(np.float32)
    return Flat(Linear(weight, rng.standard_normal(c).astype(np.float32)), 0.7)


def drawn_routed(kind: str = "soft", seed: int = 0) -> Routed:
    """Fruit with a specialist, drink and salt together with one."""
    router = Levels(drawn_head(4, 6, seed), "sum", (0.5, 2.0, 1.0), COLUMNS)
    routing = Routing(
        kind, 0.2, np.array([0, 0, 0, 1, 1, 2], np.int32), np.array([0, 1, 1], np.int32), (0, 1)
    )  # fmt: skip
    of_fruit, of_others = (
        Levels(drawn_head(4, 3, seed + 1 + place), "logsumexp", (2.0, 0.5, 1.0), COLUMNS.take(np.arange(3) + 3 * place))
        for place in (0, 1)
    )
    return Routed(router, (of_fruit, of_others), routing)


def test_the_way_down_the_tree_is_multiplied_as_worked_by_hand():
    scores = np.log([1.0, 2.0, 3.0, 4.0, 5.0, 9.0])
    levels = Levels(Flat(Said(*scores), 1.0), "logsumexp", (1.0, 0.5, 1.0), COLUMNS)
    found = np.exp(levels.log_probabilities(np.zeros((1, 1), np.float32)))[0]
    # Top: fruit 6, drink 9, salt 9 of 24. Below at temperature 1/2, so squared: apple 9, pear 9; drink 16, juice 25.
    expected = [6 / 24 / 2 / 3, 6 / 24 / 2 * 2 / 3, 6 / 24 / 2, 9 / 24 * 16 / 41, 9 / 24 * 25 / 41, 9 / 24]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_levels_at_temperature_one_are_the_flat_head():
    flat, x = drawn_head(4, 6), np.random.default_rng(1).standard_normal((9, 4)).astype(np.float32)
    levels = Levels(flat, "logsumexp", (1.0, 1.0, 1.0), COLUMNS)
    np.testing.assert_allclose(levels.log_probabilities(x), flat.log_probabilities(x), atol=2e-5)


@given(
    st.integers(0, 2**31), st.sampled_from(["sum", "logsumexp"]), st.lists(st.floats(0.05, 20), min_size=3, max_size=3)
)
def test_probabilities_of_levels_sum_to_one(seed: int, together: str, temperatures: list[float]):
    x = np.random.default_rng(seed).standard_normal((5, 4)).astype(np.float32)
    levels = Levels(drawn_head(4, 6, seed % 1000), together, tuple(temperatures), COLUMNS)
    np.testing.assert_allclose(np.exp(levels.log_probabilities(x)).sum(axis=1), 1, atol=1e-4)


def test_the_summed_columns_are_the_scores_of_a_head_with_summed_weights():
    head, x = drawn_head(4, 6).head, np.random.default_rng(2).standard_normal((7, 4)).astype(np.float32)
    at_top = np.zeros((6, 3), np.float32)
    at_top[np.arange(6), COLUMNS.level_of[0]] = 1
    summed_head = Linear(head.weight @ at_top, head.intercept @ at_top)
    np.testing.assert_allclose(node_scores(head.scores(x), COLUMNS, "sum")[0], summed_head.scores(x), atol=1e-5)


@given(st.integers(0, 2**31), st.integers(1, 8))
def test_children_of_one_parent_share_what_softmax_gives_them(seed: int, parents: int):
    rng = np.random.default_rng(seed)
    parent = rng.permutation(np.concatenate([np.arange(parents), rng.integers(0, parents, 6)])).astype(np.int32)
    scores = (10 * rng.standard_normal((3, len(parent)))).astype(np.float32)
    found = log_softmax_among(scores, parent)
    for one in range(parents):
        np.testing.assert_allclose(found[:, parent == one], log_softmax(scores[:, parent == one], 1), atol=1e-5)


def test_soft_routing_weighs_each_specialist_by_its_branch_as_worked_by_hand():
    routing = Routing("soft", 0.1, np.array([0, 0, 0, 1, 1, 2], np.int32), np.arange(3, dtype=np.int32), (0,))
    flat = shares(0.1, 0.2, 0.3, 0.1, 0.2, 0.1)
    mixed = np.exp(routing.combined(flat, lambda _group, _rows: shares(0.5, 0.25, 0.25)))
    np.testing.assert_allclose(mixed, [[0.3, 0.15, 0.15, 0.1, 0.2, 0.1]], rtol=1e-5)


def test_hard_routing_asks_only_the_specialist_of_the_likeliest_branch():
    routing = Routing("hard", 0.1, np.array([0, 0, 0, 1, 1, 2], np.int32), np.arange(3, dtype=np.int32), (0, 1))
    flat = np.concatenate([shares(0.1, 0.2, 0.3, 0.1, 0.2, 0.1), shares(0.1, 0.1, 0.1, 0.3, 0.3, 0.1)])
    asked = []

    def ask(group: int, rows: np.ndarray) -> np.ndarray:
        asked.append((group, rows.tolist()))
        return shares(0.5, 0.25, 0.25) if group == 0 else shares(0.2, 0.8)

    mixed = np.exp(routing.combined(flat, ask))
    assert asked == [(0, [0]), (1, [1])]
    # The doubt of 0.1 goes to the others, in the shares of the head for all.
    expected = [[0.45, 0.225, 0.225, 0.025, 0.05, 0.025], [0.025, 0.025, 0.025, 0.18, 0.72, 0.025]]
    np.testing.assert_allclose(mixed, expected, rtol=1e-5)


def test_the_likeliest_branch_of_a_group_counts_not_the_largest_group():
    routing = Routing("hard", 0.1, np.array([0, 1, 2, 3, 3, 3], np.int32), np.array([0, 0, 0, 1], np.int32), ())
    mixed = routing.combined(shares(0.2, 0.2, 0.2, 0.15, 0.15, 0.1), lambda _group, _rows: np.empty(0))
    assert mixed[0].argmax() in (3, 4)


@given(st.integers(0, 2**31), st.floats(1e-6, 0.999), st.sampled_from(["hard", "soft"]))
def test_routed_probabilities_sum_to_one_and_hard_answers_stay_in_the_branch(seed: int, doubt: float, kind: str):
    rng = np.random.default_rng(seed)
    routing = Routing(kind, doubt, np.array([0, 0, 0, 1, 1, 2], np.int32), np.array([0, 1, 2], np.int32), (0, 1))
    flat = log_softmax(4 * rng.standard_normal((8, 6)), 1)
    mixed = routing.combined(flat, lambda group, rows: log_softmax(rng.standard_normal((len(rows), (3, 2)[group])), 1))
    np.testing.assert_allclose(np.exp(mixed).sum(axis=1), 1, atol=1e-5)
    if kind == "hard":
        assert (routing.branch_of[mixed.argmax(axis=1)] == routing.branches(flat)).all()


def test_without_specialists_soft_routing_is_the_router():
    routed = drawn_routed()
    x = np.random.default_rng(3).standard_normal((6, 4)).astype(np.float32)
    alone = Routed(
        routed.router, (), Routing("soft", 0.2, routed.routing.branch_of, routed.routing.group_of_branch, ())
    )
    np.testing.assert_array_equal(alone.log_probabilities(x), routed.router.log_probabilities(x))


@pytest.mark.parametrize("model", [
    Levels(drawn_head(4, 6), "sum", (0.5, 2.0, 1.0), COLUMNS), drawn_routed("soft"), drawn_routed("hard"),
])  # fmt: skip
def test_what_is_stored_answers_the_same_when_it_is_read_again(model: Levels | Routed):
    values, tensors = Member("ridge", model).stored()
    checked = Tensors(tensors)
    read = Member.restored(values, checked, 4, COLUMNS)
    checked.refuse_rest()
    x = np.random.default_rng(4).standard_normal((6, 4)).astype(np.float32)
    np.testing.assert_array_equal(read.model.log_probabilities(x), model.log_probabilities(x))


def damaged(values: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return copy.deepcopy(values) | {"model": copy.deepcopy(values["model"]) | changes}


@pytest.mark.parametrize("changes", [
    {"together": "max"}, {"temperatures": [1.0, 1.0]}, {"temperatures": [1.0, 0.0, 1.0]}, {"temperatures": 3},
    {"temperature": -1},
])  # fmt: skip
def test_damaged_levels_are_refused(changes: dict[str, Any]):
    values, tensors = Member("ridge", Levels(drawn_head(4, 6), "sum", (0.5, 2.0, 1.0), COLUMNS)).stored()
    with pytest.raises(BundleError):
        Member.restored(damaged(values, **changes), Tensors(tensors), 4, COLUMNS)


@pytest.mark.parametrize("changes", [
    {"routing": "any"}, {"doubt": 0}, {"doubt": 1.0}, {"doubt": "much"}, {"branch_of": [0, 0, 0, 1, 1]},
    {"branch_of": [0, 0, 0, 1, 1, 3]}, {"branch_of": [0, 0, 0, 1, 1, -1]}, {"branch_of": "none"}, {"group_of_branch": [0, 1]},
    {"group_of_branch": [0, 2, 2]}, {"group_of_branch": [0.0, 1.0, 1.0]}, {"group_of_branch": [0, 0, 1]},
    {"branch_of": [0, 0, [0], 1, 1, 2]}, {"branch_of": []},
])  # fmt: skip
def test_damaged_routes_are_refused(changes: dict[str, Any]):
    values, tensors = Member("ridge", drawn_routed()).stored()
    with pytest.raises(BundleError):
        Member.restored(damaged(values, **changes), Tensors(tensors), 4, COLUMNS)


@pytest.mark.parametrize("changes", [{"together": "max"}, {"temperatures": [1.0]}, {"temperature": 0}])
def test_a_damaged_router_or_specialist_is_refused(changes: dict[str, Any]):
    values, tensors = Member("ridge", drawn_routed()).stored()
    router, (first, second) = values["model"]["router"], values["model"]["specialists"]
    for damage in ({"router": router | changes}, {"specialists": [first, second | changes]}):
        with pytest.raises(BundleError):
            Member.restored(damaged(values, **damage), Tensors(tensors), 4, COLUMNS)


@pytest.mark.parametrize("group", [0, 2, -1])
def test_a_specialist_of_a_group_that_is_not_there_or_twice_is_refused(group: int):
    values, tensors = Member("ridge", drawn_routed()).stored()
    values = copy.deepcopy(values)
    values["model"]["specialists"][1]["group"] = group
    with pytest.raises(BundleError, match="specialists"):
        Member.restored(values, Tensors(tensors), 4, COLUMNS)
