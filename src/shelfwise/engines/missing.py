"""Compute one vector a picture for the pictures of a catalog that have none yet; stopped at any moment, it goes on from there."""

from __future__ import annotations

import hashlib
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import first_bytes
from shelfwise.engines.local import map_ordered
from shelfwise.errors import CatalogError
from shelfwise.progress import Advance

# A commit after so many photos or so many seconds: what a kill -9 can cost.
_ROWS_PER_COMMIT, _SECONDS_PER_COMMIT = 4096, 60

VectorsOf = Callable[[list[bytes]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class UsablePhotos:
    """The photos with status ok: row (n,) in the image table, ascending, and the first 8 bytes (n,) of their sha256."""

    row: NDArray[np.int32]
    digest: NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Missing:
    """What is to be computed: places (m,) among the usable photos, of every missing picture the first; and counts of photos."""

    places: NDArray[np.int64]
    already_there: int
    same_picture: int


def usable_photos(catalog: Catalog) -> UsablePhotos:
    """Read which photos are usable."""
    rows, digests, start = [np.empty(0, np.int32)], [np.empty(0, np.uint64)], 0
    for batch in catalog.batches("images", ["sha256", "status"]):
        ok = pc.equal(batch.column("status"), "ok")
        rows.append((start + np.flatnonzero(ok.to_numpy(zero_copy_only=False))).astype(np.int32))
        digests.append(first_bytes(batch.column("sha256").filter(ok)))
        start += len(batch)
    return UsablePhotos(np.concatenate(rows), np.concatenate(digests))


def missing_vectors(catalog: Catalog, key: str, photos: UsablePhotos) -> Missing:
    """Say which photos have no vector `key` yet."""
    stored = [first_bytes(chunk) for chunk in catalog.embedded_pictures(key).chunks]
    is_there = np.isin(photos.digest, np.concatenate([np.empty(0, np.uint64), *stored]))
    waiting = np.flatnonzero(~is_there)
    places = waiting[np.sort(np.unique(photos.digest[waiting], return_index=True)[1])]
    return Missing(places, int(is_there.sum()), len(waiting) - len(places))


def compute_missing(
    catalog: Catalog,
    key: str,
    photos: UsablePhotos,
    places: NDArray[np.int64],
    vectors_of: VectorsOf,
    *,
    batch: int,
    threads: int,
    advance: Advance,
) -> None:
    """Read the photos at `places`, `batch` at a time, and store what `vectors_of` (m files -> (m, d)) makes of them.

    Raises CatalogError for a photo that is not there any more, or is not what was imported.
    """

    def computed(part: NDArray[np.int64]) -> tuple[list[bytes], NDArray[np.float16]]:
        pictures = catalog.image_bytes(photos.row[part])
        digests = [_checked(catalog, photos, *each) for each in zip(part, pictures, strict=True)]
        return digests, vectors_of(pictures).astype(np.float16)

    parts = (places[start : start + batch] for start in range(0, len(places), batch))
    for digests, vectors in _commits(map_ordered(computed, parts, threads), advance):
        catalog.append_embeddings(key, digests, vectors)


def _checked(catalog: Catalog, photos: UsablePhotos, place: np.int64, picture: bytes) -> bytes:
    digest = hashlib.sha256(picture).digest()
    if np.frombuffer(digest, np.uint64, 1)[0] != photos.digest[place]:
        (image_id,) = catalog.image_ids([int(photos.row[place])])
        said = f"hash_mismatch: photo {image_id} is not what was imported"
        raise CatalogError(f"{said}: see  shelfwise verify {shlex.quote(str(catalog.path))}")
    return digest


def _commits(
    results: Iterator[tuple[list[bytes], NDArray[np.float16]]], advance: Advance
) -> Iterator[tuple[list[bytes], NDArray[np.float16]]]:
    """Gather batches into commits of bounded size and age."""
    digests: list[bytes] = []
    matrices: list[NDArray[np.float16]] = []
    since = time.monotonic()
    for batch, matrix in results:
        digests += batch
        matrices.append(matrix)
        advance(len(batch))
        if len(digests) >= _ROWS_PER_COMMIT or time.monotonic() - since > _SECONDS_PER_COMMIT:
            yield digests, np.concatenate(matrices)
            digests, matrices, since = [], [], time.monotonic()
    if digests:
        yield digests, np.concatenate(matrices)
