"""Micro-F1 of attributes and the threshold that is best for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from shelfwise.metrics.attributes import best_threshold, crossed_answers, micro_f1


def answers(seed: int, products: int, attributes: int, decimals: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    chance = np.random.default_rng(seed)
    labels = chance.random((products, attributes)) < 0.3
    told = np.clip(labels * 0.3 + chance.random(labels.shape) * 0.7, 0, 1)
    return np.round(told, decimals).astype(np.float32), labels


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 5), st.integers(1, 6))
def test_the_threshold_is_the_best_of_all(seed: int, products: int, attributes: int, decimals: int) -> None:
    told, labels = answers(seed, products, attributes, decimals)
    every = [micro_f1(told >= value, labels) for value in np.unique(told)]
    if labels.any():
        assert micro_f1(told >= best_threshold(told, labels), labels) == pytest.approx(max(every))


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(2, 5))
def test_micro_f1_is_that_of_scikit_learn(seed: int, products: int, attributes: int) -> None:
    told, labels = answers(seed, products, attributes, 2)
    answered = told > 0.5
    expected = f1_score(labels, answered, average="micro", zero_division=1.0)
    assert micro_f1(answered, labels) == pytest.approx(expected)


def test_nobody_has_a_say_in_the_threshold_of_his_own_half() -> None:
    told, labels = answers(1, 40, 6, 5)
    expected = np.zeros_like(labels)
    expected[0::2] = told[0::2] >= best_threshold(told[1::2], labels[1::2])
    expected[1::2] = told[1::2] >= best_threshold(told[0::2], labels[0::2])
    np.testing.assert_array_equal(crossed_answers(told, labels), expected)


def test_attributes_that_are_all_noise_are_not_flattered() -> None:
    chance = np.random.default_rng(0)
    labels, told = chance.random((400, 5)) < 0.2, chance.random((400, 5))
    everything = micro_f1(np.ones_like(labels), labels)
    assert micro_f1(crossed_answers(told, labels), labels) <= everything + 0.02
