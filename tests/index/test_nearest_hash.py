from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.index import nearest_hash as module
from shelfwise.index.nearest_hash import nearest_hash

HASHES = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30)


@given(HASHES, HASHES)
def test_the_nearest_is_that_of_a_plain_loop_and_the_first_of_several(queries: list[int], among: list[int]):
    place, bits = nearest_hash(np.array(queries, np.uint64), np.array(among, np.uint64))
    for query, found, differing in zip(queries, place.tolist(), bits.tolist(), strict=True):
        distances = [(query ^ other).bit_count() for other in among]
        assert (found, differing) == (distances.index(min(distances)), min(distances))


def test_blocks_do_not_change_the_answer(monkeypatch):
    rng = np.random.default_rng(0)
    queries, among = (rng.integers(0, 2**63, n, dtype=np.uint64) for n in (50, 70))
    whole = nearest_hash(queries, among)
    monkeypatch.setattr(module, "_BLOCK_VALUES", 150)
    assert all((a == b).all() for a, b in zip(whole, nearest_hash(queries, among), strict=True))
