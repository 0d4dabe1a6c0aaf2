from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.train.rows import rows_known_from_others, whole_groups

GROUPS = st.lists(st.integers(0, 6), min_size=1, max_size=40).map(lambda labels: np.array(labels, dtype=np.int64))


@given(GROUPS, st.integers(1, 10))
def test_parts_hold_every_row_once_and_groups_are_whole(group: np.ndarray, size: int):
    parts = list(whole_groups(group, size))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(group)))
    seen: set[int] = set()
    for part in parts:
        labels = set(group[part].tolist())
        assert not labels & seen
        seen |= labels
    largest = int(np.bincount(group).max())
    assert all(len(part) <= size - 1 + largest for part in parts)


@given(GROUPS, st.integers(0, 10**6))
def test_a_row_is_known_when_another_group_has_its_category(group: np.ndarray, seed: int):
    column = np.random.default_rng(seed).integers(0, 4, len(group)).astype(np.int32)
    by_hand = [bool(((column == c) & (group != g)).any()) for c, g in zip(column, group, strict=True)]
    assert rows_known_from_others(group, column).tolist() == by_hand
