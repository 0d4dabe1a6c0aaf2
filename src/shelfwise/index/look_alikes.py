"""Pictures that show the same thing: close by perceptual hash, and confirmed by comparing pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shelfwise.images.decode import decode
from shelfwise.images.resize import resized
from shelfwise.index.hamming import pairs_within

# Bits between two hashes, and correlation of two thumbnails. Source: docs/experiments.md, look-alikes for splits.
RADIUS = 6
CORRELATION = 0.95
_SIDE_PX = 32
# Pictures of one hash that are compared with others; the rest are compared with the first of them alone. So many
# pictures that differ in their bytes and not in their hash are a placeholder saved again and again.
_CROWD = 64
# Thumbnails and pairs held at once: some 25 and 100 MB; pictures that hang together in larger numbers are 3 KB each.
_PICTURES, _PAIRS = 8192, 2**11

Pixels = NDArray[np.uint8]
Places = NDArray[np.int64]
Thumbnails = Callable[[Places], Pixels]


def thumbnail(data: bytes) -> Pixels:
    """Decode a picture file in full and squash it to uint8 (32, 32, 3).

    In full, since JPEG's own reduced scales differ between a photo and its resized copy by more than two photos may.
    """
    pixels = decode(data).pixels
    height, width = pixels.shape[:2]
    return resized(pixels, (0, 0, width, height), _SIDE_PX, _SIDE_PX)


def look_alikes(
    hashes: NDArray[np.uint64], thumbnails: Thumbnails, radius: int = RADIUS, correlation: float = CORRELATION
) -> tuple[Places, Places]:
    """Return the places i < j (m,) of pictures that look alike: within `radius` bits, and correlated by `correlation`.

    hashes: (n,), one a distinct picture. thumbnails: gives uint8 (k, 32, 32, 3) for places, and is asked once for each
    picture that is close to another. Copies in another format, quality or size are found; padded, cropped and mirrored
    ones mostly are not. A picture of one color is like no other.
    """
    i, j, _ = correlated(hashes, thumbnails, radius, correlation)
    return i, j


def correlated(
    hashes: NDArray[np.uint64], thumbnails: Thumbnails, radius: int, correlation: float
) -> tuple[Places, Places, NDArray[np.float32]]:
    """Return what `look_alikes` returns, and how correlated each pair is (m,)."""
    found = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))]
    for i, j in _batches(*_close(hashes, radius), len(hashes)):
        places = np.union1d(i, j)
        pixels = thumbnails(places)
        for start in range(0, len(i), _PAIRS):
            block = slice(start, start + _PAIRS)
            these, row = np.unique(np.stack((i[block], j[block])), return_inverse=True)
            standard = _standardized(pixels[np.searchsorted(places, these)])
            measured = np.einsum("ij,ij->i", *standard[row])
            alike = measured >= correlation
            found.append((i[block][alike], j[block][alike], measured[alike]))
    i, j, measured = (np.concatenate(side) for side in zip(*found, strict=True))
    order = np.lexsort((j, i))
    return i[order], j[order], measured[order]


def _close(hashes: NDArray[np.uint64], radius: int) -> tuple[Places, Places]:
    """Return the pairs of pictures whose hashes are within the radius."""
    distinct, group = np.unique(hashes, return_inverse=True)
    members = np.argsort(group, kind="stable")
    count = np.bincount(group, minlength=len(distinct))
    start = np.cumsum(count) - count
    shown = np.minimum(count, _CROWD)
    a, b = pairs_within(distinct, radius)
    a, b = np.concatenate((a, np.arange(len(distinct)))), np.concatenate((b, np.arange(len(distinct))))
    size = shown[a] * shown[b]
    within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
    a_member, b_member = np.divmod(within, np.repeat(shown[b], size))
    i, j = members[np.repeat(start[a], size) + a_member], members[np.repeat(start[b], size) + b_member]
    once = (np.repeat(a != b, size)) | (i < j)
    rank = np.arange(len(members)) - start[group[members]]
    rest = members[rank >= _CROWD]
    i, j = np.concatenate((i[once], members[start[group[rest]]])), np.concatenate((j[once], rest))
    return np.minimum(i, j), np.maximum(i, j)


def _batches(i: Places, j: Places, n: int) -> Iterator[tuple[Places, Places]]:
    """Yield the pairs in batches of some _PICTURES pictures, all pairs of a picture in one."""
    if not len(i):
        return
    links = coo_array((np.ones(len(i), dtype=np.bool_), (i, j)), shape=(n, n))
    component = connected_components(links, directed=False)[1]
    linked = np.zeros(n, dtype=np.bool_)
    linked[i] = linked[j] = True
    pictures = np.cumsum(np.bincount(component[linked], minlength=component.max() + 1))
    batch = (pictures // _PICTURES)[component[i]]
    order = np.argsort(batch, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(batch[order])) + 1):
        yield i[rows], j[rows]


def _standardized(thumbnails: Pixels) -> NDArray[np.float32]:
    """Return each thumbnail as a vector of mean 0 and length 1 (0 for a picture of one color), so that products correlate."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    flat /= np.where(length > 0, length, 1)
    return flat
