"""Heads with hidden layers and bags, against torch, scikit-learn and plain loops."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shelfwise.classifiers import mlp
from shelfwise.classifiers.bag import Bag
from shelfwise.classifiers.heads import Linear, Scorer, restored_head
from shelfwise.classifiers.mlp import Mlp
from shelfwise.classifiers.stored import Tensors
from shelfwise.errors import BundleError


def drawn_mlp(*widths: int, seed: int = 0) -> Mlp:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=pair).astype(np.float32) for pair in pairwise(widths)]
    return Mlp(tuple(weights), tuple(rng.normal(size=width).astype(np.float32) for width in widths[1:]))


def drawn_rows(n: int, d: int) -> NDArray[np.float32]:
    return np.random.default_rng(9).normal(size=(n, d)).astype(np.float32)


def read_again(head: Scorer, d: int, c: int) -> Scorer:
    values, tensors = head.stored()
    left = Tensors(tensors)
    again = restored_head(values, left, d, c)
    left.refuse_rest()
    return again


def test_scores_are_those_of_torch_with_the_same_weights():
    torch = pytest.importorskip("torch", reason="the extra [torch] is not installed")
    head, x = drawn_mlp(7, 11, 5, 3), drawn_rows(20, 7)
    layers: list[Any] = []
    for weight, bias in zip(head.weights, head.biases, strict=True):
        linear = torch.nn.Linear(*weight.shape)
        linear.weight.data, linear.bias.data = torch.from_numpy(weight.T.copy()), torch.from_numpy(bias)
        layers += [linear, torch.nn.ReLU()]
    with torch.no_grad():
        expected = torch.nn.Sequential(*layers[:-1])(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(head.scores(x), expected, rtol=1e-4, atol=1e-4)


def test_probabilities_are_those_of_scikit_learn_with_the_same_weights():
    from sklearn.neural_network import MLPClassifier

    x, column = drawn_rows(60, 6), np.arange(60) % 4
    model = MLPClassifier((8, 5), random_state=0).partial_fit(x, column, classes=np.arange(4))
    head = Mlp(tuple(model.coefs_), tuple(model.intercepts_))
    powers = np.exp(head.scores(x))
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), model.predict_proba(x), rtol=1e-4)


def test_many_rows_are_scored_in_blocks_with_the_same_answers(monkeypatch: pytest.MonkeyPatch):
    head, x = drawn_mlp(4, 30, 6), drawn_rows(101, 4)
    whole = head.scores(x)
    monkeypatch.setattr(mlp, "_BLOCK_VALUES", 300)
    np.testing.assert_allclose(head.scores(x), whole, rtol=1e-5, atol=1e-6)


def test_no_rows_give_no_scores():
    assert drawn_mlp(4, 3, 2).scores(np.empty((0, 4), np.float32)).shape == (0, 2)


@given(widths=st.lists(st.integers(1, 6), min_size=2, max_size=5), seed=st.integers(0, 99))
def test_a_head_that_is_stored_and_read_again_scores_the_same_bits(widths: list[int], seed: int):
    head, x = drawn_mlp(*widths, seed=seed), drawn_rows(5, widths[0])
    assert read_again(head, widths[0], widths[-1]).scores(x).tobytes() == head.scores(x).tobytes()


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([12], r"weight.0 has the shape \(4, 3\)"),
        ([3, 3], r"weight.1 has the shape \(3, 2\)"),
        ([], r"weight.0 has the shape"),
        ([0], "hidden layers of the widths"),
        ([True], "hidden layers of the widths"),
        ("3", "hidden layers of the widths"),
        ([3.0], "hidden layers of the widths"),
    ],
)
def test_layers_that_do_not_chain_are_refused(layers: object, told: str):
    _, tensors = drawn_mlp(4, 3, 2).stored()
    with pytest.raises(BundleError, match=told):
        restored_head({"kind": "mlp", "layers": layers}, Tensors(tensors), 4, 2)


def test_weights_that_are_no_numbers_or_belong_to_nothing_are_refused():
    values, tensors = drawn_mlp(4, 3, 2).stored()
    with pytest.raises(BundleError, match=r"bias\.0 holds values that are not finite"):
        restored_head(values, Tensors(tensors | {"bias.0": np.full(3, np.nan, np.float32)}), 4, 2)
    left = Tensors(tensors | {"weight.7": np.zeros((2, 2), np.float32)})
    restored_head(values, left, 4, 2)
    with pytest.raises(BundleError, match=r"holds weight\.7, which belongs to nothing"):
        left.refuse_rest()


def test_a_bag_answers_with_the_mean_of_its_heads_probabilities():
    heads = (drawn_mlp(4, 5, 3, seed=1), Linear(drawn_rows(4, 3), np.zeros(3, np.float32)))
    temperatures, x = (0.5, 2.0), drawn_rows(6, 4)
    bag = Bag(heads, temperatures)
    for row, said in zip(x, np.exp(bag.scores(x)), strict=True):
        tables = []
        for head, temperature in zip(heads, temperatures, strict=True):
            powers = [np.exp(float(score) / temperature) for score in head.scores(row[None])[0]]
            tables.append([power / sum(powers) for power in powers])
        np.testing.assert_allclose(said, np.mean(tables, axis=0), rtol=1e-4)
    assert read_again(bag, 4, 3).scores(x).tobytes() == bag.scores(x).tobytes()


@pytest.mark.parametrize(
    "wrong", [{"temperatures": [1.0]}, {"heads": [], "temperatures": []}, {"temperatures": [1.0, 0.0]}]
)
def test_a_bag_whose_heads_and_temperatures_do_not_fit_is_refused(wrong: dict[str, Any]):
    values, tensors = Bag((drawn_mlp(4, 2), drawn_mlp(4, 2, seed=1)), (1.0, 1.0)).stored()
    with pytest.raises(BundleError):
        restored_head(values | wrong, Tensors(tensors), 4, 2)


def test_a_bag_in_a_bag_is_refused_so_that_no_file_nests_without_end():
    values, tensors = Bag((Bag((drawn_mlp(4, 2),), (1.0,)),), (1.0,)).stored()
    with pytest.raises(BundleError, match="a bag of 1 heads"):
        restored_head(values, Tensors(tensors), 4, 2)
