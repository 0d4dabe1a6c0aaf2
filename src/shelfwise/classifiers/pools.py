"""How the photos of a product become one answer: by pooling their vectors, or the answers about them.

Photos come product by product, in their order; `product` (n,) says whose each is, ascending from 0 without gaps. A photo that
is missing is not there: every pool takes any number of photos from one on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.integer[Any]]

PoolKind = Literal["mean", "max", "concat", "scores", "gate"]
KINDS: tuple[PoolKind, ...] = get_args(PoolKind)
OF_ANSWERS: tuple[PoolKind, ...] = ("scores", "gate")
"""Pools of answers: the head learns from photos. The others pool vectors: it learns from products."""
Answer = Callable[["NDArray[np.float32]"], "NDArray[np.float32]"]


@dataclass(frozen=True)
class Pool:
    """How photos become a product.

    mean and max are of the photos' vectors; concat is the first photo's vector beside the mean of the others', and a lone
    photo stands for both; scores is the mean of the probabilities of the photos; gate weighs them by gate . features, see
    `photo_features`. Source: scores as in R4's system, mean of photo scores; docs/experiments.md, entry on products.
    """

    kind: PoolKind = "mean"
    gate: tuple[float, ...] = ()

    def width(self, d: int) -> int:
        """Return the length of the vectors that the model looks at where a photo's is d."""
        return 2 * d if self.kind == "concat" else d

    def log_probabilities(
        self, answer: Answer, x: NDArray[np.float32], product: Numbers, products: int
    ) -> NDArray[np.float32]:
        """Return log-probabilities (products, c) of photos' vectors x (n, d); answer: vectors to log-probabilities."""
        if self.kind in OF_ANSWERS:
            return self.answers(answer(x), product, products)
        return answer(self.vectors(x, product, products))

    def vectors(self, x: NDArray[np.float32], product: Numbers, products: int) -> NDArray[np.float32]:
        """Return products' vectors (products, width) of photos' vectors x (n, d)."""
        starts, count = _photos(product, products)
        if self.kind == "max":
            return np.asarray(np.maximum.reduceat(x, starts, axis=0))
        if self.kind == "mean":
            return x if len(x) == products else _sums(x, starts) / count[:, None]
        if self.kind == "concat":
            first = x[starts]
            others = np.where(count[:, None] > 1, _sums(x, starts) - first, first)
            return np.concatenate([first, others / np.maximum(count - 1, 1)[:, None]], axis=1)
        raise ValueError(f"{self.kind} pools answers")

    def answers(self, log_probabilities: NDArray[np.float32], product: Numbers, products: int) -> NDArray[np.float32]:
        """Return log-probabilities (products, c) of photos' log-probabilities (n, c): their weighted mean's logarithm."""
        if len(log_probabilities) == products:
            return log_probabilities
        starts, count = _photos(product, products)
        if self.kind == "gate":
            weights = gated(
                photo_features(log_probabilities, starts) @ np.array(self.gate, np.float32), product, starts
            )
        else:
            weights = (1 / count)[product]
        top = np.maximum(np.maximum.reduceat(log_probabilities, starts, axis=0), np.finfo(np.float32).min)
        shares = np.exp(log_probabilities - top[product]) * weights[:, None]
        with np.errstate(divide="ignore"):  # a category that every photo rules out
            return np.asarray(np.log(_sums(shares, starts)) + top)

    def stored(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"kind": self.kind} | ({"gate": list(self.gate)} if self.kind == "gate" else {})

    @classmethod
    def restored(cls, values: dict[str, Any]) -> Pool:
        """Read what `stored` gave; raises BundleError for anything else."""
        kind, gate = values["kind"], values.get("gate", [])
        if kind not in KINDS:
            raise BundleError("bundle.json", f"a pool of the kind {kind!r} is unknown")
        if not isinstance(gate, list) or len(gate) != (len(PHOTO_FEATURES) if kind == "gate" else 0):
            raise BundleError("bundle.json", f"a pool of the kind {kind!r} with the gate {gate!r}")
        if not all(isinstance(weight, (int, float)) and abs(weight) < _LARGEST for weight in gate):
            raise BundleError("bundle.json", f"the gate {gate!r} is not of finite numbers")
        return cls(kind, tuple(map(float, gate)))


MEAN = Pool("mean")
PHOTO_FEATURES = ("certainty", "top", "margin", "first")
_LARGEST = 1e6


def photo_features(log_probabilities: NDArray[np.float32], starts: Numbers) -> NDArray[np.float32]:
    """Return what a gate sees of each photo, (n, 4), all from 0 to 1.

    How far the answer is from knowing nothing (1 - entropy / log c), its highest probability, the distance to the next one,
    and whether it is its product's first photo. starts: (products,) the first photo of each.
    """
    probabilities = np.exp(log_probabilities)
    c = log_probabilities.shape[1]
    entropy = -(probabilities * np.maximum(log_probabilities, np.log(np.finfo(np.float32).tiny))).sum(axis=1)
    best = np.partition(probabilities, -2, axis=1)[:, -2:]
    first = np.zeros(len(log_probabilities), dtype=np.float32)
    first[starts] = 1
    return np.stack([1 - entropy / np.log(c), best[:, 1], best[:, 1] - best[:, 0], first], axis=1).astype(np.float32)


def gated(logits: NDArray[np.floating[Any]], product: Numbers, starts: Numbers) -> NDArray[np.floating[Any]]:
    """Return the weights (n,) of photos: the softmax of their logits within each product."""
    powers = np.exp(logits - np.maximum.reduceat(logits, starts)[product])
    return np.asarray(powers / np.add.reduceat(powers, starts)[product])


def _photos(product: Numbers, products: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    starts = np.searchsorted(product, np.arange(products))
    return starts, np.diff(np.append(starts, len(product))).astype(np.float32)


def _sums(x: NDArray[np.float32], starts: Numbers) -> NDArray[np.float32]:
    return np.asarray(np.add.reduceat(x, starts, axis=0))
