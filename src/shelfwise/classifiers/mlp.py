"""A head with hidden layers. Needs numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.classifiers.stored import Stored, Tensors

_BLOCK_VALUES = 16_000_000
"""Values of the widest layer that are held at once, 64 MB."""


@dataclass(frozen=True)
class Mlp:
    """Linear maps with ReLU, max(0, .), between them. weights: (d, h1), (h1, h2), ..., (h, c); biases: (h1,), ..., (c,)."""

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def scores(self, x: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return scores (n, c) of vectors (n, d), float32."""
        scores = np.empty((len(x), len(self.biases[-1])), dtype=np.float32)
        block = max(1, _BLOCK_VALUES // max(len(bias) for bias in self.biases))
        for start in range(0, len(x), block):
            scores[start : start + block] = self._scores(np.asarray(x[start : start + block], dtype=np.float32))
        return scores

    def _scores(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = x @ weight
            x += bias
            np.maximum(x, 0, out=x)
        return np.asarray(x @ self.weights[-1] + self.biases[-1])

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        layers = [len(bias) for bias in self.biases[:-1]]
        tensors = {f"weight.{place}": np.ascontiguousarray(weight) for place, weight in enumerate(self.weights)}
        return {"kind": "mlp", "layers": layers}, tensors | {f"bias.{p}": b for p, b in enumerate(self.biases)}

    @classmethod
    def restored(cls, values: dict[str, Any], tensors: Tensors, d: int, c: int) -> Mlp:
        """Read what `stored` gave, for vectors of length d and c categories; raises BundleError for anything else."""
        layers = values["layers"]
        if not isinstance(layers, list) or any(type(width) is not int or width < 1 for width in layers):
            raise BundleError("bundle.json", f"a head with hidden layers of the widths {layers!r}")
        widths = [d, *layers, c]
        return cls(
            tuple(tensors.take(f"weight.{place}", shape) for place, shape in enumerate(pairwise(widths))),
            tuple(tensors.take(f"bias.{place}", (width,)) for place, width in enumerate(widths[1:])),
        )
