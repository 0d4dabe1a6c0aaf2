"""How familiar products look that were not learned from: what strange ones are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shelfwise.classifiers.familiarity import score_of, unit
from shelfwise.train.rows import Numbers

Table = NDArray[np.float32]
_BLOCK = 2048


def scores_of_others(x: Table, means: Table, log_probabilities: Table) -> Table:
    """Return the scores (p,) of products' mean vectors x (p, d) that no category's mean (c, d) rests on."""
    center = means.mean(axis=0)
    cosine = (unit(x - center) @ unit(means - center).T).max(axis=1)
    return score_of(cosine, log_probabilities.max(axis=1))


def scores_of_left_out(
    x: Table, column: NDArray[np.int32], group: NDArray[np.int64], means: Table, rows: Numbers, log_probabilities: Table
) -> Table:
    """Return the scores (m,) of rows of x (n, d), whole groups, whose category's mean is taken without their group.

    log_probabilities: (m, c) of the rows, held out alike.
    """
    center = means.mean(axis=0)
    directions, own = unit(means - center), column[rows]
    without = _Without(x[rows], own, group[rows], means, np.bincount(column, minlength=len(means)))
    cosines = []
    for start in range(0, len(rows), _BLOCK):
        part = np.arange(start, min(start + _BLOCK, len(rows)))
        towards = unit(x[rows[part]] - center)
        cosine = towards @ directions.T
        cosine[np.arange(len(part)), own[part]] = (towards * unit(without(part) - center)).sum(axis=1)
        cosines.append(cosine.max(axis=1))
    return score_of(np.concatenate(cosines), log_probabilities.max(axis=1))


class _Without:
    """The mean of each row's category without the rows of its group; counts: (c,) rows of each category."""

    def __init__(
        self, x: Table, column: NDArray[np.int32], group: NDArray[np.int64], means: Table, counts: NDArray[np.int64]
    ) -> None:
        pairs, self.pair, self.inside = np.unique(
            np.stack([group, column]), axis=1, return_inverse=True, return_counts=True
        )
        self.sums = sums_of(x, self.pair, pairs.shape[1])
        self.means, self.column, self.counts = means, column, counts

    def __call__(self, places: Numbers) -> Table:
        pair, count = self.pair[places], self.counts[self.column[places]][:, None]
        left = np.maximum(count - self.inside[pair][:, None], 1)
        whole = self.means[self.column[places]] * count
        return np.asarray((whole - self.sums[pair]) / left, dtype=np.float32)


def sums_of(x: Table, number: Numbers, numbers: int) -> Table:
    """Return the sums (numbers, d) of the rows of x (n, d) that share a number (n,), without a copy of x."""
    ones = np.ones(len(x), dtype=np.float32)
    return np.asarray(csr_array((ones, (number, np.arange(len(x)))), shape=(numbers, len(x))) @ x)
