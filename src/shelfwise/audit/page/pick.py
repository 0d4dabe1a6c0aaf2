"""Which findings and photos are shown: the page holds some hundred of what may be a million."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shelfwise.audit.explore.shelves import Level
    from shelfwise.audit.findings import Found

# Kinds whose sets are one photo each: a gallery, not strips. All members of a set of SAME_PICTURE kinds look the same.
ALONE = frozenset({"blank", "blurred", "dark", "bright", "low_information", "odd_aspect", "tiny", "framed"})
SAME_PICTURE = frozenset({"exact_repeat", "useful_repeat", "placeholder", "several_categories"})
BY_SCORE = frozenset({"across_splits", "group_differs"})
SETS, MEMBERS, SINGLES = 12, 6, 18


def example_sets(found: Found) -> list[NDArray[np.int64]]:
    """Choose sets to show: the places of their findings, in the order of the check.

    Photos that stand alone come as the check ranks them, BY_SCORE kinds with the highest score first, all others with the
    largest set first.
    """
    order = np.argsort(found.set, kind="stable")
    starts = np.flatnonzero(np.diff(found.set[order], prepend=-1))
    if not len(starts):
        return []
    sizes = np.diff(starts, append=len(order))
    scores = np.maximum.reduceat(found.score[order], starts) if found.kind in BY_SCORE else np.zeros(len(starts))
    ranked = np.arange(len(starts)) if found.kind in ALONE else np.lexsort((-sizes, -scores))
    chosen = ranked[: SINGLES if found.kind in ALONE else SETS]
    return [order[starts[at] : starts[at] + sizes[at]] for at in chosen]


def sheet(samples: NDArray[np.int32], levels: Sequence[Level], budget: int) -> list[tuple[int, int]]:
    """Choose (category, photo) of random photos (c + 1, k) within a budget, one of each category before the next ones.

    When there are more categories than the budget, the fullest of every branch come first, from the top level down.
    """
    order = dict.fromkeys(int(category) for level in levels for category in _fullest_of_each(level)) | dict.fromkeys(
        range(len(samples))
    )
    turns = ((category, int(samples[category, turn])) for turn in range(samples.shape[1]) for category in order)
    return [pair for pair in turns if pair[1] >= 0][:budget]


def _fullest_of_each(level: Level) -> list[int]:
    """List one category of each node of a level, the fullest node first."""
    first = dict(zip(level.of_category[::-1].tolist(), range(len(level.of_category) - 1, -1, -1), strict=True))
    return [first[node] for node in level.fullest_first.tolist() if node in first]
