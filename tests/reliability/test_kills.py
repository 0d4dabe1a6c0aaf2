"""Kill -9 at system calls and at random moments: nothing acknowledged is lost, nothing half is seen, nothing is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import kill_jobs
import pytest
from catalog_state import acknowledged, copied, logical_digest, untidy
from forked import Jobs
from kill_points import Stage, sampled, unsafe, wrong_after_kill, wrong_after_resuming, wrong_for_readers
from scoreboard import record, tier
from system_calls import Call, why_not

from drawn_files import drawn, jpeg
from drawn_shop import write
from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

SEED = 8
POINTS = {"ingest": 14, "ingest again": 16, "undo": 20, "vectors": 20} if tier() == "pr" else {}
RANDOM_KILLS = 20 if tier() == "pr" else 200


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def pool(place: Path) -> Iterator[SimpleQueue[Jobs]]:
    """Two processes that fork, one a core."""
    free: SimpleQueue[Jobs] = SimpleQueue()
    with Jobs(place) as one, Jobs(place) as other:
        free.put(one)
        free.put(other)
        yield free


@pytest.fixture(scope="module")
def stages(place: Path, pool: SimpleQueue[Jobs]) -> dict[str, Stage]:
    """50 photos into a new catalog; again with 10 changed, one unreadable and 5 more; back; and vectors for all."""
    for number in range(50):
        name = f"c{number % 5}/{number:02}.jpg"
        changed = number % 5 == 1
        write(place / "photos" / name, jpeg(drawn(32, 24, number)))
        write(place / "more" / name, jpeg(drawn(32, 24, number + 1000 * changed)) if number != 7 else b"no picture")
    for number in range(5):
        write(place / "more" / "c9" / f"{number}.jpg", jpeg(drawn(24, 32, 2000 + number)))
    jobs = pool.get()
    nothing, first, second = place / "nothing", place / "first.catalog", place / "second.catalog"
    assert jobs.run("ingest", place / "photos", first, place / "decoded").code == 0
    copied(first, second)
    assert jobs.run("ingest", place / "more", second, place / "decoded").code == 0
    one, two = logical_digest(first), logical_digest(second)
    back, embedded = copied(second, place / "back.catalog"), copied(first, place / "embedded.catalog")
    assert jobs.run("undo", back).code == 0
    assert jobs.run("vectors", embedded).code == 0
    pool.put(jobs)
    assert logical_digest(back) == one != two
    return {
        "ingest": Stage("ingest", "ingest", (place / "photos",), nothing, None, one, 50),
        "ingest again": Stage("ingest again", "ingest", (place / "more",), first, one, two, 55),
        "undo": Stage("undo", "undo", (), second, two, one),
        "vectors": Stage("vectors", "vectors", (), first, one, logical_digest(embedded)),
    }


def spread(
    pool: SimpleQueue[Jobs], place: Path, work: Callable[[Jobs, int, Path], list[str]], items: list[int]
) -> list[str]:
    """Do work on all items in two processes; return everything that is wrong."""

    def one(item: int) -> list[str]:
        jobs = pool.get()
        try:
            folder = place / f"at-{id(jobs)}"
            folder.mkdir(exist_ok=True)
            return work(jobs, item, folder)
        finally:
            pool.put(jobs)

    with ThreadPoolExecutor(2) as threads:
        return [what for found in threads.map(one, items) for what in found]


def calls_of(pool: SimpleQueue[Jobs], stage: Stage, place: Path, variant: tuple[str, ...] = ()) -> list[Call]:
    """List the calls of an uninterrupted run; its catalog stays at `place`/whole.catalog."""
    jobs = pool.get()
    catalog = copied(stage.template, place / "whole.catalog")
    more = (place / "decoded",) if stage.job == "ingest" else ()
    names = (*variant, stage.job)
    done = jobs.run(names[0], *names[1:], *stage.arguments, catalog, *more, within=catalog)
    pool.put(jobs)
    assert done.code == 0, done.said
    return done.calls


@pytest.mark.parametrize("name", ["ingest", "ingest again", "undo", "vectors"])
def test_killed_before_any_call_that_changes_a_file_a_command_typed_again_ends_as_if_nothing_had_happened(
    stages: dict[str, Stage], pool: SimpleQueue[Jobs], place: Path, name: str
):
    started = time.monotonic()
    stage = stages[name]
    points = sampled(calls_of(pool, stage, place), POINTS.get(name))
    wrong = spread(pool, place, lambda jobs, at, folder: wrong_after_kill(jobs, stage, at, folder), points)
    record(
        f"T4 kill before a call: {name}", len(points), len(wrong), time.monotonic() - started, SEED,
        "catalog.json written in place",
    )  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_the_kills_catch_a_catalog_that_is_written_in_place(
    stages: dict[str, Stage], pool: SimpleQueue[Jobs], place: Path
):
    stage = stages["ingest again"]
    calls = calls_of(pool, stage, place, ("in_place",))
    points = [n for n, call in enumerate(calls) if call.path.endswith("catalog.json") and call.name == "write"][1:3]
    assert len(points) == 2
    wrong = spread(
        pool, place, lambda jobs, at, folder: wrong_after_kill(jobs, stage, at, folder, ("in_place",)), points
    )
    assert any("a reader sees" in what for what in wrong), wrong


@pytest.mark.parametrize("name", ["ingest", "ingest again", "undo", "vectors"])
def test_what_is_published_would_survive_a_power_cut(
    stages: dict[str, Stage], pool: SimpleQueue[Jobs], place: Path, name: str
):
    started = time.monotonic()
    count, wrong = unsafe(calls_of(pool, stages[name], place), place / "whole.catalog")
    record(f"T4 fsync around a rename: {name}", count, len(wrong), time.monotonic() - started, SEED, "without fsync")
    assert count > 2
    assert not wrong, "\n".join(wrong)


def test_the_order_check_catches_a_job_that_syncs_nothing(
    stages: dict[str, Stage], pool: SimpleQueue[Jobs], place: Path
):
    count, wrong = unsafe(calls_of(pool, stages["ingest"], place, ("without_sync",)), place / "whole.catalog")
    assert len(wrong) >= 2 * count


@pytest.fixture(scope="module")
def embedded(place: Path, pool: SimpleQueue[Jobs], stages: dict[str, Stage]) -> Stage:
    """The smallest real network over the photos of the first stage."""
    template, jobs = stages["ingest"].arguments[0], pool.get()
    bare = place / "bare.catalog"
    assert jobs.run("ingest", template, bare, place / "decoded").code == 0
    whole = copied(bare, place / "network.catalog")
    done = jobs.run("embed", whole)
    pool.put(jobs)
    assert done.code == 0, done.said
    return Stage("embed", "embed", (), bare, logical_digest(bare), logical_digest(whole))


def kept_rows(stage: Stage, catalog: Path) -> int:
    """Count what is put away for good: products, or vectors."""
    if stage.job == "ingest":
        try:
            return len(Catalog(catalog).products(["product_id"]))
        except CatalogError:
            return acknowledged(catalog)
    return len(Catalog(catalog).embedded_pictures("lite0-96-fp32"))


def killed_at_random(jobs: Jobs, stage: Stage, seed: int, folder: Path) -> tuple[int, list[str]]:
    """Kill a job up to five times at any moment, then let it end; returns the number of kills and what was wrong."""
    moment = random.Random(seed)
    catalog, decoded = copied(stage.template, folder / "x.catalog"), folder / "decoded"
    decoded.unlink(missing_ok=True)
    seconds = stage.run(jobs, copied(stage.template, folder / "timed.catalog"), folder / "timed").seconds
    decoded.unlink(missing_ok=True)
    kills, kept, wrong = 0, 0, []
    for _ in range(5):
        done = stage.run(jobs, catalog, decoded, kill_after_s=moment.uniform(0, seconds))
        if done.code != -signal.SIGKILL:
            wrong += [] if done.code == 0 else [f"it ends with {done.code}: {done.said}"]
            break
        kills += 1
        wrong += wrong_for_readers(stage, catalog)
        now = kept_rows(stage, catalog)
        wrong += [f"{kept} rows were kept, {now} are left"] if now < kept else []
        kept = now
    return kills, [
        f"{stage.name}, seed {seed}: {what}" for what in wrong + wrong_after_resuming(jobs, stage, catalog, decoded)
    ]


@pytest.mark.parametrize("name", ["ingest", "embed"])
def test_killed_at_any_moment_up_to_five_times_a_job_ends_as_if_nothing_had_happened(
    stages: dict[str, Stage], embedded: Stage, pool: SimpleQueue[Jobs], place: Path, name: str
):
    started, stage = time.monotonic(), stages.get(name, embedded)
    kills, wrong, seed = 0, [], SEED
    jobs = pool.get()
    folder = place / "random"
    folder.mkdir(exist_ok=True)
    while kills < RANDOM_KILLS:
        count, found = killed_at_random(jobs, stage, seed, folder)
        kills, wrong, seed = kills + count, wrong + found, seed + 1
    pool.put(jobs)
    record(f"T4 kill at random: {name}", kills, len(wrong), time.monotonic() - started, SEED, "catalog.json in place")
    assert not wrong, "\n".join(wrong)


def test_a_decoder_that_is_killed_costs_at_most_the_picture_that_it_was_decoding(
    stages: dict[str, Stage], tmp_path: Path
):
    photos, decoded, catalog = stages["ingest"].arguments[0], tmp_path / "decoded", tmp_path / "x.catalog"
    command = [sys.executable, kill_jobs.__file__, "ingest", str(photos), str(catalog), str(decoded)]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not decoded.exists():
        time.sleep(0.001)
    children = Path(f"/proc/{job.pid}/task").glob("*/children")
    workers = [int(pid) for file in children for pid in file.read_text().split()]
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGKILL)
    said = job.communicate()[0]
    assert job.returncode == 0
    summary = json.loads(said)
    assert summary["products"] == 50 and summary["images"] >= 49
    assert summary["quarantined_by_reason"] in ({}, {"img_decoder_crash": 1})
    assert untidy(catalog) == []
