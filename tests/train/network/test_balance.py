"""Categories that weigh alike, by their weights in the loss or by how often they are shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from shelfwise.train.network.descent.losses import AttributeLoss, CategoryLoss, balanced_weights
from shelfwise.train.network.inputs.order import order_of


@dataclass
class Asked:
    sampling: str = "balanced"
    seed: int = 3


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_weights_are_those_of_scikit_learn_and_absent_categories_have_none(column: list[int]) -> None:
    weights = balanced_weights(np.bincount(column, minlength=12))
    present = np.unique(column)
    np.testing.assert_allclose(weights[present], compute_class_weight("balanced", classes=present, y=column), rtol=1e-6)
    assert np.isfinite(weights).all() and (np.delete(weights, present) == 0).all()
    assert weights[column].mean() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_weighted_loss_is_the_mean_worked_by_hand(smoothing: float) -> None:
    generator = torch.Generator().manual_seed(1)
    scores, column = torch.randn(5, 4, generator=generator), torch.tensor([0, 0, 0, 1, 2])
    counts = np.bincount(column, minlength=4)
    loss = CategoryLoss(counts, smoothing, "balanced")
    found = loss(scores, loss.target(column))
    logs, weights = torch.log_softmax(scores, dim=1).numpy(), balanced_weights(counts)
    expected = 0.0
    for row, own in enumerate(column.tolist()):
        for category in range(4):
            share = (1 - smoothing) * (category == own) + smoothing / 4
            expected -= share * weights[category] * logs[row, category] / 5
    assert float(found) == pytest.approx(expected, rel=1e-5)
    assert torch.isfinite(found)


def test_balanced_sampling_shows_every_category_alike() -> None:
    column = np.repeat([0, 1, 3], [6000, 900, 100]).astype(np.int32)  # nobody is of category 2
    shown = np.bincount(column[order_of(column, 0, Asked())], minlength=4)
    assert shown.sum() == 7000 and shown[2] == 0
    np.testing.assert_allclose(shown[[0, 1, 3]], 7000 / 3, rtol=0.06)


@given(st.integers(0, 50), st.integers(1, 200))
def test_an_epoch_shows_every_sample_once_in_an_order_of_its_own(epoch: int, samples: int) -> None:
    column = np.zeros(samples, np.int32)
    order = order_of(column, epoch, Asked("once"))
    np.testing.assert_array_equal(np.sort(order), np.arange(samples))
    np.testing.assert_array_equal(order, order_of(column, epoch, Asked("once")))


def test_smoothed_attributes_keep_their_frequencies() -> None:
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0]], np.bool_)
    loss = AttributeLoss(labels.mean(axis=0, dtype=np.float32), 0.1)
    target = loss.target(torch.from_numpy(labels))
    np.testing.assert_allclose(target.mean(dim=0), labels.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(target[0], [0.9 + 0.1 * 0.75, 0.1 * 0.5, 0.0], rtol=1e-6)


def test_the_loss_of_attributes_is_the_mean_over_samples_and_attributes() -> None:
    from sklearn.metrics import log_loss

    scores = torch.tensor([[2.0, -1.0], [0.5, 0.0]])
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = AttributeLoss(np.array([0.5, 0.5], np.float32), 0.0)
    told = torch.sigmoid(scores).numpy().astype(float)
    expected = np.mean([log_loss(labels[:, k], told[:, k]) for k in range(2)])
    assert float(loss(scores, loss.target(labels))) == pytest.approx(expected, rel=1e-6)
