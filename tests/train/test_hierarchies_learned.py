"""Hierarchies that were learned: their held-out answers beside refits, groups and bands by cases worked by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from shelfwise.bundle import Bundle
from shelfwise.classifiers.flat import Flat, log_softmax
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.levels import Levels
from shelfwise.classifiers.routed import Routed
from shelfwise.columns import Columns
from shelfwise.options import TrainOptions
from shelfwise.statistics.calibration import fit_common_temperature
from shelfwise.statistics.ridge import Spectrum
from shelfwise.statistics.sufficient import SufficientStatistics
from shelfwise.taxonomy import Node, Taxonomy
from shelfwise.train import train
from shelfwise.train.heads.learners import head_learner
from shelfwise.train.heads.ridge import learn_ridge
from shelfwise.train.learned import LearnedHead, LearnedModel
from shelfwise.train.rows import WAYS, Grouping, TrainingRows, Way, whole_groups
from shelfwise.train.trees.branch_groups import banded_branches, branch_level, confused_categories, every_branch
from shelfwise.train.trees.flat_head import FlatHead
from shelfwise.train.trees.hierarchies import LEARN_HIERARCHY, Compared, compare, kept_of, learn_hierarchy
from shelfwise.train.trees.level_heads import LevelHeads, choices
from shelfwise.train.trees.specialists import gather

NAMES = ("flat", "levels", "hard", "soft", "bands", "confusion")


def tree_of(branches: dict[str, list[str]]) -> Columns:
    """One root above the branches, as catalogs of a single department have it; names repeat below different parents."""
    nodes = [Node("all", "All", None)]
    for branch, leaves in branches.items():
        nodes.append(Node(branch, branch, "all"))
        nodes += [Node(f"{branch}/{leaf}", leaf, branch) for leaf in leaves]
    leaves = tuple(f"{branch}/{leaf}" for branch, names in branches.items() for leaf in names)
    return Columns(leaves, Taxonomy(nodes))


COLUMNS = tree_of({"fruit": ["other", "apple", "pear"], "drink": ["other", "juice"], "salt": ["sea"]})


def drawn(columns: Columns = COLUMNS, n: int = 90, d: int = 7, seed: int = 0, spread: float = 1.2) -> TrainingRows:
    """Rows around centers; look-alikes are pairs of one category, and some are the same picture."""
    rng = np.random.default_rng(seed)
    column = np.sort(np.arange(n) % len(columns)).astype(np.int32)
    x = rng.standard_normal((len(columns), d))[column] + spread * rng.standard_normal((n, d))
    pairs = np.arange(n) // 2
    alone = np.where(np.arange(n) % 6 < 2, pairs, n + np.arange(n))
    joined = np.unique(pairs, return_inverse=True)[1]
    return TrainingRows(x.astype(np.float32), column, len(columns), Grouping(alone, spread_over(joined, column)))


def spread_over(group: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Cut groups where they hold two categories."""
    return np.unique(np.stack([group, column]), axis=1, return_inverse=True)[1].astype(np.int64)


def refit(rows: TrainingRows, learn: np.ndarray, learned: LearnedHead, all_of_head: np.ndarray) -> Flat:
    """Learn from some rows with scikit-learn, at the alpha that was chosen for all rows of a head."""
    values, inside = np.unique(rows.column[all_of_head], return_inverse=True)
    statistics = SufficientStatistics(rows.x.shape[1], len(values))
    statistics.add(rows.x[all_of_head], inside)
    alpha = Spectrum.from_statistics(statistics).alpha(learned.facts["penalty"])
    one_hot = (rows.column[learn][:, None] == values).astype(np.float64)
    ridge = Ridge(alpha=alpha, solver="cholesky").fit(rows.x[learn].astype(np.float64), one_hot)
    return Flat(Linear(ridge.coef_.T, ridge.intercept_), learned.temperature)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["soft", "hard"])
def test_held_out_answers_are_those_of_models_refitted_without_the_group(name: str, way: Way):
    rows = drawn()
    router = LevelHeads.learn(FlatHead.learn(rows, COLUMNS, learn_ridge))
    team = gather(router, every_branch(COLUMNS))
    routing = team.routing(name, 0.1)
    group, everything = rows.groups.of(way), np.arange(len(rows))
    found = team.held_out(way, everything, routing)[0]
    assert set(team.specialists) == {0, 1}
    for one in np.unique(group):
        asked = np.flatnonzero(group == one)
        without = group != one
        of_router = refit(rows, np.flatnonzero(without), router.start.learned, everything)
        refitted = {}
        for place, specialist in team.specialists.items():
            own = specialist.place >= 0
            heads = specialist.heads
            flat = refit(rows, np.flatnonzero(own & without), heads.start.learned, np.flatnonzero(own))
            refitted[place] = replace(heads.levels, flat=flat)

        def ask(place: int, of: np.ndarray, refitted: Any = refitted, asked: Any = asked) -> np.ndarray:
            return refitted[place].log_probabilities(rows.x[asked[of]])

        expected = routing.combined(replace(router.levels, flat=of_router).log_probabilities(rows.x[asked]), ask)
        np.testing.assert_allclose(found[asked], expected, atol=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_held_out_answers_are_the_same_in_whatever_parts_they_are_asked_for(name: str):
    rows = drawn()
    model = learn_hierarchy(name, rows, COLUMNS, learn_ridge)
    found = model.held_out("leave_look_alikes_out", np.arange(len(rows)))
    in_parts = np.empty_like(found)
    for part in whole_groups(rows.groups.leave_look_alikes_out, 13):
        in_parts[part] = model.held_out("leave_look_alikes_out", part)
    np.testing.assert_allclose(in_parts, found, atol=1e-4)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-4)


def test_a_picture_in_two_branches_is_left_out_of_both():
    """Of fruit and drink two rows are one picture: about either, the other's specialist, which saw it, is not asked."""
    rows = drawn()
    group = rows.groups.leave_look_alikes_out.copy()
    fruit, drink = 5, int(np.flatnonzero(rows.column == 3)[0])
    group[group == group[drink]] = group[fruit]
    rows = replace(rows, groups=Grouping(group, group))
    router = LevelHeads.learn(FlatHead.learn(rows, COLUMNS, learn_ridge))
    team = gather(router, every_branch(COLUMNS))
    asked = np.flatnonzero(group == group[fruit])
    said = router.held_out("leave_one_out", asked)
    x, of = rows.x[asked], group[asked]
    answers = {place: one.held_out("leave_one_out", asked, x, of, said) for place, one in team.specialists.items()}
    of_fruit, of_drink = rows.column[asked] < 3, rows.column[asked] >= 3
    assert of_fruit.any()
    assert of_drink.any()
    np.testing.assert_allclose(answers[1][of_fruit], log_softmax(said[of_fruit][:, 3:5], 1), atol=1e-5)
    np.testing.assert_allclose(answers[0][of_drink], log_softmax(said[of_drink][:, :3], 1), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_answers_and_held_out_answers_about_rows_never_seen_agree(name: str):
    """With many rows, leaving one out changes little: the model and its held-out answers are of one piece."""
    rows = drawn(n=600, spread=0.5)
    model = learn_hierarchy(name, rows, COLUMNS, learn_ridge)
    held_out = model.held_out("leave_one_out", np.arange(len(rows))).argmax(axis=1)
    assert (held_out == model.model.log_probabilities(rows.x).argmax(axis=1)).mean() > 0.97
    assert (held_out == rows.column).mean() > 0.8


@given(st.integers(0, 2**31), st.integers(1, 40))
@settings(max_examples=30)
def test_the_statistics_of_the_branches_sum_to_those_of_the_flat_head(seed: int, n: int):
    rng = np.random.default_rng(seed)
    x, column = rng.standard_normal((n, 5)), rng.integers(0, len(COLUMNS), n)
    flat = SufficientStatistics(5, len(COLUMNS))
    flat.add(x, column)
    branch_of = COLUMNS.level_of[branch_level(COLUMNS)]
    gram, sums, counts = np.zeros((5, 5)), np.zeros((5, len(COLUMNS))), np.zeros(len(COLUMNS))
    for branch in range(branch_of.max() + 1):
        columns = np.flatnonzero(branch_of == branch)
        own = np.isin(column, columns)
        part = SufficientStatistics(5, len(columns))
        part.add(x[own], np.searchsorted(columns, column[own]))
        gram += part.gram
        sums[:, columns], counts[columns] = part.sums, part.counts
    np.testing.assert_allclose(gram, flat.gram, atol=1e-10)
    np.testing.assert_allclose(sums, flat.sums, atol=1e-10)
    np.testing.assert_array_equal(counts, flat.counts)


@pytest.mark.parametrize("level", [1, 2])
def test_the_summed_columns_are_the_head_that_the_level_labels_would_give(level: int):
    rows = drawn()
    statistics = SufficientStatistics(rows.x.shape[1], len(COLUMNS))
    statistics.add(rows.x, rows.column)
    learned = learn_ridge(rows)
    alpha = Spectrum.from_statistics(statistics).alpha(learned.facts["penalty"])
    labels = COLUMNS.level_of[level][rows.column]
    one_hot = np.eye(len(COLUMNS.level_nodes[level]))[labels]
    of_labels = Ridge(alpha=alpha, solver="cholesky").fit(rows.x.astype(np.float64), one_hot)
    np.testing.assert_allclose(
        COLUMNS.summed(learned.head.scores(rows.x), level), of_labels.predict(rows.x), atol=1e-5
    )  # fmt: skip


def test_the_branch_level_is_the_first_at_which_categories_part():
    assert COLUMNS.level_nodes[branch_level(COLUMNS)] == ("fruit", "drink", "salt")


def test_specialists_are_left_out_where_there_is_nothing_to_learn_and_the_facts_say_why():
    columns = tree_of({"fruit": ["apple", "pear"], "salt": ["sea"], "rare": ["one", "two"], "burst": ["a", "b"]})
    column = np.repeat(np.arange(7), [30, 30, 20, 2, 2, 20, 20]).astype(np.int32)
    group = np.arange(len(column))
    group[column == 5], group[column == 6] = 1000, 1001
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((7, 5))[column] + rng.standard_normal((len(column), 5))).astype(np.float32)
    model = learn_hierarchy("soft", TrainingRows(x, column, 7, Grouping(group, group)), columns, learn_ridge)
    why = [found.get("why_none") for found in model.facts["groups"]]
    assert why[0] is None
    assert why[1] == "one category: nothing to tell apart"
    assert why[2] == why[3] == "its products are fewer than 10 groups of look-alikes"
    np.testing.assert_allclose(np.exp(model.model.log_probabilities(x)).sum(axis=1), 1, atol=1e-4)


def told_head(rows: TrainingRows, right_of: list[float]) -> LearnedHead:
    """A head whose held-out answers are right in a known share of each category."""
    scores = np.empty((len(rows), rows.categories), dtype=np.float32)
    for column, share in enumerate(right_of):
        own = np.flatnonzero(rows.column == column)
        answer = np.where(np.arange(len(own)) < round(share * len(own)), column, rows.categories - 1)
        scores[own] = 9 * np.eye(rows.categories)[answer]
    head = Linear(np.zeros((rows.x.shape[1], rows.categories), np.float32), np.zeros(rows.categories, np.float32))
    return LearnedHead(head, 1.0, {}, "told", lambda _way, asked: scores[asked], learn_ridge)


def test_the_bands_are_those_of_the_system_that_they_come_from():
    columns = tree_of({name: ["x"] for name in ("a", "b", "c", "d", "e", "f", "last")})
    column = np.repeat(np.arange(7), 20).astype(np.int32)
    alone = np.arange(140)
    rows = TrainingRows(np.zeros((140, 2), np.float32), column, 7, Grouping(alone, alone))
    head = told_head(rows, [0.85, 0.8, 0.65, 0.6, 0.15, 0.1, 1.0])
    groups = banded_branches(LevelHeads.learn(FlatHead(rows, columns, learn_ridge, head)))
    bands = [facts["band"] for facts in groups.facts]
    assert dict(zip("abcdefl", [bands[group] for group in groups.group_of_branch], strict=True)) == {
        "a": "own", "b": "group 2", "c": "group 2", "d": "group 1", "e": "group 1", "f": "none", "l": "own",
    }  # fmt: skip
    assert [wanted for facts, wanted in zip(groups.facts, groups.wanted, strict=True) if facts["band"] == "none"] == [
        False
    ]
    assert groups.facts[1]["branch_accuracy"] == [0.8, 0.65]


def test_categories_that_are_taken_for_each_other_get_together():
    columns = tree_of({"a": ["x", "y"], "b": ["x", "y"]})
    column = np.repeat(np.arange(4), 10).astype(np.int32)
    scores = np.zeros((40, 4), np.float32)
    for one, other in ((0, 3), (1, 2), (2, 1), (3, 0)):
        own = np.flatnonzero(column == one)
        scores[own[:7], one] = scores[own[7:], other] = 4
        scores[own[:7], other] = scores[own[7:], one] = 3.5
    alone = np.arange(40)
    rows = TrainingRows(np.zeros((40, 2), np.float32), column, 4, Grouping(alone, alone))
    head = replace(told_head(rows, [1, 1, 1, 1]), held_out=lambda _way, asked: scores[asked])
    (groups,) = confused_categories(LevelHeads.learn(FlatHead(rows, columns, learn_ridge, head)))
    assert groups.branch_of[0] == groups.branch_of[3] != groups.branch_of[1] == groups.branch_of[2]


def test_choices_among_children_are_cut_out_as_worked_by_hand():
    scores = np.arange(12, dtype=np.float32).reshape(2, 6)
    found = choices(scores, np.array([1, 4], np.int32), COLUMNS, 2)
    (fruit, of_fruit), (drink, of_drink) = found
    np.testing.assert_array_equal(fruit, [[0, 1, 2]])
    np.testing.assert_array_equal(drink, [[9, 10]])
    assert (of_fruit.tolist(), of_drink.tolist()) == ([1], [1])


@pytest.mark.parametrize("name", [*NAMES, "compare"])
@pytest.mark.parametrize("columns", [
    Columns(("a", "b", "c"), Taxonomy([Node(name, name, None) for name in "abc"])),
    Columns(("a", "b"), Taxonomy([Node("t", "t", None), Node("a", "a", "t"), Node("b", "b", "a")])),
    Columns(("a", "d", "b", "c"), Taxonomy(
        [Node("a", "a", None), Node("b", "b", "a"), Node("c", "c", "b"), Node("d", "same", "a"), Node("e", "same", "b")]
    )),
], ids=["one level", "two categories, one below the other", "inner nodes, an empty category, uneven depth"])  # fmt: skip
def test_any_tree_will_do(name: str, columns: Columns):
    rows = drawn(columns, n=60)
    model = learn_hierarchy(name, rows, columns, learn_ridge)
    np.testing.assert_allclose(np.exp(model.model.log_probabilities(rows.x)).sum(axis=1), 1, atol=1e-4)
    held_out = model.held_out("leave_look_alikes_out", np.arange(len(rows)))
    np.testing.assert_allclose(np.exp(held_out).sum(axis=1), 1, atol=1e-4)


def test_a_category_without_rows_is_not_answered_and_does_no_harm():
    rows = drawn()
    kept = np.flatnonzero(rows.column != 1)
    rows = TrainingRows(rows.x[kept], rows.column[kept], rows.categories, rows.groups.take(kept))
    for name in NAMES:
        answers = learn_hierarchy(name, rows, COLUMNS, learn_ridge).model.log_probabilities(rows.x)
        assert (answers.argmax(axis=1) != 1).all(), name


def test_compare_shows_all_hierarchies_by_figures_of_their_held_out_answers():
    start = FlatHead.learn(drawn(), COLUMNS, learn_ridge)
    compared = compare(start)
    facts = kept_of(compared, start.judged.group).facts
    assert tuple(facts["compared"]) == NAMES
    flat = next(one for one in compared if one.name == "flat")
    answers = start.held_out("leave_look_alikes_out", np.arange(90)).argmax(axis=1)
    assert flat.figures["top1"] == pytest.approx((answers == start.rows.column).mean(), abs=0.1)
    assert flat.figures["log_loss"] == pytest.approx(flat.losses.mean())
    assert len(flat.losses) == len(start.judged.group) == len(start.judged.truth)


def told(name: str, losses: np.ndarray, top1: float = 0.8, numbers: int = 100) -> Compared:
    figures = {"top1": top1, "log_loss": float(losses.mean()), "numbers": numbers}
    return Compared(name, LearnedModel(None, {}, "told", lambda _way, asked: asked), figures, losses)  # type: ignore[arg-type]


@pytest.mark.parametrize(("other", "kept"), [
    ({"by": 0.2}, "levels"),
    ({"by": 0.2, "top1": 0.79}, "flat"),
    ({"by": 0.2, "numbers": 101}, "flat"),
    ({"by": 0.02}, "flat"),
    ({"by": -0.2}, "flat"),
], ids=["better beyond chance", "less often right", "larger", "better by chance", "worse"])  # fmt: skip
def test_another_hierarchy_than_flat_is_kept_only_where_it_is_better_beyond_chance_as_right_and_no_larger(
    other: dict[str, Any], kept: str
):
    """Gains scatter by 1 among 400 groups of 2: a standard error of 0.05."""
    flat = np.random.default_rng(0).gamma(1, 1, 800)
    scatter = np.tile([1.0, -1.0], 200).repeat(2)
    levels = told("levels", flat - other.pop("by") - scatter, **other)
    assert kept_of([told("flat", flat), levels], np.arange(400).repeat(2)).facts["hierarchy"] == kept


def test_of_several_better_hierarchies_the_best_is_kept():
    flat = np.random.default_rng(0).gamma(1, 1, 300)
    compared = [told("flat", flat), told("soft", flat - 0.1), told("levels", flat - 0.3)]
    assert kept_of(compared, np.arange(300)).facts["hierarchy"] == "levels"


def uneven_shop(seed: int = 0) -> tuple[Columns, TrainingRows]:
    """500 categories in branches of 1 to 250, of about as many rows each: even shares summed would favor large branches."""
    sizes = (250, 100, 60, 40, 20, 10, 10, 5, 3, 1, 1)
    columns = tree_of({f"b{b}": [str(leaf) for leaf in range(size)] for b, size in enumerate(sizes)})
    rng = np.random.default_rng(seed)
    d, branch_of = 64, np.repeat(np.arange(len(sizes)), sizes)
    center = rng.standard_normal((len(sizes), d))[branch_of] + rng.standard_normal((len(branch_of), d))
    share = 1 / np.bincount(branch_of)[branch_of] * rng.lognormal(0, 1, len(branch_of))
    drawn_columns = rng.choice(len(branch_of), 3000, p=share / share.sum())
    column = np.sort(np.concatenate([np.tile(np.arange(len(branch_of)), 2), drawn_columns])).astype(np.int32)
    x = (center[column] + 4 * rng.standard_normal((len(column), d))).astype(np.float32)
    alone = np.arange(len(x))
    return columns, TrainingRows(x, column, len(columns), Grouping(alone, alone))


@pytest.mark.parametrize("name", ["hard", "soft", "bands"])
def test_branches_of_many_categories_are_not_favored_by_routing(name: str):
    columns, rows = uneven_shop()
    start, top = FlatHead.learn(rows, columns, learn_ridge), branch_level(columns)
    truth, said = columns.level_of[top][rows.column], {}
    for one in ("flat", "levels", name):
        probabilities = np.exp(LEARN_HIERARCHY[one](start).held_out("leave_one_out", np.arange(len(rows))))
        said[one] = (columns.summed(probabilities, top).argmax(axis=1) == truth).mean()
    assert said["flat"] < said["levels"] - 0.05
    assert said[name] >= said["levels"] - 0.01


def test_the_temperature_of_several_choices_is_the_best_of_a_fine_grid_for_all_of_them_together():
    rng = np.random.default_rng(5)
    tables = []
    for n, c in ((40, 3), (70, 5)):
        truth = rng.integers(0, c, n)
        tables.append((rng.standard_normal((n, c)) + 1.5 * np.eye(c)[truth], truth))
    grid = np.geomspace(0.1, 10, 2001)
    losses = [sum(len(truth) * smoothed_loss(scores / t, truth, 112) for scores, truth in tables) for t in grid]
    assert fit_common_temperature(tables) == pytest.approx(grid[int(np.argmin(losses))], rel=0.005)


def smoothed_loss(scores: np.ndarray, truth: np.ndarray, spread: int) -> float:
    """Cross-entropy where 1 / spread of each target lies on all columns alike."""
    said = log_softmax(scores, 1)
    return float(-((1 - 1 / spread) * said[np.arange(len(truth)), truth].mean() + said.mean() / spread))


@pytest.mark.parametrize("hierarchy", ["confusion", "compare"])
def test_a_bundle_holds_the_hierarchy_that_was_asked_for(hierarchy: str, embedded_catalog: Path, tmp_path: Path):
    options = TrainOptions(hierarchy=hierarchy)  # type: ignore[arg-type]
    facts = train(embedded_catalog, tmp_path / "x.bundle", options).facts
    bundle = Bundle.load(tmp_path / "x.bundle")
    (member,) = bundle.classifier.members
    (of_member,) = facts["members"]
    assert isinstance(member.model, {"confusion": Routed, "levels": Levels}.get(of_member["hierarchy"], Flat))
    assert (of_member["hierarchy"] == "confusion") == (hierarchy == "confusion")
    x = np.random.default_rng(0).random((3, bundle.layout.dimension), dtype=np.float32)
    np.testing.assert_allclose(bundle.probabilities(x).sum(axis=1), 1, atol=1e-3)


@pytest.mark.slow
def test_soft_routing_is_about_as_right_as_a_local_classifier_per_parent_node():
    """HiClass learns a logistic regression at each parent, ours one for all and one a branch: about the same shares right."""
    hiclass = pytest.importorskip("hiclass")
    columns = tree_of({"fruit": ["apple", "pear", "plum"], "drink": ["juice", "milk"]})
    rows = drawn(columns, n=600, seed=1, spread=1.0)
    path = columns.level_of[1:].T[rows.column]
    named = np.array([[f"branch {branch}", f"leaf {leaf}"] for branch, leaf in path])
    learn, fresh = np.arange(0, 600, 2), np.arange(1, 600, 2)
    theirs = hiclass.LocalClassifierPerParentNode(LogisticRegression(max_iter=500)).fit(rows.x[learn], named[learn])
    share_theirs = (theirs.predict(rows.x[fresh]) == named[fresh]).mean(axis=0)
    half = TrainingRows(rows.x[learn], rows.column[learn], len(columns), rows.groups.take(learn))
    ours = learn_hierarchy("soft", half, columns, head_learner("logistic", TrainOptions())).model
    answer = columns.level_of[1:].T[ours.log_probabilities(rows.x[fresh]).argmax(axis=1)]
    share_ours = (answer == path[fresh]).mean(axis=0)
    assert (share_theirs > 0.7).all()
    assert (np.abs(share_ours - share_theirs) < 0.05).all()
