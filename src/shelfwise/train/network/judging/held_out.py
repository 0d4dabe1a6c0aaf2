"""Products that a network does not learn from, answered after every epoch."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shelfwise.classifiers.pools import Pool
from shelfwise.metrics.attributes import crossed_answers, micro_f1
from shelfwise.train.network.inputs.photos import Photos
from shelfwise.train.network.inputs.samples import Samples

SCORES = Pool("scores")
"""A product's answer is the mean of its photos'. Source: report R4."""
_BATCH = 64
_LEAST = 1e-7


class Judge(Protocol):
    """Held-out products, by which epochs are told apart."""

    def judge(self, network: nn.Module) -> tuple[float, float]:
        """Return log-loss in nats and how many answers are right, from 0 to 1; leaves every module in its mode."""
        ...


class HeldOut:
    """Held-out products of one category each: samples (n, ...) of their photos."""

    def __init__(self, samples: Samples, photos: Photos, device: torch.device) -> None:
        self._samples, self._photos, self._device = samples, photos, device

    def judge(self, network: nn.Module) -> tuple[float, float]:
        """Return log-loss in nats and accuracy of the products; leaves every module in the mode that it was in."""
        told, column = self.log_probabilities(network), self._photos.column
        own = told[np.arange(len(told)), column]
        return float(-own.mean()), float((told.argmax(axis=1) == column).mean())

    def log_probabilities(self, network: nn.Module) -> NDArray[np.float32]:
        """Return the log-probabilities (p, c) of the products."""
        scores = torch.log_softmax(_scores(network, self._samples, self._device), dim=1).numpy()
        return SCORES.answers(scores, self._photos.product, len(self._photos.product_ids))


class HeldOutAttributes:
    """Held-out products of several attributes each: samples (n, ...) of their photos."""

    def __init__(self, samples: Samples, photos: Photos, device: torch.device) -> None:
        self._samples, self._photos, self._device = samples, photos, device

    def judge(self, network: nn.Module) -> tuple[float, float]:
        """Return log-loss in nats, a mean over attributes, and micro-F1; leaves every module in the mode that it was in.

        The threshold of one half of the products is the best one of the other half.
        """
        told, labels = self.probabilities(network), self._photos.column.astype(np.bool_)
        own = np.where(labels, told, 1 - told)
        return float(-np.log(np.maximum(own, _LEAST)).mean()), micro_f1(crossed_answers(told, labels), labels)

    def probabilities(self, network: nn.Module) -> NDArray[np.float32]:
        """Return the probabilities (p, l) of the products' attributes: the mean over their photos."""
        told = torch.sigmoid(_scores(network, self._samples, self._device)).numpy()
        starts = np.searchsorted(self._photos.product, np.arange(len(self._photos.product_ids)))
        count = np.diff(np.append(starts, len(told)))
        return np.asarray(np.add.reduceat(told, starts, axis=0) / count[:, None], dtype=np.float32)


def _scores(network: nn.Module, samples: Samples, device: torch.device) -> Tensor:
    """Return what a network says of all samples, (n, c) float32, in the mode in which it answers."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    rows = np.arange(len(samples))
    parts = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    with torch.no_grad():
        scores: list[Any] = [network(batch.to(device)).float().cpu() for batch in samples.batches(0, parts)]
    for module, mode in modes.items():
        module.training = mode
    return torch.cat(scores)
