"""Members learned for every pool against refits from scratch, the gate against another minimizer, and the choice."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss

from shelfwise.backbones.products import ProductFeatures
from shelfwise.classifiers.pools import KINDS, Pool, PoolKind
from shelfwise.columns import Columns
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.taxonomy import Node, Taxonomy
from shelfwise.train.heads.folds import FOLDS, fold_of
from shelfwise.train.heads.ridge import learn_ridge
from shelfwise.train.learned import LearnedMember, LearnedModel
from shelfwise.train.photos import pooling
from shelfwise.train.photos.gate import EVEN, Judged, fit_gate
from shelfwise.train.photos.pooled import Products
from shelfwise.train.photos.pooling import learn_member
from shelfwise.train.rows import WAYS, Grouping, TrainingRows, Way
from shelfwise.train.trees.hierarchies import learn_hierarchy

D, C, P = 6, 3, 36
COLUMNS = Columns(tuple("abc"), Taxonomy([Node(name, name, None) for name in "abc"]))


def drawn(most: int = 4, noise: float = 1.0, products: int = P, seed: int = 0) -> tuple[ProductFeatures, np.ndarray]:
    """Draw products of 1 to `most` photos around the centers of their categories."""
    rng = np.random.default_rng(seed)
    column = np.arange(products, dtype=np.int32) % C
    product = np.repeat(np.arange(products), rng.integers(1, most + 1, products))
    photos = 2 * np.eye(D)[column[product]] + noise * rng.normal(size=(len(product), D))
    return features(photos, product, column), column


def features(photos: np.ndarray, product: np.ndarray, column: np.ndarray) -> ProductFeatures:
    ids = np.array([f"p{number}" for number in range(len(column))], dtype=object)
    first = np.searchsorted(product, np.arange(len(column)))
    names = np.array(COLUMNS.categories, dtype=object)[column]
    return ProductFeatures(ids, names, photos.astype(np.float32), product, np.arange(len(product)), first, 0, 0)


def pairs(products: int = P) -> Grouping:
    """Leave products out alone, or with the one that shares their pair."""
    alone = np.arange(products)
    return Grouping(alone, alone // 6 * 3 + alone % 3)


def learned(kind: str, data: ProductFeatures, column: np.ndarray, groups: Grouping) -> LearnedMember:
    return learn_member(data, column, COLUMNS, groups, kind, ridge_model, "ridge")  # type: ignore[arg-type]


def ridge_model(rows: TrainingRows) -> LearnedModel:
    return learn_hierarchy("flat", rows, COLUMNS, learn_ridge)


def refitted(rows: TrainingRows, way: Way, penalty: float, temperature: float) -> np.ndarray:
    """Learn scikit-learn's ridge again without each group, at the strength that the penalty means for all rows."""
    strength = penalty * ((rows.x - rows.x.mean(axis=0)).astype(np.float64) ** 2).sum() / rows.x.shape[1]
    group, targets, said = rows.groups.of(way), np.eye(C)[rows.column], np.empty((len(rows), C))
    for number in np.unique(group):
        out = group == number
        said[out] = Ridge(alpha=strength).fit(rows.x[~out], targets[~out]).predict(rows.x[out])
    return log_softmax(said / temperature, axis=1)


def photo_means(said: np.ndarray, product: np.ndarray) -> np.ndarray:
    return np.log([np.exp(said[product == p]).mean(axis=0) for p in range(product.max() + 1)])


def model_of(member: LearnedMember) -> tuple[float, float]:
    return member.facts["penalty"], member.member.model.temperature  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["mean", "max", "concat", "scores"])
def test_what_is_said_of_held_out_products_is_what_a_head_learned_without_them_says(kind: PoolKind, way: Way) -> None:
    data, column = drawn()
    groups = pairs()
    member = learned(kind, data, column, groups)
    rows = Products(data, column, C, groups).pooled(kind)
    expected = refitted(rows, way, *model_of(member))
    if kind == "scores":
        expected = photo_means(expected, data.product)
    np.testing.assert_allclose(member.held_out(way, np.arange(P)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_a_gate_answers_for_products_that_neither_the_head_nor_the_gate_has_seen(way: Way) -> None:
    data, column = drawn(noise=1.5)
    groups = pairs()
    member = learned("gate", data, column, groups)
    rows = Products(data, column, C, groups).pooled("gate")
    told = refitted(rows, "leave_look_alikes_out", *model_of(member))
    said = refitted(rows, way, *model_of(member))
    fold = fold_of(groups, "leave_look_alikes_out")
    for held in range(FOLDS):
        kept = np.isin(data.product, np.flatnonzero(fold != held))
        _, product = np.unique(data.product[kept], return_inverse=True)
        gate = minimized(told[kept], product, column[fold != held])
        for p in np.flatnonzero(fold == held):
            own = data.product == p
            weights = softmax(seen_by_gate(said[own]) @ gate)
            found = member.held_out(way, np.flatnonzero(groups.of(way) == groups.of(way)[p]))
            place = np.flatnonzero(np.flatnonzero(groups.of(way) == groups.of(way)[p]) == p)[0]
            np.testing.assert_allclose(np.exp(found[place]), weights @ np.exp(said[own]), atol=2e-3)


def seen_by_gate(said: np.ndarray) -> np.ndarray:
    probabilities = np.exp(said)
    ranked = np.sort(probabilities, axis=1)
    certainty = 1 + (probabilities * said).sum(axis=1) / np.log(C)
    first = np.arange(len(said)) == 0
    return np.stack([certainty, ranked[:, -1], ranked[:, -1] - ranked[:, -2], first], axis=1)


def minimized(said: np.ndarray, product: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Minimize the gate's loss, written out product by product, without a gradient."""
    seen = [seen_by_gate(said[product == p]) for p in range(len(truth))]
    right = [np.exp(said[product == p, truth[p]]) for p in range(len(truth))]

    def loss(gate: np.ndarray) -> float:
        return gate @ gate - sum(np.log(softmax(s @ gate) @ r) for s, r in zip(seen, right, strict=True))

    return np.asarray(minimize(loss, np.zeros(4), method="Powell", options={"xtol": 1e-6, "ftol": 1e-12}).x)


def test_the_gate_is_the_one_that_another_minimizer_finds() -> None:
    rng = np.random.default_rng(3)
    product = np.repeat(np.arange(50), rng.integers(1, 5, 50))
    truth = rng.integers(0, C, 50).astype(np.int32)
    said = log_softmax(3 * rng.normal(size=(len(product), C)) + np.eye(C)[truth[product]], axis=1).astype(np.float32)
    found = fit_gate(Judged.of(said, product, truth))
    np.testing.assert_allclose(found, minimized(said, product, truth), atol=2e-3)


def first_photo_tells() -> tuple[ProductFeatures, np.ndarray]:
    """Draw products of three photos: the first shows the product, the others show anything."""
    rng = np.random.default_rng(0)
    column = np.arange(120, dtype=np.int32) % C
    product = np.repeat(np.arange(120), 3)
    shown = np.where(np.arange(360) % 3 == 0, column[product], rng.integers(0, C, 360))
    return features(3 * np.eye(D)[shown] + 0.3 * rng.normal(size=(360, D)), product, column), column


def test_a_gate_learns_to_listen_to_the_first_photo_where_the_others_show_something_else() -> None:
    data, column = first_photo_tells()
    gate, scores = (learned(kind, data, column, pairs(120)) for kind in ("gate", "scores"))
    assert gate.facts["gate"]["first"] > 2
    said = [member.held_out("leave_look_alikes_out", np.arange(120)) for member in (gate, scores)]
    of_gate, of_scores = ((of_one.argmax(axis=1) == column).mean() for of_one in said)
    assert of_gate > of_scores + 0.1


def test_one_photo_a_product_leaves_a_gate_even() -> None:
    data, column = drawn(most=1)
    assert tuple(learned("gate", data, column, pairs()).facts["gate"].values()) == EVEN


@pytest.mark.parametrize("kind", ["scores", "gate"])
def test_photos_are_left_out_with_all_photos_of_their_products_group(kind: PoolKind) -> None:
    data, column = drawn()
    rows = Products(data, column, C, pairs()).pooled(kind)
    for way in WAYS:
        np.testing.assert_array_equal(rows.groups.of(way), pairs().of(way)[data.product])
    np.testing.assert_array_equal(rows.column, column[data.product])


@pytest.mark.parametrize("kind", KINDS)
def test_the_learned_member_answers_with_the_pool_it_was_learned_for(kind: PoolKind) -> None:
    data, column = drawn()
    member = learned(kind, data, column, pairs())
    assert member.member.pool.kind == member.facts["pool"] == kind
    said = member.member.log_probabilities(data.photos, data.product, P)
    assert (said.argmax(axis=1) == column).mean() > 0.8


def test_one_photo_a_product_takes_the_mean_untried() -> None:
    data, column = drawn(most=1)
    times: list[int] = []
    member = learn_member(data, column, COLUMNS, pairs(), "auto", partial(counted, times), "ridge")
    assert (member.member.pool, len(times)) == (Pool("mean"), 1)
    assert "pools" not in member.facts


def counted(times: list[int], rows: TrainingRows) -> LearnedModel:
    times.append(len(rows))
    return ridge_model(rows)


def test_auto_takes_the_mean_of_scores_where_no_other_is_better_beyond_chance_and_keeps_the_table() -> None:
    data, column = drawn(noise=1.5)
    member = learned("auto", data, column, pairs())
    tried = member.facts["pools"]
    assert tuple(tried) == KINDS
    assert member.facts["pool"] == "scores"
    for kind in KINDS:
        said = learned(kind, data, column, pairs()).held_out("leave_look_alikes_out", np.arange(P))
        assert tried[kind]["top1"] == pytest.approx((said.argmax(axis=1) == column).mean())
        temperature = fit_temperature(said, column)
        assert tried[kind]["log_loss"] == pytest.approx(log_loss(column, softmax(said / temperature, axis=1)), rel=1e-4)
    np.testing.assert_array_equal(
        member.held_out("leave_one_out", np.arange(P)),
        learned("scores", data, column, pairs()).held_out("leave_one_out", np.arange(P)),
    )


def test_auto_takes_another_pool_where_it_is_better() -> None:
    data, column = first_photo_tells()
    member = learned("auto", data, column, pairs(len(column)))
    tried = member.facts["pools"]
    assert member.facts["pool"] == min(tried, key=lambda kind: tried[kind]["log_loss"]) == "concat"


def test_auto_learns_from_photos_once_for_both_pools_of_answers() -> None:
    data, column = drawn()
    times: list[int] = []
    learn_member(data, column, COLUMNS, pairs(), "auto", partial(counted, times), "ridge")
    assert times == [P, P, P, len(data.photos)]


def test_many_products_are_compared_on_a_sample_of_whole_groups_and_learned_from_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pooling, "SAMPLE", 60)
    data, column = drawn(products=300)
    times: list[int] = []
    member = learn_member(data, column, COLUMNS, pairs(300), "auto", partial(counted, times), "ridge")
    assert member.facts["pools_tried_on"] == times[0] < 70
    assert times[-1] in (300, len(data.photos))
    drawn_rows = Products(data, column, C, pairs(300)).drawn(60)
    group = pairs(300).leave_look_alikes_out
    assert set(np.flatnonzero(np.isin(group, group[drawn_rows]))) == set(drawn_rows)
    assert member.held_out("leave_look_alikes_out", np.arange(300)).shape == (300, C)


def test_a_member_looks_at_its_parts_alone() -> None:
    data, column = drawn()
    parts = ((0, 2), (3, 6))
    member = learn_member(data, column, COLUMNS, pairs(), "concat", ridge_model, "ridge", parts)
    blind = data.photos.copy()
    blind[:, 2] = 1e3
    said = member.member.log_probabilities(data.photos, data.product, P)
    np.testing.assert_array_equal(member.member.log_probabilities(blind, data.product, P), said)


def test_some_of_the_products_come_with_their_photos() -> None:
    data, _ = drawn()
    some = data.take(np.array([5, 0, 7]))
    assert list(some.product_ids) == ["p5", "p0", "p7"]
    expected = np.concatenate([data.photos[data.product == p] for p in (5, 0, 7)])
    np.testing.assert_array_equal(some.photos, expected)
    np.testing.assert_array_equal(np.bincount(some.product), np.bincount(data.product)[[5, 0, 7]])
