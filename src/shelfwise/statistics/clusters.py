"""Look-alike groups: photos of one category so alike that they are not independent evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

from shelfwise.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CHUNK_ROWS = 3000
"""Rows clustered at once: their distances take 72 MB."""


def look_alike_clusters(
    vectors: NDArray[np.floating], column: NDArray[np.integer], distance: float = 0.35, mean: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Return a cluster number (n,) per row: average linkage at a cosine distance, within each category.

    vectors: (n, d); their mean, what all photos share, is taken off first (mean: (d,), where they are but a part of all
    photos); column: (n,). A category of more than
    CHUNK_ROWS rows is cut, in the order given, into near-equal chunks that are clustered by themselves, so that memory
    stays bounded: photos taken one after another should stand one after another.
    Source: distance in docs/experiments.md, leave-cluster-out on Grocery; without centring the same distance merges
    photos that are not alike.
    """
    if vectors.ndim != 2 or column.shape != vectors.shape[:1]:
        raise OptionError(f"clusters need vectors (n, d) with n columns, not {vectors.shape} and {column.shape}")
    cluster_of = np.empty(len(vectors), dtype=np.int64)
    if not len(vectors):
        return cluster_of
    mean = vectors.mean(axis=0, dtype=np.float64) if mean is None else np.asarray(mean, dtype=np.float64)
    found = 0
    for category in np.unique(column):
        rows = np.flatnonzero(column == category)
        for chunk in np.array_split(rows, -(-len(rows) // CHUNK_ROWS)):
            numbers = _average_linkage(vectors[chunk] - mean, distance)
            cluster_of[chunk] = numbers + found
            found += int(numbers.max()) + 1
    return cluster_of


def joined_groups(*groupings: ArrayLike) -> NDArray[np.int64]:
    """Return the finest groups (n,) in which rows that share a group in any grouping share one.

    groupings: each (n,), equal values mean the same group: products, duplicates, look-alikes. Groups are numbered from
    0 in order of their first row. Raises OptionError unless there is at least one and all are of one length.
    """
    labels = [np.asarray(grouping) for grouping in groupings]
    if not labels or any(label.shape != (labels[0].size,) for label in labels):
        raise OptionError(f"groupings of shapes {[label.shape for label in labels]} cannot be joined")
    n = labels[0].size
    rows, nodes, past = np.tile(np.arange(n), len(labels)), [], n
    for label in labels:
        distinct, place = np.unique(label, return_inverse=True)
        nodes.append(place + past)
        past += len(distinct)
    links = coo_array((np.ones(len(rows), dtype=np.bool_), (rows, np.concatenate(nodes))), shape=(past, past))
    component = connected_components(links, directed=False)[1]
    return np.asarray(component[:n], dtype=np.int64)


def _average_linkage(vectors: NDArray[np.float64], distance: float) -> NDArray[np.int64]:
    """Number the clusters of a few rows from 0."""
    if len(vectors) == 1:
        return np.zeros(1, dtype=np.int64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    distances = np.maximum(1 - unit @ unit.T, 0)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "average")
    return np.asarray(fcluster(tree, distance, "distance"), dtype=np.int64) - 1
