"""One head for all categories: the hierarchy that has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.classifiers.heads import Scorer, restored_head
from shelfwise.classifiers.stored import Stored, Tensors, positive, prefixed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.columns import Columns


@dataclass(frozen=True)
class Flat:
    """A head and the temperature that makes log-probabilities of its scores."""

    head: Scorer
    temperature: float

    def log_probabilities(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log-probabilities (n, c) of vectors (n, d)."""
        return log_softmax(self.head.scores(z), self.temperature)

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        description, tensors = self.head.stored()
        return {"hierarchy": "flat", "temperature": self.temperature, "head": description}, prefixed("head", tensors)

    @classmethod
    def restored(cls, values: dict[str, Any], tensors: Tensors, d: int, columns: Columns) -> Flat:
        """Read what `stored` gave."""
        head = restored_head(values["head"], tensors.under("head"), d, len(columns))
        return cls(head, positive(values["temperature"], "temperature"))


def log_softmax(scores: NDArray[np.floating[Any]], temperature: float) -> NDArray[np.float32]:
    """Return log-probabilities (n, c) of scores; a lower temperature makes them more decided."""
    below = np.asarray((scores - scores.max(axis=1, keepdims=True)) / temperature, dtype=np.float32)
    return np.asarray(below - np.log(np.exp(below).sum(axis=1, keepdims=True)))
