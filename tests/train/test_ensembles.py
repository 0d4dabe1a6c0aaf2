"""Bags and stacked members, against brute force."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from drawn_training_rows import drawn_rows, of_random_labels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

from shelfwise.bundle import Bundle
from shelfwise.classifiers.flat import Flat
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.member import Member
from shelfwise.embed import embed
from shelfwise.errors import OptionError
from shelfwise.options import EmbedOptions, TrainOptions
from shelfwise.train import train
from shelfwise.train.ensemble import pooled_loss, stacked, stacking_weights
from shelfwise.train.heads.bags import drawn_groups
from shelfwise.train.heads.learners import head_learner
from shelfwise.train.learned import LearnedMember
from shelfwise.train.rows import Numbers, TrainingRows, Way, sampled


def bagged(rows: TrainingRows, bags: int, head: str = "ridge", **options: object):
    return head_learner(head, TrainOptions(head=head, bags=bags, **options))(rows)  # type: ignore[arg-type]


def drawn_tables(
    n: int, c: int, sure: list[float], seed: int = 0
) -> tuple[list[NDArray[np.float32]], NDArray[np.int64]]:
    """Draw what members say: the more of `sure` a member has, the more its answers lean to the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, c, n)
    lean = np.eye(c)[truth]
    tables = [log_softmax(share * lean + rng.normal(size=(n, c)), axis=1).astype(np.float32) for share in sure]
    return tables, truth


def best_loss(weights: tuple[float, ...], tables: list[NDArray[np.float32]], truth: NDArray[np.int64]) -> float:
    """Find by search over temperatures the least loss of the weighted mean of log-probabilities, in float64."""
    mean = sum(w * table.astype(np.float64) for w, table in zip(weights, tables, strict=True))

    def loss(log_temperature: float) -> float:
        below = mean / np.exp(log_temperature)
        return float(np.mean(logsumexp(below, axis=1) - below[np.arange(len(truth)), truth]))

    return float(minimize_scalar(loss, bounds=(-6, 6), method="bounded").fun)


def spoken(name: str, table: NDArray[np.float32]) -> LearnedMember:
    """Make a member that says of row i what stands in the table."""
    head = Flat(Linear(np.zeros((2, table.shape[1]), np.float32), np.zeros(table.shape[1], np.float32)), 1.0)

    def held_out(_way: Way, asked: Numbers) -> NDArray[np.float32]:
        return table[asked]

    return LearnedMember(Member(name, head), {}, "by heart", held_out)


def test_out_of_bag_answers_rest_on_heads_that_never_saw_the_group():
    rows = drawn_rows(60)
    found = bagged(rows, 6)
    count = drawn_groups(rows.groups.leave_look_alikes_out, 6)
    asked = np.arange(60)
    said = np.asarray(found.held_out("leave_look_alikes_out", asked))
    alone = head_learner("ridge", TrainOptions())(rows)
    for row in asked:
        tables = []
        for times in count:
            drawn = np.repeat(asked, times)
            if not np.isin(rows.groups.leave_look_alikes_out[drawn], rows.groups.leave_look_alikes_out[row]).any():
                of_bag = TrainingRows(rows.x[drawn], rows.column[drawn], 4, rows.groups.take(drawn))
                scores = alone.again(of_bag).scores(rows.x[[row]])[0] / alone.temperature
                tables.append(np.exp(scores - logsumexp(scores)))
        if not tables:
            scores = alone.held_out("leave_look_alikes_out", asked)[row] / alone.temperature
            tables.append(np.exp(scores - logsumexp(scores)))
        np.testing.assert_allclose(np.exp(said[row]), np.mean(tables, axis=0), rtol=1e-3, atol=1e-6)


@given(groups=st.lists(st.integers(0, 9), min_size=1, max_size=40), bags=st.integers(1, 8))
def test_groups_are_drawn_whole_and_as_many_as_there_are(groups: list[int], bags: int):
    group = np.array(groups)
    for times in drawn_groups(group, bags):
        of_group = [set(times[group == one]) for one in np.unique(group)]
        assert all(len(numbers) == 1 for numbers in of_group)
        assert sum(numbers.pop() for numbers in of_group) == len(np.unique(group))


def test_every_bag_draws_otherwise_and_the_same_bags_are_drawn_again():
    group = np.arange(30)
    drawn = drawn_groups(group, 5)
    assert len({times.tobytes() for times in drawn}) == 5
    np.testing.assert_array_equal(drawn, drawn_groups(group, 5))


def test_a_bag_of_weak_heads_answers_better_than_one_of_them():
    rows, new = drawn_rows(60, d=40, spread=2.5), drawn_rows(2000, d=40, spread=2.5)
    options = {"layers": "8", "optimizer": "adamw", "dropout": 0.0, "epochs": 30, "learning_rate": 0.01}
    bag = bagged(rows, 15, "mlp", **options)
    heads = [np.mean(head.scores(new.x).argmax(axis=1) == new.column) for head in bag.head.heads]
    assert np.mean(bag.head.scores(new.x).argmax(axis=1) == new.column) > np.mean(heads) + 0.03


@pytest.mark.parametrize("head", ["ridge", "logistic", "mlp"])
def test_bags_are_honest_about_labels_that_mean_nothing(head: str):
    rows = of_random_labels()
    small = {"layers": "32", "dropout": 0.0, "epochs": 10, "learning_rate": 0.01} if head == "mlp" else {}
    found = bagged(rows, 5, head, **small)
    for way in ("leave_one_out", "leave_look_alikes_out"):
        said = np.asarray(found.held_out(way, np.arange(len(rows)))).argmax(axis=1)
        assert np.mean(said == rows.column) < 0.35


def test_a_category_that_some_bags_never_draw_keeps_a_chance():
    rows = drawn_rows(120, categories=3, spread=0.1)
    few = np.append(np.flatnonzero(rows.column < 2), np.flatnonzero(rows.column == 2)[:2])
    found = bagged(TrainingRows(rows.x[few], rows.column[few], 3, rows.groups.take(few)), 8)
    never = (drawn_groups(rows.groups.take(few).leave_look_alikes_out, 8)[:, -1] == 0).sum()
    assert 0 < never < 8
    said = np.exp(found.head.scores(rows.x[rows.column == 2]))
    np.testing.assert_allclose(said.sum(axis=1), 1, rtol=1e-4)
    assert said[:, 2].min() > 0.02


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_stacked_weights_are_those_of_a_search_on_a_grid(seed: int):
    tables, truth = drawn_tables(200, 4, [2.0, 1.0, 0.5], seed)
    weights = stacking_weights(tables, truth)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    grid = [point for point in product(np.arange(0, 1.001, 0.1), repeat=3) if sum(point) == pytest.approx(1)]
    least = min(best_loss(point, tables, truth) for point in grid)
    assert best_loss(tuple(weights), tables, truth) <= least + 1e-5
    assert pooled_loss(tables, weights, truth) == pytest.approx(best_loss(tuple(weights), tables, truth), abs=5e-3)


def test_a_member_that_says_nothing_is_left_away_and_told():
    tables, truth = drawn_tables(600, 5, [2.0, 1.5, 0.0])
    rows = drawn_rows(600)
    members = tuple(spoken(name, table) for name, table in zip(("good", "fair", "noise"), tables, strict=True))
    found = stacked(members, truth.astype(np.int32), rows.groups)
    assert [member.member.name for member in found.members] == ["good", "fair"]
    assert found.weights[0] > found.weights[1] > 0.2
    assert sum(found.weights) == pytest.approx(1)
    (left,) = found.facts["ensemble"]["left_away"]
    assert (left["name"], left["weight"]) == ("noise", 0.0)
    assert left["top1"] == pytest.approx(0.2, abs=0.06)


def test_what_a_member_adds_is_the_loss_without_it():
    tables, truth = drawn_tables(600, 5, [2.0, 1.5])
    members = (spoken("a", tables[0]), spoken("b", tables[1]))
    found = stacked(members, truth.astype(np.int32), drawn_rows(600).groups)
    a, b = (member.facts["contribution"] for member in found.members)
    assert (
        a["log_loss_of_others"]
        == pytest.approx(b["log_loss"])
        == pytest.approx(best_loss((1.0,), tables[1:], truth), abs=1e-4)
    )
    assert found.facts["ensemble"]["log_loss"] < min(a["log_loss"], b["log_loss"])


def test_one_certainty_that_is_wrong_does_not_take_all_weight_from_a_member():
    tables, truth = drawn_tables(300, 3, [3.0, 0.5])
    tables[0][0, truth[0]] = -1e4
    assert stacking_weights(tables, truth)[0] > 0.5


def test_two_equal_members_share():
    tables, truth = drawn_tables(300, 3, [1.0])
    assert stacking_weights([tables[0], tables[0]], truth) == pytest.approx([0.5, 0.5], abs=1e-3)


def test_more_bags_make_out_of_bag_answers_no_worse():
    rows, losses = drawn_rows(120, d=20, spread=2.0), []
    for bags in (2, 30):
        found = bagged(rows, bags, "mlp", layers="16", optimizer="adamw", dropout=0.0, epochs=20)
        said = np.asarray(found.held_out("leave_one_out", np.arange(120)))
        losses.append(-said[np.arange(120), rows.column].mean())
    assert losses[1] <= losses[0] + 0.05


def test_a_bundle_holds_several_heads_and_says_what_each_adds(embedded_catalog: Path, tmp_path: Path):
    options = TrainOptions(head="ridge+mlp", layers="32", optimizer="adamw", dropout=0.0, bags=2, epochs=5)
    facts = train(embedded_catalog, tmp_path / "x.bundle", options).facts
    bundle = Bundle.load(tmp_path / "x.bundle")
    assert sum(member["weight"] for member in facts["members"]) == pytest.approx(1)
    told = [member["contribution"] for member in facts["members"]] + facts["ensemble"]["left_away"]
    assert len(told) == 2
    assert all(0 <= one["top1"] <= 1 and np.isfinite(one["log_loss"]) for one in told)
    assert len(bundle.classifier.members) == len(facts["members"])
    x = np.random.default_rng(0).normal(size=(3, 1280)).astype(np.float32)
    np.testing.assert_allclose(bundle.probabilities(x).sum(axis=1), 1, rtol=1e-5)


def test_apart_needs_several_backbones(embedded_catalog: Path, tmp_path: Path):
    with pytest.raises(OptionError, match="--apart: there is one backbone only, lite0@96"):
        train(embedded_catalog, tmp_path / "x.bundle", TrainOptions(apart=True))


def test_backbones_apart_are_members_that_look_at_their_own_part(tmp_path: Path, embedded_catalog: Path):
    catalog = shutil.copytree(embedded_catalog, tmp_path / "two.catalog")
    embed(catalog, EmbedOptions(backbone="lite0@96+lite0@64", precision="fp32"))
    facts = train(catalog, tmp_path / "x.bundle", TrainOptions(apart=True)).facts
    members = Bundle.load(tmp_path / "x.bundle").classifier.members
    names = [member.name for member in members] + [one["name"] for one in facts["ensemble"]["left_away"]]
    assert sorted(names) == ["ridge on lite0@64", "ridge on lite0@96"]
    parts = {"ridge on lite0@96": ((0, 1280),), "ridge on lite0@64": ((1280, 2560),)}
    assert all(member.parts == parts[member.name] for member in members)


@given(groups=st.lists(st.integers(0, 9), min_size=1, max_size=40), size=st.integers(1, 50), seed=st.integers(0, 9))
def test_a_sample_is_of_whole_groups_and_as_large_as_asked(groups: list[int], size: int, seed: int):
    group = np.array(groups)
    known = np.random.default_rng(seed).random(len(group)) < 0.7
    rows = sampled(group, known, size)
    assert set(rows) == {row for row in range(len(group)) if group[row] in group[rows]}
    assert known[rows].sum() >= min(size, known.sum())
    if known.any():
        largest = max(int(known[group == one].sum()) for one in np.unique(group))
        assert known[rows].sum() < size + largest
