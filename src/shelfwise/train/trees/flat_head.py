"""The head for all categories, which every hierarchy starts from, and the products that choices rest on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.flat import Flat, log_softmax
from shelfwise.columns import Columns
from shelfwise.train.learned import HeadLearner, HeldOut, LearnedHead, LearnedModel
from shelfwise.train.rows import Numbers, TrainingRows, Way, rows_known_from_others, sampled, whole_groups

STRICT: Way = "leave_look_alikes_out"
_BLOCK, _SAMPLE = 2048, 4096


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows that choices rest on, left out with their look-alikes.

    rows: (m,), whole groups; counted: (m,) those whose category others of another group show; truth and group: (k,) their
    columns and groups.
    """

    rows: Numbers
    counted: NDArray[np.bool_]
    truth: NDArray[np.int32]
    group: NDArray[np.int64]

    def of(self, held_out: HeldOut) -> NDArray[np.float32]:
        """Return what is said (k, c) of those that count."""
        return np.asarray(held_out(STRICT, self.rows)[self.counted], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class FlatHead:
    """One head for all categories, and what it was learned from."""

    rows: TrainingRows
    columns: Columns
    learn_head: HeadLearner
    learned: LearnedHead

    @classmethod
    def learn(cls, rows: TrainingRows, columns: Columns, learn_head: HeadLearner) -> FlatHead:
        """Learn it."""
        return cls(rows, columns, learn_head, learn_head(rows))

    @property
    def flat(self) -> Flat:
        """The head with its temperature."""
        return Flat(self.learned.head, self.learned.temperature)

    @property
    def model(self) -> LearnedModel:
        """The hierarchy that has no more than this head."""
        return LearnedModel(self.flat, self.learned.facts, self.learned.method, self.held_out)

    def held_out(self, way: Way, asked: Numbers) -> NDArray[np.float32]:
        """Return log-probabilities (m, c) of rows (m,), whole groups, that were left out."""
        return log_softmax(self.learned.held_out(way, asked), self.learned.temperature)

    @cached_property
    def judged(self) -> Judged:
        """Some thousand rows, drawn by whole groups; all where there are no more."""
        group = self.rows.groups.of(STRICT)
        known = rows_known_from_others(group, self.rows.column)
        rows = sampled(group, known, _SAMPLE)
        counted = rows[known[rows]]
        return Judged(rows, known[rows], self.rows.column[counted], group[counted])

    def everything(self, held_out: HeldOut) -> Iterator[tuple[NDArray[np.int32], NDArray[np.floating[Any]]]]:
        """Yield columns (m,) and what is said (m, c) of all rows that others of their category are known by, in blocks."""
        group = self.rows.groups.of(STRICT)
        known = rows_known_from_others(group, self.rows.column)
        for rows in whole_groups(group, _BLOCK):
            yield self.rows.column[rows[known[rows]]], held_out(STRICT, rows)[known[rows]]
