"""What a network is to make small."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot


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
        self._weight = None
        if weights == "balanced":
            self._weight = torch.from_numpy((counts.sum() / len(counts) / counts).astype(np.float32))

    def target(self, column: Tensor) -> Tensor:
        """Return the targets: 1 for the sample's category."""
        return one_hot(column.long(), self._categories).float()

    def __call__(self, scores: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss."""
        weight = None if self._weight is None else self._weight.to(scores.device)
        return cross_entropy(scores, target, weight=weight, label_smoothing=self._smoothing)
