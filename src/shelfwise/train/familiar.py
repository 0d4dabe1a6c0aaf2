"""How familiar products look that were not learned from: what strange ones are compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
    """Return the scores (m,) of some rows of x (n, d) whose category's mean is taken without their group.

    log_probabilities: (m, c) of the rows, held out alike.
    """
    center = means.mean(axis=0)
    directions, without = unit(means - center), _Without(x, column, group, means)
    cosines = []
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        towards = unit(x[part] - center)
        cosine = towards @ directions.T
        cosine[np.arange(len(part)), column[part]] = (towards * unit(without(part) - center)).sum(axis=1)
        cosines.append(cosine.max(axis=1))
    return score_of(np.concatenate(cosines), log_probabilities.max(axis=1))


class _Without:
    """The mean of each row's category without the rows of its group."""

    def __init__(self, x: Table, column: NDArray[np.int32], group: NDArray[np.int64], means: Table) -> None:
        _, first, self.pair, self.inside = np.unique(
            np.stack([group, column]), axis=1, return_index=True, return_inverse=True, return_counts=True
        )
        order = np.argsort(self.pair, kind="stable")
        self.sums = np.add.reduceat(x[order], np.searchsorted(self.pair[order], np.arange(len(first))), axis=0)
        self.means, self.column, self.counts = means, column, np.bincount(column, minlength=len(means))

    def __call__(self, rows: Numbers) -> Table:
        pair, count = self.pair[rows], self.counts[self.column[rows]][:, None]
        left = np.maximum(count - self.inside[pair][:, None], 1)
        whole = self.means[self.column[rows]] * count
        return np.asarray((whole - self.sums[pair]) / left, dtype=np.float32)
