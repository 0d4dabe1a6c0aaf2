"""Bagged heads: each learned from groups of products drawn with replacement, their probabilities averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.bag import Bag, logarithms
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.statistics.head import softmax
from shelfwise.train.learned import LearnedHead
from shelfwise.train.rows import Numbers, TrainingRows, Way, rows_known_from_others, sampled

_JUDGED = 8192
"""Rows that the temperature of the bag is fitted on, at most."""


def bag_of(first: LearnedHead, rows: TrainingRows, bags: int) -> LearnedHead:
    """Learn `bags` heads like the first, each from as many groups of look-alikes as there are, drawn with replacement.

    What is said of a row that was left out is the mean over the heads that did not draw its group; where all drew it, what
    the first, which learned from all rows, says of it when it is held out. Both ways get the answer without look-alikes.
    Source: Breiman, Bagging Predictors (1996), and Out-of-bag Estimation (1996).
    """
    count = drawn_groups(rows.groups.leave_look_alikes_out, bags)
    heads = [first.again(_repeated(rows, times)) for times in count]

    def held_out(way: Way, asked: Numbers) -> NDArray[np.floating[Any]]:
        outside = count[:, asked] == 0
        said = np.zeros((len(asked), rows.categories), dtype=np.float32)
        for head, out in zip(heads, outside, strict=True):
            said[out] += softmax(np.asarray(head.scores(rows.x[asked[out]])), first.temperature)
        said /= np.maximum(outside.sum(axis=0), 1).astype(np.float32)[:, None]
        inside = ~outside.any(axis=0)
        if inside.any():
            said[inside] = softmax(np.asarray(first.held_out(way, asked[inside])), first.temperature)
        return logarithms(said)

    known = rows_known_from_others(rows.groups.leave_look_alikes_out, rows.column)
    judged = sampled(rows.groups.leave_look_alikes_out, known, _JUDGED)
    scores = np.asarray(held_out("leave_look_alikes_out", judged))[known[judged]]
    temperature = fit_temperature(scores, rows.column[judged[known[judged]]])
    head = Bag(tuple(heads), (first.temperature,) * bags)
    return LearnedHead(head, temperature, first.facts | {"bags": bags}, f"out of {bags} bags", held_out, first.again)


def drawn_groups(group: NDArray[np.int64], bags: int) -> NDArray[np.int64]:
    """Draw as many groups as there are with replacement, `bags` times: how often each row was drawn, (bags, n)."""
    _, number = np.unique(group, return_inverse=True)
    groups, chance = int(number.max()) + 1, np.random.default_rng(0)
    drawn = [np.bincount(chance.integers(groups, size=groups), minlength=groups) for _ in range(bags)]
    return np.stack(drawn)[:, number]


def _repeated(rows: TrainingRows, times: NDArray[np.int64]) -> TrainingRows:
    taken = np.repeat(np.arange(len(rows)), times)
    return TrainingRows(rows.x[taken], rows.column[taken], rows.categories, rows.groups.take(taken))
