"""Answers of the past, told in the columns and the tree of today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.columns import Columns
    from shelfwise.metrics.answers import Answers

    Int = NDArray[np.int32]
    Float = NDArray[np.float32]


def remapped(answers: Answers, columns: Columns, goes: Mapping[str, str]) -> Answers:
    """Return answers with other columns; goes: categories that stand for another one now.

    Products whose right category has no column any more are left out. Answers that became one add up; a category without a
    column is no answer any more, and where fewer are left than were kept, others follow with the probability 0. A node
    that is not at its level any more gives way to the one above the first answer, with the probability that it had.
    """
    old = answers.columns
    column_of = columns.of(np.array([goes.get(category, category) for category in old.categories], dtype=np.object_))
    answers = answers.take(column_of[answers.truth] >= 0)
    top, top_probability = _first_answers(column_of[answers.top], answers.top_probability, len(columns))
    truth = column_of[answers.truth]
    first = columns.level_of[:, top[:, 0]].T
    was = np.minimum(np.arange(len(columns.level_nodes)), len(old.level_nodes) - 1)
    places = [_places(old.level_nodes[w], nodes, goes) for w, nodes in zip(was, columns.level_nodes, strict=True)]

    def told(nodes: Int) -> Int:
        now = np.stack([places[level][nodes[:, w]] for level, w in enumerate(was)], axis=1)
        return np.where(now < 0, first, now).astype(np.int32)

    return replace(
        answers, columns=columns, truth=truth, top=top, top_probability=top_probability,
        level_truth=columns.level_of[:, truth].T, level_top=told(answers.level_top), way=told(answers.way),
        level_probability=answers.level_probability[:, was], way_probability=answers.way_probability[:, was],
    )  # fmt: skip


def _places(old: tuple[str, ...], new: tuple[str, ...], goes: Mapping[str, str]) -> Int:
    place = {node: number for number, node in enumerate(new)}
    return np.array([place.get(goes.get(node, node), -1) for node in old], dtype=np.int32)


def _first_answers(top: Int, probability: Float, categories: int) -> tuple[Int, Float]:
    """Put answers (p, k) in order again where some became one, -1, or where there are fewer categories than k."""
    k = min(top.shape[1], categories)
    ordered = np.sort(top, axis=1)
    strange = (top < 0).any(axis=1) | (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if k == top.shape[1]:
        top, probability = top.copy(), probability.copy()
        rows = np.flatnonzero(strange)
    else:
        rows = np.arange(len(top))
    told = [_added_up(top[row], probability[row], k) for row in rows]
    top, probability = top[:, :k], probability[:, :k]
    for row, (columns, shares) in zip(rows, told, strict=True):
        top[row], probability[row] = columns, shares
    return top, probability


def _added_up(top: Int, probability: Float, k: int) -> tuple[list[int], list[float]]:
    total: dict[int, float] = {}
    for column, share in zip(top.tolist(), probability.tolist(), strict=True):
        if column >= 0:
            total[column] = total.get(column, 0.0) + share
    best = sorted(total.items(), key=lambda answer: -answer[1])[:k]
    others = (column for column in range(k + len(total)) if column not in total)
    best += [(next(others), 0.0) for _ in range(k - len(best))]
    return [column for column, _ in best], [share for _, share in best]
