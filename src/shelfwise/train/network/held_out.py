"""Products that a network does not learn from, answered after every epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from shelfwise.classifiers.pools import Pool
from shelfwise.train.network.samples import Samples

SCORES = Pool("scores")
"""A product's answer is the mean of its photos'. Source: report R4."""


class HeldOut:
    """Held-out products: samples (n, ...) of their photos, product (n,) whose each is, column (p,) their categories."""

    def __init__(
        self, samples: Samples, product: NDArray[np.int64], column: NDArray[np.int32], batch: int, device: torch.device
    ) -> None:
        self._samples, self._product, self._column = samples, product, column
        self._batch, self._device = batch, device

    def judge(self, network: nn.Module) -> tuple[float, float]:
        """Return log-loss in nats and accuracy of the products; leaves every module in the mode that it was in."""
        told = self.log_probabilities(network)
        own = told[np.arange(len(told)), self._column]
        return float(-own.mean()), float((told.argmax(axis=1) == self._column).mean())

    def log_probabilities(self, network: nn.Module) -> NDArray[np.float32]:
        """Return the log-probabilities (p, c) of the products."""
        modes = {module: module.training for module in network.modules()}
        network.eval()
        rows = np.arange(len(self._samples))
        parts = [rows[start : start + self._batch] for start in range(0, len(rows), self._batch)]
        with torch.no_grad():
            scores: list[Any] = [
                torch.log_softmax(network(batch.to(self._device)).float(), dim=1).cpu().numpy()
                for batch in self._samples.batches(0, parts)
            ]
        for module, mode in modes.items():
            module.training = mode
        return SCORES.answers(np.concatenate(scores), self._product, len(self._column))
