"""Who shows which picture on which shelf, as numbers: what whole-catalog questions are asked of, in some 30 bytes a photo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.catalog.store import Catalog

Places = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Inventory:
    """The usable photos (status ok) of a catalog: n photos of p products, showing m distinct pictures.

    photo_row: (n,) rows of the image table, ascending; photo_product: (n,) rows of the product table; photo_picture: (n,)
    number of the picture, equal for equal bytes; first_photo: (m,) the first photo that shows a picture, ascending;
    hashes: (m,) uint64 perceptual hashes; category, split, group: (p,) numbers in `categories`, `splits`, `groups`, -1 for
    none. Products without a usable photo are in (p,) too.
    """

    photo_row: Places
    photo_product: Places
    photo_picture: Places
    first_photo: Places
    hashes: NDArray[np.uint64]
    category: Places
    split: Places
    group: Places
    categories: tuple[str, ...]
    splits: tuple[str, ...]
    groups: int

    @property
    def photos(self) -> int:
        """Number n of usable photos."""
        return len(self.photo_row)

    @property
    def products(self) -> int:
        """Number p of products."""
        return len(self.category)

    @property
    def pictures(self) -> int:
        """Number m of distinct pictures."""
        return len(self.first_photo)


def take_inventory(catalog: Catalog) -> Inventory:
    """Read a catalog's tables into numbers, in two passes that hold no text.

    Ids are met by 64-bit hashes of them, pictures by the first 8 bytes of their sha256.
    """
    category, split, group = _Codes(), _Codes(), _Codes()
    ids = [np.empty(0, np.int64)]
    for batch in catalog.batches("products", ["product_id", "category", "split", "group"]):
        ids.append(_hashes(batch.column("product_id")))
        for codes, name in ((category, "category"), (split, "split"), (group, "group")):
            codes.add(batch.column(name))
    known = np.concatenate(ids)
    order = np.argsort(known, kind="stable")
    rows, products, digests, hashes = ([np.empty(0, t)] for t in (np.int32, np.int32, np.uint64, np.uint64))
    for first, batch in _usable(catalog):
        rows.append(first)
        place = np.searchsorted(known, _hashes(batch.column("product_id")), sorter=order)
        products.append(order[place].astype(np.int32))
        digests.append(first_bytes(batch.column("sha256")))
        hashes.append(batch.column("perceptual_hash").to_numpy(zero_copy_only=False).astype(np.uint64))
    photo_picture, first_photo = _numbered(np.concatenate(digests))
    return Inventory(
        photo_row=np.concatenate(rows), photo_product=np.concatenate(products), photo_picture=photo_picture,
        first_photo=first_photo, hashes=np.concatenate(hashes)[first_photo], category=category.codes(),
        split=split.codes(), group=group.codes(), categories=tuple(category.names), splits=tuple(split.names),
        groups=len(group.names),
    )  # fmt: skip


def picture_digests(catalog: Catalog, inventory: Inventory) -> NDArray[np.uint64]:
    """Read the first 8 bytes (m,) of the sha256 of an inventory's pictures, as numbers."""
    rows, start = inventory.photo_row[inventory.first_photo], 0
    digests = np.zeros(len(rows), np.uint64)
    for batch in catalog.batches("images", ["sha256"]):
        first, past = np.searchsorted(rows, (start, start + len(batch)))
        digests[first:past] = first_bytes(batch.column("sha256"))[rows[first:past] - start]
        start += len(batch)
    return digests


def first_bytes(digests: pa.Array) -> NDArray[np.uint64]:
    """Return the first 8 bytes of sha256 digests as numbers, (n,)."""
    if not len(digests):
        return np.empty(0, np.uint64)
    width, start = 32, digests.offset * 32
    raw = np.frombuffer(digests.buffers()[1], np.uint8)[start : start + len(digests) * width]
    return np.ascontiguousarray(raw.reshape(-1, width)[:, :8]).view(np.uint64).ravel()


def _usable(catalog: Catalog) -> Iterator[tuple[Places, pa.RecordBatch]]:
    """Go through the photos with status ok: their rows, and what is needed of them."""
    start = 0
    for batch in catalog.batches("images", ["product_id", "sha256", "perceptual_hash", "status"]):
        ok = pc.equal(batch.column("status"), "ok")
        rows = start + np.flatnonzero(ok.to_numpy(zero_copy_only=False))
        start += len(batch)
        yield rows.astype(np.int32), batch.filter(ok)


class _Codes:
    """Numbers texts in the order in which they come."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._parts = [np.empty(0, np.int32)]

    def add(self, column: pa.Array) -> None:
        column = pc.if_else(pc.equal(column, ""), None, column)
        encoded = column.dictionary_encode()
        numbers = [self.names.setdefault(name, len(self.names)) for name in encoded.dictionary.to_pylist()]
        table = np.array([*numbers, -1], np.int32)
        self._parts.append(table[encoded.indices.fill_null(len(numbers)).to_numpy(zero_copy_only=False)])

    def codes(self) -> Places:
        return np.concatenate(self._parts)


def _hashes(ids: pa.Array) -> NDArray[np.int64]:
    texts: Sequence[str] = ids.to_pylist()
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def _numbered(digests: NDArray[np.uint64]) -> tuple[Places, Places]:
    """Number digests in the order of their first place, and return those places."""
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[inverse], first[order].astype(np.int32)
