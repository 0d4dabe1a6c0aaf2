"""Trainings on disks that fill up say so, keep what they have, and go on once there is room (T6)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import training_jobs
from forked import Jobs
from scoreboard import record
from test_disk_full import needs_disks, told
from test_training_kills import EVERY_STEP, Shop, draw, facts, result

from shelfwise.ingest import FolderSource, ingest

pytestmark = [pytest.mark.slow, needs_disks]

DISK_FULL = 74


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("disks")
    ingest(FolderSource(draw(place / "photos")), place / "shop.catalog")
    (place / "disk").mkdir()
    return place


@pytest.fixture(scope="module")
def disk(place: Path) -> Iterator[Jobs]:
    """A process that mounts disks which nobody else sees, and trains there."""
    with Jobs(place, ("unshare", "-rm"), training_jobs.__file__) as disk:
        yield disk


# Kind of run, size of the disk, what is asked beforehand, and whether it goes on from a checkpoint. 60 views of 24 photos take
# 6 MB, and so does a checkpoint.
CASES = {
    "activations, asked beforehand": ("many views", (), 4, (), False),
    "activations, found out": ("many views", (), 4, ("without_asking",), False),
    "the first checkpoint": ("plain", EVERY_STEP, 3, (), False),
    "a later checkpoint": ("plain", EVERY_STEP, 14, (), True),
}


@pytest.mark.parametrize("case", CASES)
def test_a_full_disk_is_told_in_one_line_and_with_room_it_ends_with_the_same_bits(disk: Jobs, place: Path, case: str):
    started = time.monotonic()
    kind, more, size_mb, variant, goes_on = CASES[case]
    whole = Shop(disk, place / case.replace(" ", "-"), place / "shop.catalog")
    assert whole.train(kind).code == 0
    assert disk.run("mount", place / "disk", f"size={size_mb}m").code == 0
    shop = Shop(disk, place / "disk", place / "shop.catalog")
    full = shop.train(kind, *more, variant=variant)
    assert told(full, DISK_FULL), full.said
    assert re.search(
        r"disk full: \S+ needs about [\d,]+ bytes, [\d,]+ are free; make room and type the same", full.said
    )
    assert disk.run("mount", place / "disk", "remount,size=64m").code == 0
    done = shop.train(kind)
    assert done.code == 0, done.said
    copy = place / f"{case.replace(' ', '-')}-copied"
    assert disk.run("copy", shop.bundle, copy).code == 0
    assert disk.run("unmount", place / "disk").code == 0
    assert result(copy) == result(whole.bundle)
    assert bool(facts(copy)["network"]["resumed_at_steps"]) == goes_on
    record(f"T6 training: {case}", 1, 0, time.monotonic() - started, 0, "on a larger disk it is not full")
