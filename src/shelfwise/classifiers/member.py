"""One member of a classifier: the backbones it looks at, how it pools photos, its heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from shelfwise.classifiers import parts as parts_of
from shelfwise.classifiers.flat import Flat
from shelfwise.classifiers.levels import Levels
from shelfwise.classifiers.parts import Parts
from shelfwise.classifiers.pools import MEAN, Pool
from shelfwise.classifiers.routed import Routed
from shelfwise.classifiers.stored import Stored, Tensors
from shelfwise.errors import BundleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shelfwise.columns import Columns

HIERARCHIES: dict[str, type[Flat | Levels | Routed]] = {"flat": Flat, "levels": Levels, "routed": Routed}


class Model(Protocol):
    """Heads put together: vectors in, log-probabilities of all categories out."""

    def log_probabilities(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log-probabilities (n, c) of vectors (n, d)."""
        ...

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        ...


@dataclass(frozen=True)
class Member:
    """A model with what it looks at.

    name: for people; parts: (start, stop) slices of the feature vector, all of it where there are none.
    """

    name: str
    model: Model
    pool: Pool = MEAN
    parts: Parts = ()

    def seen(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the part of feature vectors (n, d) that it looks at."""
        return parts_of.seen(x, self.parts)

    def log_probabilities(
        self, x: NDArray[np.float32], product: NDArray[np.integer[Any]], products: int
    ) -> NDArray[np.float32]:
        """Return log-probabilities (products, c) of photos' vectors x (n, d), whose products (n,) ascend from 0."""
        return self.pool.log_probabilities(self.model.log_probabilities, self.seen(x), product, products)

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        description, tensors = self.model.stored()
        return {"name": self.name, "parts": self.parts, "pool": self.pool.stored(), "model": description}, tensors

    @classmethod
    def restored(cls, values: dict[str, Any], tensors: Tensors, d: int, columns: Columns) -> Member:
        """Read what `stored` gave, for feature vectors of length d."""
        parts = parts_of.restored(values["parts"], d)
        pool = Pool.restored(values["pool"])
        width = pool.width(parts_of.width(parts, d))
        hierarchy = values["model"]["hierarchy"]
        if hierarchy not in HIERARCHIES:
            raise BundleError("bundle.json", f"the hierarchy {hierarchy!r} is unknown")
        model = HIERARCHIES[hierarchy].restored(values["model"], tensors, width, columns)
        return cls(str(values["name"]), model, pool, parts)
