"""Learn the shelves from products that are read in parts, and ask what they would say of each product left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shelfwise.progress import Progress
from shelfwise.statistics.leave_out import LeaveOut
from shelfwise.statistics.penalty import SAMPLE_ROWS, choose_penalty
from shelfwise.statistics.ridge import Spectrum
from shelfwise.statistics.sufficient import CategorySums, SufficientStatistics

Numbers = NDArray[np.integer[Any]]
CHUNK_ROWS = 2048
LARGEST_GROUP = 1000
"""Products that are left out together; where more show the same pictures, those are not one product listed often."""


class Rows(Protocol):
    """Vectors of length d that can be read by the number of their product."""

    d: int

    def read(self, products: Numbers) -> NDArray[np.float32]:
        """Read the vectors (k, d) of products."""
        ...


@dataclass(frozen=True, eq=False)
class Filed:
    """m products with a shelf and a vector, whole groups one after another.

    product: (m,) numbers; column: (m,) shelves; group: (m,) equal for products that are left out together, ascending.
    """

    product: NDArray[np.int64]
    column: NDArray[np.int32]
    group: NDArray[np.int64]

    @classmethod
    def of(cls, product: Numbers, column: Numbers, group: Numbers) -> Filed:
        """Order products by group; groups of more than LARGEST_GROUP fall apart."""
        labels, place, count = np.unique(group, return_inverse=True, return_counts=True)
        place = np.where(count[place] > LARGEST_GROUP, len(labels) + np.arange(len(place)), place)
        _, first, place = np.unique(place, return_index=True, return_inverse=True)
        order = np.argsort(first[place], kind="stable")  # a group stands where its first product stands
        return cls(np.asarray(product, np.int64)[order], np.asarray(column, np.int32)[order], first[place][order])

    def __len__(self) -> int:
        return len(self.product)

    def take(self, places: Numbers) -> Filed:
        """Return some of them, in that order."""
        return Filed(self.product[places], self.column[places], self.group[places])

    def chunks(self) -> Iterator[Filed]:
        """Yield them in parts of about CHUNK_ROWS, groups whole."""
        past = np.append(np.flatnonzero(np.diff(self.group)) + 1, len(self))
        start = 0
        while start < len(self):
            stop = int(past[min(int(np.searchsorted(past, start + CHUNK_ROWS)), len(past) - 1)])
            yield self.take(np.arange(start, stop))
            start = stop

    def known(self) -> NDArray[np.bool_]:
        """Tell (m,) which have products of their shelf in another group: of the others nothing can be said."""
        pairs = self.group * (int(self.column.max(initial=0)) + 1) + self.column
        _, pair, inside = np.unique(pairs, return_inverse=True, return_counts=True)
        return np.asarray(np.bincount(self.column)[self.column] > inside[pair])

    def sample(self, rows: int, seed: int = 0) -> NDArray[np.intp]:
        """Return places of whole groups, drawn at random until they hold so many rows, none without a row that is known."""
        labels, size = np.unique(self.group, return_counts=True)
        telling = np.flatnonzero(np.isin(labels, self.group[self.known()]))
        drawn = np.random.default_rng(seed).permutation(telling)
        enough = drawn[: np.searchsorted(np.cumsum(size[drawn]), rows) + 1]
        return np.flatnonzero(np.isin(self.group, labels[enough]))


@dataclass(frozen=True, eq=False)
class Shelves:
    """What was learned of the shelves: the sums, and the penalty and temperature that fit products left out best.

    left: leaves out products in the order of those learned from, all or, where `sampled`, some of them.
    """

    spectrum: Spectrum
    statistics: CategorySums
    left: LeaveOut
    sampled: bool
    penalty: float
    temperature: float

    def answers(self, rows: Rows, filed: Filed) -> Iterator[tuple[Filed, NDArray[np.floating[Any]]]]:
        """Yield the products that were learned from, in parts (m,), with the scores (m, c) of each when left out."""
        parts = self._in_chunks(rows, filed) if self.sampled else iter([(filed, self.left)])
        for part, left in parts:
            for places, scores in left.scores(self.penalty):
                yield part.take(places), scores

    def _in_chunks(self, rows: Rows, filed: Filed) -> Iterator[tuple[Filed, LeaveOut]]:
        for chunk in filed.chunks():
            yield chunk, self.left.about(rows.read(chunk.product), chunk.column, chunk.group)


def learn(rows: Rows, filed: Filed, categories: int, progress: Progress) -> Shelves:
    """Learn from all filed products in one pass, and choose the penalty on a sample of them.

    Memory is that of the sums, d² + d c numbers; all rows are held at once only where they are fewer than d. Raises
    OptionError when no shelf has products in two groups.
    """
    few = len(filed) < rows.d
    with progress.task("learn the shelves", len(filed)) as advance:
        chunks = read_chunks(rows, filed, advance)
        spectrum, statistics, left = (_of_few if few else _of_many)(rows, filed, categories, chunks)
    choice = choose_penalty(left.part(filed.sample(SAMPLE_ROWS)) if few else left)
    return Shelves(spectrum, statistics, left, not few, choice.penalty, choice.temperature)


def _of_few(
    rows: Rows, filed: Filed, categories: int, chunks: Iterator[tuple[Filed, NDArray[np.float32]]]
) -> tuple[Spectrum, CategorySums, LeaveOut]:
    """Learn from the n x n matrix of the products; they stay at hand in the coordinates of its eigenvectors."""
    sums = CategorySums(rows.d, categories)
    x = np.concatenate([x for _, x in chunks])
    sums.add(x, filed.column)
    spectrum, z = Spectrum.with_coordinates(x)
    return spectrum, sums, LeaveOut.of_coordinates(spectrum, z, filed.column, categories, filed.group)


def _of_many(
    rows: Rows, filed: Filed, categories: int, chunks: Iterator[tuple[Filed, NDArray[np.float32]]]
) -> tuple[Spectrum, CategorySums, LeaveOut]:
    """Learn from the d x d matrix; a sample of the products is read again to choose the penalty on."""
    statistics = SufficientStatistics(rows.d, categories)
    for chunk, x in chunks:
        statistics.add(x, chunk.column)
    spectrum, sample = Spectrum.from_statistics(statistics), filed.take(filed.sample(SAMPLE_ROWS))
    left = LeaveOut(spectrum, statistics, rows.read(sample.product), sample.column, sample.group)
    return spectrum, statistics, left


def read_chunks(
    rows: Rows, filed: Filed, advance: Callable[[int], None]
) -> Iterator[tuple[Filed, NDArray[np.float32]]]:
    """Yield parts of the products with their vectors (m, d)."""
    for chunk in filed.chunks():
        yield chunk, rows.read(chunk.product)
        advance(len(chunk))


def same_pictures(product: Numbers, picture: Numbers, products: int) -> NDArray[np.int64]:
    """Return a group (p,) per product: those that show a picture in common, byte for byte, directly or through others.

    product, picture: (n,) of each photo. A picture that more than LARGEST_GROUP photos show binds nothing.
    """
    telling = (np.bincount(picture) <= LARGEST_GROUP)[picture]
    nodes = products + int(picture.max(initial=-1)) + 1
    ones = np.ones(int(telling.sum()), dtype=np.bool_)
    links = coo_array((ones, (product[telling], products + picture[telling].astype(np.int64))), shape=(nodes, nodes))
    return np.asarray(connected_components(links, directed=False)[1][:products], dtype=np.int64)
