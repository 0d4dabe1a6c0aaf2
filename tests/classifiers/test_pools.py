"""Pools of photos against loops over products, against one another, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax

from shelfwise.classifiers.flat import Flat
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.member import Member
from shelfwise.classifiers.pools import KINDS, OF_ANSWERS, PHOTO_FEATURES, Pool, PoolKind, photo_features
from shelfwise.classifiers.stored import Tensors
from shelfwise.columns import Columns
from shelfwise.errors import BundleError
from shelfwise.taxonomy import Node, Taxonomy

D, C = 5, 4
COUNTS = st.lists(st.integers(1, 5), min_size=1, max_size=8)
SOME_GATE = (2.0, -1.0, 3.0, 0.5)


def some_pool(kind: PoolKind) -> Pool:
    return Pool(kind, SOME_GATE) if kind == "gate" else Pool(kind)


def photos(counts: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).normal(size=(sum(counts), D)).astype(np.float32)
    return x, np.repeat(np.arange(len(counts)), counts)


def member(pool: Pool, seed: int = 1) -> Member:
    rng = np.random.default_rng(seed)
    width = pool.width(D)
    weight = rng.normal(size=(width, C)).astype(np.float32)
    return Member("m", Flat(Linear(weight, rng.normal(size=C).astype(np.float32)), 0.7), pool)


def said_of(one: Member, x: np.ndarray, product: np.ndarray, products: int) -> np.ndarray:
    return one.log_probabilities(x, product, products)


def by_loop(one: Member, x: np.ndarray, product: np.ndarray, products: int) -> np.ndarray:
    """Answer for each product on its own, in float64, from the definitions."""
    flat = one.model
    answers = np.empty((products, C))
    for p in range(products):
        own = x[product == p].astype(np.float64)
        if one.pool.kind in OF_ANSWERS:
            of_photos = softmax(
                (own @ flat.head.weight.astype(np.float64) + flat.head.intercept) / flat.temperature, axis=1
            )
            weights = np.full(len(own), 1 / len(own))
            if one.pool.kind == "gate":
                weights = softmax(
                    [np.dot(one.pool.gate, seen_by_gate(row, place)) for place, row in enumerate(of_photos)]
                )
            answers[p] = np.log(weights @ of_photos)
            continue
        first, others = own[0], own[1:] if len(own) > 1 else own[:1]
        vector = {
            "mean": own.mean(axis=0),
            "max": own.max(axis=0),
            "concat": np.concatenate([first, others.mean(axis=0)]),
        }[one.pool.kind]
        scores = (vector @ flat.head.weight.astype(np.float64) + flat.head.intercept) / flat.temperature
        answers[p] = scores - logsumexp(scores)
    return answers


def seen_by_gate(probabilities: np.ndarray, place: int) -> list[float]:
    ranked = np.sort(probabilities)[::-1]
    certainty = 1 + (probabilities * np.log(probabilities)).sum() / np.log(C)
    return [certainty, ranked[0], ranked[0] - ranked[1], float(place == 0)]


@pytest.mark.parametrize("kind", KINDS)
@given(counts=COUNTS, seed=st.integers(0, 1000))
def test_every_pool_says_what_a_loop_over_products_says(kind: PoolKind, counts: list[int], seed: int) -> None:
    x, product = photos(counts, seed)
    one = member(some_pool(kind))
    found = said_of(one, x, product, len(counts))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_loop(one, x, product, len(counts)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_of_a_product_sum_to_one(kind: PoolKind) -> None:
    x, product = photos([1, 4, 2, 3])
    said = said_of(member(some_pool(kind)), x, product, 4)
    np.testing.assert_allclose(np.exp(said).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("kind", ["mean", "max", "scores"])
@given(seed=st.integers(0, 1000))
def test_the_order_of_a_products_photos_does_not_matter_to_pools_without_a_first_photo(
    kind: PoolKind, seed: int
) -> None:
    x, product = photos([3, 1, 4], seed)
    rng = np.random.default_rng(seed)
    shuffled = np.concatenate([rng.permutation(np.flatnonzero(product == p)) for p in range(3)])
    one = member(Pool(kind))
    np.testing.assert_allclose(said_of(one, x, product, 3), said_of(one, x[shuffled], product, 3), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_product_is_answered_the_same_whoever_stands_beside_it(kind: PoolKind) -> None:
    counts = [2, 1, 4, 3]
    x, product = photos(counts)
    one = member(some_pool(kind))
    together = said_of(one, x, product, len(counts))
    for p, count in enumerate(counts):
        alone = said_of(one, x[product == p], np.zeros(count, np.int64), 1)
        np.testing.assert_allclose(together[p], alone[0], atol=1e-5)


@given(counts=COUNTS, seed=st.integers(0, 1000))
def test_a_gate_of_zeros_is_the_mean_of_the_scores(counts: list[int], seed: int) -> None:
    x, product = photos(counts, seed)
    even = member(Pool("gate", (0.0,) * len(PHOTO_FEATURES)))
    plain = member(Pool("scores"))
    np.testing.assert_allclose(
        said_of(even, x, product, len(counts)), said_of(plain, x, product, len(counts)), atol=1e-5
    )


@pytest.mark.parametrize("kind", KINDS)
def test_one_photo_a_product_is_that_photos_answer(kind: PoolKind) -> None:
    x, product = photos([1, 1, 1])
    one = member(some_pool(kind))
    seen = np.concatenate([x, x], axis=1) if kind == "concat" else x
    np.testing.assert_allclose(said_of(one, x, product, 3), one.model.log_probabilities(seen), atol=1e-6)


def test_scores_worked_by_hand_with_a_missing_photo() -> None:
    # The second product lost a photo; what is left counts in full.
    said = np.log(np.array([[0.8, 0.2], [0.4, 0.6], [0.1, 0.9]], dtype=np.float32))
    np.testing.assert_allclose(
        np.exp(Pool("scores").answers(said, np.array([0, 0, 1]), 2)), [[0.6, 0.4], [0.1, 0.9]], atol=1e-6
    )


def test_a_gate_worked_by_hand() -> None:
    # log 3 for the first photo: it counts three times as much as the second.
    said = np.log(np.array([[0.8, 0.2], [0.4, 0.6]], dtype=np.float32))
    gate = Pool("gate", (0.0, 0.0, 0.0, float(np.log(3))))
    np.testing.assert_allclose(np.exp(gate.answers(said, np.array([0, 0]), 1)), [[0.7, 0.3]], atol=1e-6)


def test_vectors_worked_by_hand() -> None:
    x = np.array([[1, 5], [3, 1], [2, 0], [7, 7]], dtype=np.float32)
    product = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(Pool("mean").vectors(x, product, 2), [[2, 2], [7, 7]])
    np.testing.assert_allclose(Pool("max").vectors(x, product, 2), [[3, 5], [7, 7]])
    np.testing.assert_allclose(Pool("concat").vectors(x, product, 2), [[1, 5, 2.5, 0.5], [7, 7, 7, 7]])


def test_a_photo_that_is_sure_of_nothing_has_no_certainty_and_one_that_is_sure_has_all() -> None:
    said = np.log(np.array([[0.25] * 4, [1 - 3e-7, 1e-7, 1e-7, 1e-7]], dtype=np.float32))
    np.testing.assert_allclose(photo_features(said, np.array([0])), [[0, 0.25, 0, 1], [1, 1, 1, 0]], atol=1e-4)


def test_categories_that_every_photo_rules_out_stay_ruled_out() -> None:
    said = np.array([[0.0, -np.inf], [0.0, -np.inf], [-np.inf, 0.0]], dtype=np.float32)
    for pool in (Pool("scores"), Pool("gate", SOME_GATE)):
        np.testing.assert_allclose(np.exp(pool.answers(said, np.array([0, 0, 1]), 2)), [[1, 0], [0, 1]], atol=1e-6)


def test_answers_far_below_one_another_do_not_vanish() -> None:
    said = np.array([[0.0, -200.0], [-300.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(Pool("scores").answers(said, np.array([0, 0]), 1), np.log([[0.5, 0.5]]), atol=1e-6)
    said = np.array([[0.0, -200.0], [0.0, -300.0]], dtype=np.float32)
    np.testing.assert_allclose(Pool("scores").answers(said, np.array([0, 0]), 1), [[0, -200 - np.log(2)]], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_comes_back_as_it_was_stored(kind: PoolKind) -> None:
    one = member(some_pool(kind))
    columns = Columns(tuple("abcd"), Taxonomy([Node(name, name, None) for name in "abcd"]))
    values, tensors = one.stored()
    back = Member.restored(values, Tensors(tensors), D, columns)
    assert back.pool == one.pool
    x, product = photos([2, 3, 1])
    np.testing.assert_array_equal(said_of(back, x, product, 3), said_of(one, x, product, 3))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"kind": "median"}, "'median' is unknown"),
        ({"kind": "gate"}, "with the gate"),
        ({"kind": "gate", "gate": [1.0, 2.0]}, "with the gate"),
        ({"kind": "gate", "gate": "1234"}, "with the gate"),
        ({"kind": "mean", "gate": [1.0, 2.0, 3.0, 4.0]}, "with the gate"),
        ({"kind": "gate", "gate": [1.0, 2.0, 3.0, float("nan")]}, "finite"),
        ({"kind": "gate", "gate": [1.0, 2.0, 3.0, float("inf")]}, "finite"),
        ({"kind": "gate", "gate": [1.0, 2.0, 3.0, "4"]}, "finite"),
        ({"kind": ["mean"]}, "is unknown"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(values: dict[str, object], told: str) -> None:
    with pytest.raises(BundleError, match=told):
        Pool.restored(values)


def test_vectors_of_a_pool_of_answers_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="pools answers"):
        Pool("scores").vectors(*photos([1]), 1)
