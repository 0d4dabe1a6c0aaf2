"""What a network is to make small."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from shelfwise.train.network.settings import Settings


class Loss(Protocol):
    """Scores (m, c) held against targets."""

    def target(self, column: Tensor) -> Tensor:
        """Return the targets (m, c) of samples."""
        ...

    def __call__(self, scores: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss, in nats."""
        ...


class CategoryLoss:
    """Cross-entropy with one category a sample. counts: (c,) samples of each category."""

    def __init__(self, counts: NDArray[np.int64], smoothing: float, weights: str) -> None:
        self._categories, self._smoothing = len(counts), smoothing
        self._weight = torch.from_numpy(balanced_weights(counts)) if weights == "balanced" else None

    def target(self, column: Tensor) -> Tensor:
        """Return the targets: 1 for the sample's category."""
        return one_hot(column.long(), self._categories).float()

    def __call__(self, scores: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss."""
        weight = None if self._weight is None else self._weight.to(scores.device)
        return cross_entropy(scores, target, weight=weight, label_smoothing=self._smoothing)


class AttributeLoss:
    """Binary cross-entropy of every attribute, where a sample has several; the mean over samples and attributes.

    frequency: (l,) share of the samples that have each attribute, towards which targets are smoothed.
    """

    def __init__(self, frequency: NDArray[np.float32], smoothing: float) -> None:
        self._frequency, self._smoothing = torch.from_numpy(frequency), smoothing

    def target(self, column: Tensor) -> Tensor:
        """Return the targets (m, l): near 1 for each attribute that the sample has."""
        return torch.lerp(column.float(), self._frequency, self._smoothing)

    def __call__(self, scores: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss."""
        return binary_cross_entropy_with_logits(scores, target)


def balanced_weights(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return weights (c,) that let every category weigh alike, 1 in the mean over samples; 0 for one without samples.

    Source: King and Zeng, Logistic regression in rare events data (2001), as scikit-learn's `balanced`.
    """
    present = counts > 0
    weights = counts.sum() / (present.sum() * np.maximum(counts, 1))
    return np.where(present, weights, 0.0).astype(np.float32)


def loss_of(settings: Settings, column: NDArray[Any], scores: int) -> Loss:
    """Return the loss that the settings ask for; column: (n,) or (n, l) of the samples, scores: how many a network gives."""
    if settings.learn == "attributes":
        return AttributeLoss(column.mean(axis=0, dtype=np.float32), settings.label_smoothing)
    counts = np.bincount(column, minlength=scores)
    return CategoryLoss(counts, settings.label_smoothing, settings.class_weights)
