"""Which products a catalog holds, and in which state, in 24 bytes a product."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalog import Catalog


class KnownProducts:
    """Ids and fingerprints of a catalog's products; None stands for no catalog."""

    def __init__(self, catalog: Catalog | None) -> None:
        ids = [np.empty(0, np.uint64)]
        fingerprints = [np.empty((0, 2), ">u8")]
        for batch in catalog.batches("products", ["product_id", "fingerprint"]) if catalog else ():
            ids.append(np.array([_hashed(text) for text in batch.column("product_id").to_pylist()], np.uint64))
            joined = b"".join(value or bytes(16) for value in batch.column("fingerprint").to_pylist())
            fingerprints.append(np.frombuffer(joined, ">u8").reshape(-1, 2))
        self._ids = np.sort(np.concatenate(ids))
        pairs = np.concatenate(fingerprints).astype(np.uint64)
        self._fingerprints = pairs[np.argsort(pairs[:, 0])]

    def has_id(self, product_id: str) -> bool:
        """Tell whether a product of this id is there, in whatever state."""
        start, stop = _places(self._ids, _hashed(product_id))
        return start < stop

    def has(self, fingerprint: bytes) -> bool:
        """Tell whether a product is there in just this state; the id is part of the fingerprint."""
        first, second = np.frombuffer(fingerprint, ">u8").astype(np.uint64)
        start, stop = _places(self._fingerprints[:, 0], first)
        return bool((self._fingerprints[start:stop, 1] == second).any())


def _hashed(product_id: str) -> np.uint64:
    digest = hashlib.blake2b(product_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "big"))


def _places(ordered: NDArray[np.uint64], value: np.uint64) -> tuple[int, int]:
    """Return where the values equal to `value` begin and end."""
    return int(np.searchsorted(ordered, value, "left")), int(np.searchsorted(ordered, value, "right"))
