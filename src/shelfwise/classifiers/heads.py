"""The kinds of heads that a bundle can hold: vectors in, one score a category out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from shelfwise.classifiers.bag import Bag
from shelfwise.classifiers.mlp import Mlp
from shelfwise.classifiers.stored import Stored, Tensors
from shelfwise.errors import BundleError
from shelfwise.statistics.head import Head

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Scorer(Protocol):
    """Anything that scores vectors."""

    def scores(self, x: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Return scores (n, c) of vectors (n, d)."""
        ...

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        ...


class Linear(Head):
    """A linear head that can be stored."""

    @classmethod
    def of(cls, head: Head) -> Linear:
        """Make it of a head of any precision."""
        return cls(head.weight.astype(np.float32), head.intercept.astype(np.float32))

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        return {"kind": "linear"}, {
            "weight": np.ascontiguousarray(self.weight),
            "intercept": np.asarray(self.intercept),
        }


def restored_head(values: dict[str, Any], tensors: Tensors, d: int, c: int) -> Scorer:
    """Read a head for vectors of length d and c categories; raises BundleError for anything else."""
    if values["kind"] == "linear":
        return Linear(tensors.take("weight", (d, c)), tensors.take("intercept", (c,)))
    if values["kind"] == "mlp":
        return Mlp.restored(values, tensors, d, c)
    if values["kind"] == "bag":
        return Bag.restored(values, tensors, lambda of_one, its: restored_head(of_one, its, d, c))
    raise BundleError("bundle.json", f"a head of the kind {values['kind']!r} is unknown")
