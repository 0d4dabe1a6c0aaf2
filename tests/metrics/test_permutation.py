from __future__ import annotations

import itertools

import numpy as np
import pytest
from drawn_answers import plain_answers

from shelfwise.metrics.confusion import Confusion, confusion
from shelfwise.metrics.permutation import permuted_labels


def simulated(
    rng: np.random.Generator, n: int, c: int, accuracy: float, renaming: list[int] | None = None
) -> Confusion:
    """Answer rightly with the given probability, else any category; then rename the answers."""
    truth = rng.integers(0, c, n)
    answer = np.where(rng.random(n) < accuracy, truth, rng.integers(0, c, n))
    if renaming is not None:
        answer = np.array(renaming)[answer]
    return confusion(plain_answers(truth.tolist(), answer.tolist(), c))


@pytest.mark.parametrize(
    "renaming",
    [[1, 0, 2], [1, 2, 0], [2, 1, 0], [0, 2, 1, 3, 4], [1, 2, 3, 4, 0], [4, 3, 2, 1, 0]],
    ids=["swap", "shifted", "mirrored", "middle swap", "shifted by one", "reversed"],
)
def test_a_renamed_model_is_noticed_and_the_right_names_are_proposed(renaming: list[int]) -> None:
    counts = simulated(np.random.default_rng(0), 400, len(renaming), 0.9, renaming)
    found = permuted_labels(counts)
    assert found is not None
    assert found.renamed == {f"k{after}": f"k{before}" for before, after in enumerate(renaming) if before != after}
    assert "labels look permuted" in found.message()


def test_the_best_renaming_is_that_of_trying_all() -> None:
    counts = simulated(np.random.default_rng(5), 200, 4, 0.8, [1, 2, 3, 0])
    matrix = counts.dense()
    best = max(sum(matrix[t, a] for t, a in enumerate(order)) for order in itertools.permutations(range(4)))
    found = permuted_labels(counts)
    assert found is not None
    assert found.best == best / 200


def test_two_hundred_healthy_models_raise_no_alarm() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        c = int(rng.integers(2, 12))
        counts = simulated(rng, int(rng.integers(20, 600)), c, float(rng.uniform(0.0, 1.0)))
        assert permuted_labels(counts) is None


def test_too_few_products_for_their_categories_stay_silent() -> None:
    rng = np.random.default_rng(2)
    assert permuted_labels(simulated(rng, 99, 5, 1.0, [1, 2, 3, 4, 0])) is None
    assert permuted_labels(simulated(rng, 100, 5, 1.0, [1, 2, 3, 4, 0])) is not None


def test_a_category_that_is_absent_does_not_get_in_the_way() -> None:
    found = permuted_labels(confusion(plain_answers([0] * 60 + [1] * 60, [3] * 60 + [0] * 60, 9)))
    assert found is not None
    assert found.renamed == {"k3": "k0", "k0": "k1"}


def test_no_products_raise_no_alarm() -> None:
    assert permuted_labels(confusion(plain_answers([], [], 3))) is None
