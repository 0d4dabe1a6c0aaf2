"""Full disks, disks that fail, too few descriptors and folders that cannot be written: one line, and nothing lost."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from catalog_state import copied, logical_digest, untidy
from forked import Done, Jobs
from scoreboard import record, tier
from system_calls import why_not

from drawn_files import jpeg
from drawn_shop import shelfwise, write
from shelfwise.errors import CatalogError

pytestmark = pytest.mark.slow

SEED = 6
DISK_FULL, USER_ERROR = 74, 2
# MB of disks; the photos need about 8.
SIZES = [3, 8, 10] if tier() == "pr" else [2 + n for n in range(12)]
UNASKED_SIZES = [2, 5, 8] if tier() == "pr" else [2 + n for n in range(8)]
POINTS = 5 if tier() == "pr" else 100
WRITING = (
    "write",
    "pwrite64",
    "writev",
    "ftruncate",
    "fsync",
    "fdatasync",
    "openat",
    "mkdir",
    "rename",
    "renameat",
    "linkat",
)


def why_no_disks() -> str | None:
    """Say why disks of a few MB cannot be made here."""
    tried = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True)
    return None if tried.returncode == 0 else f"no namespace to mount small disks in: {tried.stderr.strip()}"


needs_disks = pytest.mark.skipif(why_no_disks() is not None, reason=str(why_no_disks()))
needs_watching = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few photos for the catalog before, and 8 MB of them to add; what both catalogs say."""
    place = tmp_path_factory.mktemp("full")
    for number in range(5):
        noise = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        write(place / "few" / "a" / f"{number}.jpg", jpeg(noise))
    for number in range(40):
        noise = np.random.default_rng(100 + number).integers(0, 256, (400, 400, 3), dtype=np.uint8)
        write(place / "many" / f"c{number % 4}" / f"{number}.jpg", jpeg(noise, 95))
    return place


@pytest.fixture(scope="module")
def jobs(place: Path) -> Iterator[Jobs]:
    with Jobs(place) as jobs:
        yield jobs


@pytest.fixture(scope="module")
def before(place: Path, jobs: Jobs) -> Path:
    assert jobs.run("cli", "ingest", "folder", place / "few", "--to", place / "before.catalog").code == 0
    return place / "before.catalog"


@pytest.fixture(scope="module")
def after(place: Path, jobs: Jobs, before: Path) -> Path:
    catalog = copied(before, place / "after.catalog")
    assert jobs.run("cli", "ingest", "folder", place / "many", "--to", catalog).code == 0
    return catalog


@pytest.fixture
def disk(place: Path) -> Iterator[Jobs]:
    """A process that mounts disks which nobody else sees."""
    with Jobs(place, ("unshare", "-rm")) as disk:
        yield disk


def told(done: Done, code: int) -> bool:
    """Whether it ended with this code and one line about it."""
    errors = [line for line in done.said.splitlines() if line.startswith("error: ")]
    return done.code == code and len(errors) == 1 and "Traceback" not in done.said and "panicked" not in done.said


def wrong_on_a_disk(
    disk: Jobs, at: Path, size_mb: int, how: str, place: Path, before: Path, after: Path
) -> tuple[bool, list[str]]:
    """Ingest on a disk of some MB, make room where it did not fit, and ingest again; tells whether it was full."""
    assert disk.run("mount", at, f"size={size_mb}m").code == 0
    command = ("ingest", "folder", place / "many", "--to", at / "x.catalog")
    catalog, wrong = at / "x.catalog", []
    assert disk.run("cli", "ingest", "folder", place / "few", "--to", catalog).code == 0
    done = disk.run(how, *command)
    if done.code:
        said = (
            r"error: disk full: \S+ (needs about [\d,]+ bytes, )?[\d,]+ are free; make room and type the same command"
        )
        wrong += [] if told(done, DISK_FULL) and re.search(said, done.said) else [f"{done.code}: {done.said}"]
        seen = disk.run("look", catalog)
        wrong += [] if seen.code == 0 and json.loads(seen.said)[0] == logical_digest(before) else [f"seen: {seen.said}"]
        assert disk.run("mount", at, "remount,size=64m").code == 0
        again = disk.run(how, *command)
        wrong += [] if again.code == 0 else [f"with room it ends with {again.code}: {again.said}"]
    seen = disk.run("look", catalog)
    whole = seen.code == 0 and json.loads(seen.said) == [logical_digest(after), []]
    wrong += [] if whole else [f"in the end: {seen.said}"]
    assert disk.run("unmount", at).code == 0
    return bool(done.code), [f"{size_mb} MB, {how}: {what}" for what in wrong]


@needs_disks
def test_on_disks_of_all_sizes_an_ingest_ends_well_or_says_that_the_disk_is_full_and_goes_on_later(
    disk: Jobs, tmp_path: Path, place: Path, before: Path, after: Path
):
    started = time.monotonic()
    cases = [(size, "cli") for size in SIZES] + [(size, "unasked") for size in UNASKED_SIZES]
    ended = [wrong_on_a_disk(disk, tmp_path, *case, place, before, after) for case in cases]
    wrong = [what for _, found in ended for what in found]
    record("T6 small disks", len(cases), len(wrong), time.monotonic() - started, SEED, "the largest disk is not full")
    assert not wrong, "\n".join(wrong)
    assert [full for full, _ in ended].count(True) >= len(cases) - 3
    assert not ended[len(SIZES) - 1][0], "the largest disk is large enough: the others were full for their size"


def wrong_on_failure(
    jobs: Jobs, at: int, error: int, once: bool, place: Path, before: Path, after: Path, *variant: str
) -> list[str]:
    """Ingest where from call `at` on the disk is full, or one call fails; then again where it is not."""
    catalog = copied(before, place / "x.catalog")
    command = ("cli", "ingest", "folder", place / "many", "--to", catalog)
    how = {"within": catalog, "fail_at": at, "fail_kinds": WRITING, "fail_once": once, "error": error}
    done, wrong = jobs.run(*variant, *command, **how), []
    name = errno.errorcode[error]
    if done.code or not once:
        code = DISK_FULL if error == errno.ENOSPC else USER_ERROR
        wrong += [] if told(done, code) else [f"{done.code}: {done.said}"]
    try:
        seen = logical_digest(catalog)
    except CatalogError as damage:
        return [*wrong, f"a reader sees {damage}"]
    wrong += [] if seen in (logical_digest(before), logical_digest(after)) else ["a reader sees something else"]
    again = jobs.run(*command)
    wrong += [] if again.code == 0 else [f"later it ends with {again.code}: {again.said}"]
    wrong += [] if logical_digest(catalog) == logical_digest(after) else ["the end is not the same"]
    wrong += untidy(catalog)
    return [f"{name} {'once' if once else 'on'} at call {at} {done.calls[at : at + 1]}: {what}" for what in wrong]


@needs_watching
@pytest.mark.parametrize(
    ("error", "once"), [(errno.ENOSPC, False), (errno.ENOSPC, True), (errno.EIO, True)], ids=["full", "full once", "io"]
)
def test_whichever_call_fails_it_is_told_in_one_line_and_nothing_is_lost(
    jobs: Jobs, place: Path, before: Path, after: Path, error: int, once: bool
):
    started = time.monotonic()
    catalog = copied(before, place / "x.catalog")
    calls = jobs.run("cli", "ingest", "folder", place / "many", "--to", catalog, within=catalog).calls
    writing = [n for n, call in enumerate(calls) if call.name in WRITING]
    points = [writing[int(n)] for n in np.linspace(0, len(writing) - 1, min(POINTS, len(writing)))]
    wrong = [what for at in points for what in wrong_on_failure(jobs, at, error, once, place, before, after)]
    record(
        f"T6 {errno.errorcode[error]} {'once' if once else 'from a call on'}", len(points), len(wrong),
        time.monotonic() - started, SEED, "catalog.json written in place",
    )  # fmt: skip
    assert not wrong, "\n".join(wrong)


@needs_watching
def test_a_catalog_that_is_written_in_place_is_seen_to_be_lost_on_a_full_disk(
    jobs: Jobs, place: Path, before: Path, after: Path
):
    catalog = copied(before, place / "x.catalog")
    command = ("in_place", "cli", "ingest", "folder", place / "many", "--to", catalog)
    calls = jobs.run(*command, within=catalog).calls
    at = [n for n, call in enumerate(calls) if call.name == "write" and call.path == str(catalog / "catalog.json")][1]
    wrong = wrong_on_failure(jobs, at, errno.ENOSPC, False, place, before, after, "in_place")
    assert any("a reader sees" in what for what in wrong), wrong


def test_with_64_descriptors_an_ingest_ends_well_or_with_one_line(
    place: Path, before: Path, after: Path, tmp_path: Path
):
    catalog = copied(before, tmp_path / "x.catalog")
    program = str(Path(sys.executable).with_name("shelfwise"))
    command = [
        "sh",
        "-c",
        'ulimit -n "$0"; exec "$@"',
        "64",
        program,
        "ingest",
        "folder",
        place / "many",
        "--to",
        catalog,
    ]
    few = subprocess.run(command, capture_output=True, text=True)
    assert (few.returncode, few.stderr.count("Traceback")) in ((0, 0), (USER_ERROR, 0)), few.stderr
    assert logical_digest(catalog) == logical_digest(after if few.returncode == 0 else before)
    fewer = [
        *command[:3],
        "12",
        *command[4:-1],
        tmp_path / "new.catalog",
    ]  # a limit that is felt, as the other may not be
    ended = subprocess.run(fewer, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr.count("Traceback")) == (USER_ERROR, 0), ended.stderr
    for target in (catalog, tmp_path / "new.catalog"):
        assert shelfwise("ingest", "folder", place / "many", "--to", target).returncode == 0
        assert untidy(target) == []
    assert logical_digest(catalog) == logical_digest(after)
    assert untidy(catalog) == []


@needs_disks
def test_a_disk_that_cannot_be_written_is_told_in_one_line_and_its_catalogs_can_be_read(
    disk: Jobs, tmp_path: Path, place: Path, before: Path
):
    assert disk.run("mount", tmp_path, "size=64m").code == 0
    assert disk.run("cli", "ingest", "folder", place / "few", "--to", tmp_path / "x.catalog").code == 0
    assert disk.run("mount", tmp_path, "remount,ro").code == 0
    for catalog in ("x.catalog", "new.catalog"):
        done = disk.run("cli", "ingest", "folder", place / "many", "--to", tmp_path / catalog)
        assert told(done, USER_ERROR), done.said
        assert "Read-only file system" in done.said
    seen = disk.run("look", tmp_path / "x.catalog")
    assert json.loads(seen.said) == [logical_digest(before), []]
