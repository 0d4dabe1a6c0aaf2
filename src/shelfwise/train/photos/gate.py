"""Learn how much each photo of a product counts, from answers about photos that were not learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from shelfwise.classifiers.pools import PHOTO_FEATURES, gated, photo_features

Gate = tuple[float, ...]
EVEN: Gate = (0.0,) * len(PHOTO_FEATURES)
_PRIOR = 1.0
"""Penalty on a gate's squared weights, in nats: few products do not move it far. Source: docs/experiments.md, products."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Photos of products with answers about them: features (n, f), the true category's log-probability (n,), whose (n,)."""

    features: NDArray[np.float64]
    log_truth: NDArray[np.float64]
    product: NDArray[np.int64]

    @classmethod
    def of(cls, log_probabilities: NDArray[np.float32], product: NDArray[np.int64], truth: NDArray[np.int32]) -> Judged:
        """Make it of photos' log-probabilities (n, c), whose products (n,) ascend from 0; truth: (p,) columns."""
        starts = np.searchsorted(product, np.arange(len(truth)))
        features = photo_features(log_probabilities, starts).astype(np.float64)
        log_truth = log_probabilities[np.arange(len(product)), truth[product]].astype(np.float64)
        return cls(features, log_truth, product)

    @classmethod
    def concatenate(cls, parts: list[Judged]) -> Judged:
        """Join those of different products, numbered on."""
        firsts = np.cumsum([0, *(part.product[-1] + 1 for part in parts[:-1])])
        return cls(
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.log_truth for part in parts]),
            np.concatenate([part.product + first for part, first in zip(parts, firsts, strict=True)]),
        )

    def take(self, products: NDArray[np.bool_]) -> Judged:
        """Return those of some products (p,)."""
        kept = products[self.product]
        return Judged(self.features[kept], self.log_truth[kept], (np.cumsum(products) - 1)[self.product[kept]])


def fit_gate(judged: Judged) -> Gate:
    """Return the weights of photos' features at which the products' log-loss is least; zeros where no product has two photos.

    A product's probability of its category is the sum over its photos of gated weight times probability; minimized by L-BFGS.
    """
    product, log_truth = judged.product, judged.log_truth
    if not len(product) or len(product) == product[-1] + 1:
        return EVEN
    starts = np.searchsorted(product, np.arange(product[-1] + 1))
    top = np.maximum.reduceat(log_truth, starts)
    share = np.exp(log_truth - top[product])

    def loss(gate: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = gated(judged.features @ gate, product, starts)
        said = np.add.reduceat(weights * share, starts)
        slope = judged.features.T @ (weights - weights * share / said[product])
        return float(_PRIOR * gate @ gate - (np.log(said) + top).sum()), 2 * _PRIOR * gate + slope

    found: Any = minimize(loss, np.zeros(judged.features.shape[1]), jac=True, method="L-BFGS-B")
    return tuple(float(weight) for weight in found.x)
