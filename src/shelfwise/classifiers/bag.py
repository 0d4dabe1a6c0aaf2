"""Heads of one kind, each learned from other products, that answer together. Needs numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.classifiers.stored import positive, prefixed
from shelfwise.errors import BundleError
from shelfwise.statistics.head import softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shelfwise.classifiers.heads import Scorer
    from shelfwise.classifiers.stored import Stored, Tensors

    Restore = Callable[[dict[str, Any], Tensors], Scorer]

_LEAST = 1e-12
"""Probability that is not told from nothing, so that its logarithm is finite."""


@dataclass(frozen=True)
class Bag:
    """Heads whose probabilities are averaged, each at the temperature of its own.

    Source: Breiman, Bagging Predictors (1996), section 4.2 (probabilities averaged, not votes).
    """

    heads: tuple[Scorer, ...]
    temperatures: tuple[float, ...]

    def scores(self, x: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return the logarithms (n, c) of the heads' mean probabilities of vectors (n, d)."""
        pairs = zip(self.heads, self.temperatures, strict=True)
        mean = sum(softmax(head.scores(x), t) / np.float32(len(self.heads)) for head, t in pairs)
        return logarithms(np.asarray(mean))

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        parts = [head.stored() for head in self.heads]
        tensors = [prefixed(str(place), named) for place, (_, named) in enumerate(parts)]
        return {
            "kind": "bag",
            "heads": [values for values, _ in parts],
            "temperatures": list(self.temperatures),
        }, {name: tensor for part in tensors for name, tensor in part.items()}

    @classmethod
    def restored(cls, values: dict[str, Any], tensors: Tensors, restore: Restore) -> Bag:
        """Read what `stored` gave; restore(values, tensors) reads a head. Raises BundleError for anything else."""
        heads, temperatures = values["heads"], values["temperatures"]
        if not heads or len(heads) != len(temperatures) or any(head["kind"] == "bag" for head in heads):
            raise BundleError("bundle.json", f"a bag of {len(heads)} heads with {len(temperatures)} temperatures")
        return cls(
            tuple(restore(head, tensors.under(str(place))) for place, head in enumerate(heads)),
            tuple(positive(temperature, "temperature") for temperature in temperatures),
        )


def logarithms(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return finite logarithms of probabilities (n, c)."""
    return np.asarray(np.log(np.maximum(probabilities, _LEAST)), dtype=np.float32)
