"""Hierarchical figures against cases worked by hand, hiclass, networkx, and plain loops over sets."""

from __future__ import annotations

import time
import warnings

import networkx as nx
import numpy as np
import pytest
from drawn_answers import drawn_answers, plain_answers
from drawn_trees import answers_over, uneven_tree, way_of
from hiclass import metrics as hiclass
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.columns import Columns
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import Scores, score
from shelfwise.metrics.hierarchical import TreeSums, figures_of_way, overlap_of_first, overlap_of_way
from shelfwise.taxonomy import Node, Taxonomy

# Food > Fruit > (Apple, Pear); Food > Bread (a leaf above the deepest level); Home > Lamp > Desk lamp
SHOP = Taxonomy(
    [
        *(Node("food", "Food", None), Node("home", "Home", None)),
        *(Node("fruit", "Fruit", "food"), Node("bread", "Bread", "food"), Node("lamp", "Lamp", "home")),
        *(Node("apple", "Apple", "fruit"), Node("pear", "Pear", "fruit"), Node("desk", "Desk lamp", "lamp")),
    ]
)
FIGURES = ("hierarchical_precision", "hierarchical_recall", "hierarchical_f1")


def told(tree: Taxonomy, pairs: list[tuple[str, str]]) -> Answers:
    """Answer each (truth, answer) with certainty."""
    columns = Columns(tree.leaves, tree)
    truth, answer = (columns.of(np.array(side, dtype=object)) for side in zip(*pairs, strict=True))
    probabilities = np.eye(len(columns), dtype=np.float32)[answer]
    return Answers.from_probabilities([str(i) for i in range(len(pairs))], truth, probabilities, columns)


def values(answers: Answers) -> dict[str, float]:
    return {name: estimate.value for name, estimate in score(answers, resamples=0).figures.items()}


def stopped(answers: Answers, depth: np.ndarray) -> dict[str, float]:
    found = TreeSums(overlap_of_way(answers, depth)).figures(np.ones((len(answers), 1)))
    return {name: float(value[0]) for name, value in found.items()}


@pytest.mark.parametrize(
    ("truth", "answer", "shared", "answered", "true", "edges"),
    [
        ("apple", "apple", 3, 3, 3, 0),
        ("apple", "pear", 2, 3, 3, 2),
        ("apple", "bread", 1, 2, 3, 3),
        ("bread", "apple", 1, 3, 2, 3),
        ("bread", "bread", 2, 2, 2, 0),
        ("apple", "desk", 0, 3, 3, 6),
        ("bread", "desk", 0, 3, 2, 5),
    ],
)
def test_the_shop_worked_by_hand(truth: str, answer: str, shared: int, answered: int, true: int, edges: int) -> None:
    found = overlap_of_first(told(SHOP, [(truth, answer)]))
    assert (found.shared[0], found.answered[0], found.true[0]) == (shared, answered, true)
    assert found.distance[0] == edges
    assert found.wrong[0] == (truth != answer)


def test_the_figures_of_four_answers_worked_by_hand() -> None:
    answers = told(SHOP, [("apple", "apple"), ("apple", "pear"), ("bread", "apple"), ("desk", "bread")])
    found = values(answers)
    assert found["hierarchical_precision"] == pytest.approx((3 + 2 + 1 + 0) / (3 + 3 + 3 + 2))
    assert found["hierarchical_recall"] == pytest.approx((3 + 2 + 1 + 0) / (3 + 3 + 2 + 3))
    assert found["hierarchical_f1"] == pytest.approx(2 * 6 / 22)
    assert found["tree_distance"] == pytest.approx((0 + 2 + 3 + 5) / 4)
    assert found["mistake_distance"] == pytest.approx((2 + 3 + 5) / 3)
    levels = score(answers, resamples=0).levels
    assert levels["level1"]["mistakes_within"].value == pytest.approx(2 / 3)
    assert levels["level2"]["mistakes_within"].value == pytest.approx(1 / 3)
    assert "mistakes_within" not in levels["level3"]


def test_answers_that_stop_are_compared_as_far_as_they_go() -> None:
    answers = told(SHOP, [("apple", "apple"), ("apple", "pear"), ("desk", "bread"), ("bread", "bread")])
    found = overlap_of_way(answers, np.array([0, 2, 1, 3]))
    assert found.shared.tolist() == [0, 2, 0, 2]
    assert found.answered.tolist() == [0, 2, 1, 2]
    assert found.true.tolist() == [3, 3, 3, 2]
    assert found.distance.tolist() == [3, 1, 4, 0]
    assert found.wrong.tolist() == [False, False, True, False]


def test_without_any_answer_precision_is_zero_and_there_is_no_mistake() -> None:
    found = stopped(told(SHOP, [("apple", "apple")]), np.array([0]))
    assert (found["hierarchical_precision"], found["hierarchical_recall"], found["tree_distance"]) == (0, 0, 3)
    assert np.isnan(found["mistake_distance"])


@given(st.integers(0, 10_000))
@settings(max_examples=60)
def test_the_figures_are_those_of_hiclass_on_random_uneven_trees(seed: int) -> None:
    tree = uneven_tree(seed)
    answers = answers_over(tree, 40, seed)
    truth = [list(tree.path(answers.categories[column])) for column in answers.truth]
    answer = [list(tree.path(answers.categories[column])) for column in answers.answer]
    found = values(answers)
    for name, theirs in zip(FIGURES, (hiclass.precision, hiclass.recall, hiclass.f1), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert found[name] == pytest.approx(theirs(truth, answer))


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_stopped_answers_are_scored_like_hiclass_does(seed: int) -> None:
    tree = uneven_tree(seed)
    answers = answers_over(tree, 40, seed)
    depth = np.random.default_rng(seed).integers(0, tree.depth + 1, 40)
    depth[0] = tree.depth  # hiclass divides by zero where nothing at all is answered
    truth = [list(tree.path(answers.categories[column])) for column in answers.truth]
    answer = [list(way_of(answers, row, int(depth[row]))) for row in range(40)]
    found = stopped(answers, depth)
    for name, theirs in zip(FIGURES, (hiclass.precision, hiclass.recall, hiclass.f1), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert found[name] == pytest.approx(theirs(truth, answer))


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_distances_are_shortest_paths_in_the_tree_of_networkx(seed: int) -> None:
    tree = uneven_tree(seed)
    rng = np.random.default_rng(seed)
    inner_too = tuple(rng.permutation(list(tree.nodes))[: max(2, len(tree.nodes) // 2)])
    answers = answers_over(tree, 40, seed, inner_too)
    graph = nx.Graph([(node.id, node.parent or "root") for node in tree.nodes.values()])
    of_all = dict(nx.all_pairs_shortest_path_length(graph))
    truth = [answers.categories[column] for column in answers.truth]
    answer = [answers.categories[column] for column in answers.answer]
    distance = np.array([of_all[a][b] for a, b in zip(truth, answer, strict=True)])
    assert overlap_of_first(answers).distance.tolist() == distance.tolist()
    found = values(answers)
    assert found["tree_distance"] == pytest.approx(distance.mean())
    wrong = np.array(truth) != np.array(answer)
    if wrong.any():
        assert found["mistake_distance"] == pytest.approx(distance[wrong].mean())
    else:
        assert "mistake_distance" not in found
    depth = rng.integers(0, tree.depth + 1, 40)
    ends = [(way_of(answers, row, int(depth[row])) or ("root",))[-1] for row in range(40)]
    expected = [of_all[a][b] for a, b in zip(truth, ends, strict=True)]
    assert overlap_of_way(answers, depth).distance.tolist() == expected


def test_in_a_tree_of_one_level_all_three_are_the_accuracy() -> None:
    answers = plain_answers([0, 1, 2, 2], [0, 1, 1, 0], 3)
    found = values(answers)
    assert [found[name] for name in FIGURES] == pytest.approx([0.5] * 3)
    assert (found["tree_distance"], found["mistake_distance"]) == (1.0, 2.0)


def test_the_intervals_are_those_of_a_plain_loop_over_resamples() -> None:
    answers = answers_over(uneven_tree(3), 50, seed=1)
    found = score(answers, seed=7, resamples=150)
    rng = np.random.default_rng(7)
    loop: dict[str, list[float]] = {name: [] for name in (*FIGURES, "tree_distance", "mistake_distance")}
    for _ in range(150):
        drawn = values(answers.take(rng.integers(0, 50, 50, dtype=np.int32)))
        for name, of_name in loop.items():
            of_name.append(drawn[name])
    for name, of_name in loop.items():
        expected = tuple(np.quantile(of_name, [0.025, 0.975]))
        assert (found.figures[name].low, found.figures[name].high) == pytest.approx(expected)


def test_the_intervals_of_answers_that_stop_are_those_of_a_plain_loop() -> None:
    answers = answers_over(uneven_tree(5), 50, seed=2)
    depth = np.random.default_rng(0).integers(0, answers.columns.taxonomy.depth + 1, 50)
    found = figures_of_way(answers, depth, seed=4, resamples=100)
    rng = np.random.default_rng(4)
    loop: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(100):
        rows = rng.integers(0, 50, 50, dtype=np.int32)
        for name, value in stopped(answers.take(rows), depth[rows]).items():
            loop[name].append(value)
    for name, of_name in loop.items():
        assert found[name].value == pytest.approx(stopped(answers, depth)[name])
        assert (found[name].low, found[name].high) == pytest.approx(tuple(np.nanquantile(of_name, [0.025, 0.975])))


def test_without_mistakes_their_figures_are_absent_and_the_rest_is_not_called_certain() -> None:
    found = score(told(SHOP, [("apple", "apple"), ("bread", "bread"), ("desk", "desk")]))
    assert "mistake_distance" not in found.figures
    assert "mistakes_within" not in found.levels["level1"]
    low = found.figures["hierarchical_f1"].low
    assert low is not None and low < 0.6
    assert Scores.from_dict(found.to_dict()).to_dict() == found.to_dict()


def test_the_calibration_error_of_a_level_is_that_of_a_plain_loop() -> None:
    answers = drawn_answers(300)
    found = score(answers, resamples=20)
    for level, name in enumerate(answers.level_names):
        said, error = answers.level_probability[:, level].astype(float), 0.0
        right = answers.level_top[:, level] == answers.level_truth[:, level]
        for i in range(15):
            members = (said > i / 15) & (said <= (i + 1) / 15)
            error += abs((said[members] - right[members]).sum()) / 300
        assert found.levels[name]["calibration_error"].value == pytest.approx(error)


@pytest.mark.slow
def test_they_take_far_less_time_than_hiclass() -> None:
    answers = drawn_answers(20_000)
    tree = answers.columns.taxonomy
    truth = [list(tree.path(answers.categories[column])) for column in answers.truth]
    answer = [list(tree.path(answers.categories[column])) for column in answers.answer]
    started = time.perf_counter()
    found = TreeSums(overlap_of_first(answers)).figures(np.ones((20_000, 1)))
    ours = time.perf_counter() - started
    started = time.perf_counter()
    theirs = [function(truth, answer) for function in (hiclass.precision, hiclass.recall, hiclass.f1)]
    seconds = time.perf_counter() - started
    assert [float(found[name][0]) for name in FIGURES] == pytest.approx(theirs)
    print(f"20,000 x 3 levels: {ours * 1e3:.1f} ms, hiclass {seconds * 1e3:.0f} ms, {seconds / ours:.0f} times")
    assert seconds > 30 * ours
