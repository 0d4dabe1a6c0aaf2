from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.engines import available_cores, map_ordered


@given(st.lists(st.integers()), st.integers(1, 5))
def test_results_are_those_of_a_loop_in_the_same_order(items: list[int], workers: int):
    assert list(map_ordered(lambda item: item * 2 + 1, items, workers)) == [item * 2 + 1 for item in items]


def test_order_holds_when_early_items_take_longest():
    def late(item: int) -> int:
        time.sleep((20 - item) / 1000)
        return item

    assert list(map_ordered(late, range(20), 4)) == list(range(20))


def test_memory_stays_flat_at_most_two_items_a_worker_are_taken_ahead():
    taken = []

    def endless() -> Iterator[int]:
        for number in range(10_000):
            taken.append(number)
            yield number

    results = map_ordered(lambda item: item, endless(), 3)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(taken) <= 5 + 2 * 3 + 1
    results.close()


def test_work_is_shared_by_as_many_threads_as_asked_for():
    meeting = threading.Barrier(3, timeout=10)
    assert list(map_ordered(lambda item: meeting.wait() >= 0 and item, range(3), 3)) == [0, 1, 2]


def test_an_error_comes_out_at_its_place_and_stops_the_rest():
    done = []

    def work(item: int) -> int:
        if item == 3:
            raise ZeroDivisionError
        done.append(item)
        return item

    got = []
    with pytest.raises(ZeroDivisionError):
        for result in map_ordered(work, range(1000), 2):
            got.append(result)
    assert got == [0, 1, 2]
    assert len(done) < 20


def test_no_thread_stays_behind_when_the_reader_stops():
    before = threading.active_count()
    results = map_ordered(lambda item: item, range(100), 4)
    next(results)
    results.close()
    assert threading.active_count() == before


def test_cores_are_those_that_this_process_may_use():
    assert available_cores() == len(os.sched_getaffinity(0))
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, mine)
