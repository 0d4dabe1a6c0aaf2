"""What heads learn from: rows with their columns, and the groups in which rows are left out together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shelfwise.backbones.products import ProductFeatures
from shelfwise.errors import CatalogError
from shelfwise.statistics.clusters import joined_groups, look_alike_clusters

Way = Literal["leave_one_out", "leave_look_alikes_out"]
WAYS: tuple[Way, ...] = ("leave_one_out", "leave_look_alikes_out")
Numbers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Grouping:
    """Rows that are left out together, (n,) numbers: those of the same pictures; of the same pictures or look-alikes."""

    leave_one_out: NDArray[np.int64]
    leave_look_alikes_out: NDArray[np.int64]

    def of(self, way: Way) -> NDArray[np.int64]:
        """Return the numbers of one way."""
        return self.leave_one_out if way == "leave_one_out" else self.leave_look_alikes_out

    def take(self, rows: Numbers) -> Grouping:
        """Return those of some rows."""
        return Grouping(self.leave_one_out[rows], self.leave_look_alikes_out[rows])


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Rows x (n, d) float32 with columns (n,) below `categories`, and their groups."""

    x: NDArray[np.float32]
    column: NDArray[np.int32]
    categories: int
    groups: Grouping

    def __len__(self) -> int:
        return len(self.column)


def group_products(data: ProductFeatures, column: NDArray[np.int32]) -> Grouping:
    """Group products that share a picture byte for byte, and products of one category that look alike.

    Where every category is one cluster of look-alikes, leaving them out would leave nothing to judge by: then only equal
    pictures are left out together. Raises CatalogError when even so no category has products in two groups.
    """
    same_picture = _linked_by_pictures(data)
    for group in (joined_groups(same_picture, look_alike_clusters(data.x, column)), same_picture):
        if rows_known_from_others(group, column).any():
            return Grouping(same_picture, group)
    raise CatalogError(
        "every category has one product only: nothing is left to judge by; bring more products or photos"
    )


def rows_known_from_others(group: NDArray[np.int64], column: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell (n,) which rows have rows of their category outside their group: no head could answer the others right."""
    _, pair, inside = np.unique(np.stack([group, column]), axis=1, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(column)[column] > inside[pair])


def whole_groups(group: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield all rows in parts of about `size`, groups whole, groups in the order of their first row."""
    _, first, place = np.unique(group, return_index=True, return_inverse=True)
    order = np.argsort(first[place], kind="stable")
    past = np.append(np.flatnonzero(np.diff(first[place][order])) + 1, len(order))
    start = 0
    while start < len(order):
        stop = int(past[min(int(np.searchsorted(past, start + size)), len(past) - 1)])
        yield order[start:stop]
        start = stop


def sampled(group: NDArray[np.int64], known: NDArray[np.bool_], size: int) -> NDArray[np.int64]:
    """Draw whole groups that hold known rows until they hold `size` of them; return the rows, ascending."""
    groups, rows_of = np.unique(group[known], return_counts=True)
    order = np.random.default_rng(0).permutation(len(groups))
    enough = int(np.searchsorted(np.cumsum(rows_of[order]), size)) + 1
    return np.flatnonzero(np.isin(group, groups[order[:enough]]))


def _linked_by_pictures(data: ProductFeatures) -> NDArray[np.int64]:
    p, pictures = len(data), int(data.picture.max()) + 1
    ones = np.ones(len(data.picture), dtype=np.bool_)
    links = coo_array((ones, (data.product, p + data.picture)), shape=(p + pictures, p + pictures))
    return np.asarray(connected_components(links, directed=False)[1][:p], dtype=np.int64)
