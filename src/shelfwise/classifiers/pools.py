"""How the photos of a product become one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PoolKind = Literal["mean"]


@dataclass(frozen=True)
class Pool:
    """How photos' vectors become a product's: their mean."""

    kind: PoolKind = "mean"

    def width(self, d: int) -> int:
        """Return the length of a product's vector where a photo's is d."""
        return d

    def vectors(self, x: NDArray[np.float32], product: NDArray[np.integer[Any]], products: int) -> NDArray[np.float32]:
        """Return vectors (products, width) of photos' vectors x (n, d), whose products (n,) ascend from 0 without gaps."""
        starts = np.searchsorted(product, np.arange(products))
        counts = np.diff(np.append(starts, len(product)))
        return np.asarray(np.add.reduceat(x, starts, axis=0) / counts[:, None].astype(np.float32))

    def stored(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"kind": self.kind}

    @classmethod
    def restored(cls, values: dict[str, Any]) -> Pool:
        """Read what `stored` gave."""
        if values["kind"] != "mean":
            raise BundleError("bundle.json", f"a pool of the kind {values['kind']!r} is unknown")
        return cls("mean")


MEAN = Pool("mean")
