from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import trapped_worker
from drawn_files import drawn, encodings, jpeg
from shelfwise.engines import map_ordered
from shelfwise.engines.decoders import Decoders, Examined
from shelfwise.errors import ImageError, ShelfwiseError
from shelfwise.images.decode import IMPORT_LIMITS, Limits, decode
from shelfwise.images.hashes import perceptual_hash
from shelfwise.images.preprocess import Preprocessing, prepare

GOOD = encodings()["jpeg"]
HASTY = Limits(IMPORT_LIMITS.size_bytes, IMPORT_LIMITS.pixels, seconds=0.5)
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are looked up in /proc")


def status_of(process: int | str) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def children() -> set[int]:
    """Processes, zombies among them, that this one has started and not waited for."""
    numbers = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return {number for number in numbers if status_of(number).get("PPid") == str(os.getpid())}


def trapped(trap: str) -> bytes:
    return GOOD + b"TRAP:" + trap.encode()


def refusal(decoders: Decoders, data: bytes, limits: Limits = IMPORT_LIMITS) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decoders.examine(data, limits)
    return caught.value


@pytest.fixture(scope="module")
def decoders():
    with Decoders(2, command=trapped_worker.COMMAND) as pool:
        yield pool


@pytest.mark.parametrize("name", encodings())
def test_a_picture_is_examined_as_in_this_process(decoders: Decoders, name: str) -> None:
    picture = decode(encodings()[name])
    assert decoders.examine(encodings()[name]) == Examined(
        perceptual_hash(picture.pixels), picture.width, picture.height, picture.format, picture.mode, picture.notes,
        picture.frames,
    )  # fmt: skip


def test_squares_are_those_of_this_process_for_every_view(decoders: Decoders) -> None:
    views = [Preprocessing(32), Preprocessing(48, "pad"), Preprocessing(224, "crop", 0.875)]
    for data in [*encodings().values(), jpeg(drawn(600, 500))]:
        for view, square in zip(views, decoders.prepare(data, views), strict=True):
            np.testing.assert_array_equal(square, prepare(data, view))


@pytest.mark.parametrize(
    "data", [b"", b"<html>no photo</html>", GOOD[:200], encodings()["png"][:-100], b"\xff\xd8" * 50]
)
def test_a_refusal_has_the_code_and_words_of_this_process(decoders: Decoders, data: bytes) -> None:
    with pytest.raises(ImageError) as here:
        decode(data)
    assert str(refusal(decoders, data)) == str(here.value)


def test_limits_hold_and_too_many_bytes_are_not_even_sent(decoders: Decoders) -> None:
    assert refusal(decoders, GOOD, Limits(10**6, pixels=100)).code == "img_too_large"
    with Decoders(1, command=("there is no such program",)) as unstartable:
        assert refusal(unstartable, bytes(1001), Limits(1000, 10**6)).detail == "1,001 bytes, limit 1,000"


@pytest.mark.parametrize(
    ("trap", "code", "detail"),
    [
        ("segv", "img_decoder_crash", "the decoder died (SIGSEGV) on this picture; the worker was replaced"),
        ("abort", "img_decoder_crash", "the decoder died (SIGABRT) on this picture; the worker was replaced"),
        ("exit", "img_decoder_crash", "the decoder died (exit code 3) on this picture; the worker was replaced"),
        ("sleep", "img_timeout", "not decoded within 0.5 s; the worker was replaced"),
        ("spin", "img_timeout", "not decoded within 0.5 s; the worker was replaced"),
        ("swell", "img_memory", "the decoder ran out of memory; the worker was replaced"),
        ("bug", "img_decoder_crash", "the decoder failed: KeyError: 'no such thing'"),
    ],
)
def test_what_befalls_a_worker_is_told_of_its_picture_alone(
    decoders: Decoders, trap: str, code: str, detail: str
) -> None:
    before = decoders.examine(GOOD)
    error = refusal(decoders, trapped(trap), HASTY if code == "img_timeout" else IMPORT_LIMITS)
    assert (error.code, error.detail) == (code, detail)
    assert decoders.examine(GOOD) == before


def test_a_good_picture_does_not_pay_for_the_one_before(decoders: Decoders) -> None:
    before = decoders.examine(GOOD)
    assert decoders.examine(trapped("poison")).width == 96, "its damage shows only at the next picture"
    assert decoders.examine(GOOD) == before
    assert decoders.examine(trapped("poison")).width == 96
    assert refusal(decoders, trapped("segv")).code == "img_decoder_crash"


def test_what_libraries_print_goes_nowhere(decoders: Decoders, capfd: pytest.CaptureFixture[str]) -> None:
    assert decoders.examine(trapped("chatter")).width == 96
    broken_tiff = encodings()["lzw tiff"].replace(b"\x80", b"\x00")
    refusal(decoders, broken_tiff)
    assert capfd.readouterr() == ("", "")


def test_many_threads_share_few_workers_and_every_one_gets_its_own_answer(decoders: Decoders) -> None:
    files = [jpeg(drawn(40 + number, 50)) for number in range(20)] + [trapped("segv"), trapped("exit"), b"", GOOD]

    def width(data: bytes) -> int | str:
        try:
            return decoders.examine(data).width
        except ImageError as error:
            return error.code

    expected = [*range(40, 60), "img_decoder_crash", "img_decoder_crash", "img_empty", 96]
    assert list(map_ordered(width, files * 3, 8)) == expected * 3


def examined_with(**changes: object) -> bytes:
    true = {"perceptual_hash": 1, "width": 9, "height": 9, "format": "PNG", "mode": "RGB", "notes": [], "frames": 1}
    return GOOD + b"LIE:" + repr((true | changes, b"")).encode()


LIES = {
    "a width over the limit": examined_with(width=10**6),
    "a width that is no number": examined_with(width="9"),
    "a truth value for a number": examined_with(height=True),
    "a hash of more than 64 bits": examined_with(perceptual_hash=2**64),
    "a note that we do not have": examined_with(notes=["<script>"]),
    "notes within notes": examined_with(notes=[[]]),
    "a format that is not accepted": examined_with(format="EPS"),
    "a mode that is a sentence": examined_with(mode="rm -rf / ; echo"),
    "one field more": examined_with(path="../../etc/passwd"),
    "a field less": GOOD + b"LIE:({'width': 3}, b'')",
    "a body where none belongs": GOOD + b"LIE:({'width': 3}, b'x' * 10)",
    "a header too long": GOOD + b"LIE:({'code': 'img_corrupt', 'detail': 'x' * 5000}, b'')",
    "a code that we do not have": GOOD + b"LIE:({'code': 'ok', 'detail': 'x'}, b'')",
    "words that are none": GOOD + b"LIE:({'code': 'img_corrupt', 'detail': 3}, b'')",
    "a list": GOOD + b"LIE:([1], b'')",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_decoder_that_was_taken_over_cannot_tell_us_what_cannot_be(decoders: Decoders, lie: str) -> None:
    error = refusal(decoders, LIES[lie])
    assert (error.code, error.detail) == (
        "img_decoder_crash", "the decoder answered nonsense on this picture; the worker was replaced",
    )  # fmt: skip
    assert decoders.examine(examined_with()).width == 9, "and the same answer without the lie is believed"


def test_words_of_a_decoder_cannot_steer_a_terminal(decoders: Decoders) -> None:
    error = refusal(decoders, GOOD + rb"LIE:({'code': 'img_corrupt', 'detail': 'a\x1b[2J\nb'}, b'')")
    assert error.detail == "a\ufffd[2J\ufffdb"


def test_nothing_is_started_before_a_picture_comes_and_nothing_is_left_behind() -> None:
    before, threads = children(), threading.active_count()
    with Decoders(3) as pool:
        assert children() == before
        pool.examine(GOOD)
        pool.examine(GOOD)
        assert len(children() - before) == 1, "one thread needs one worker"
        refusal(pool, b"")
        assert len(children() - before) == 1
    assert children() == before
    assert threading.active_count() == threads


def test_a_worker_that_died_is_waited_for() -> None:
    before = children()
    with Decoders(1, command=trapped_worker.COMMAND) as pool:
        for trap in ("segv", "exit", "sleep"):
            refusal(pool, trapped(trap), HASTY)
            assert children() == before, "neither a zombie nor a process that goes on"


def test_a_worker_started_ahead_is_the_one_that_answers() -> None:
    before = children()
    with Decoders(2) as pool:
        pool.start()
        started = children() - before
        assert len(started) == 1
        pool.examine(GOOD)
        assert children() - before == started


def test_closed_decoders_start_nothing() -> None:
    with Decoders(1) as pool:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        pool.examine(GOOD)


def test_a_worker_that_does_not_start_is_an_error_of_the_run_not_of_the_picture() -> None:
    broken = (sys.executable, "-c", "raise SystemExit('numpy is not there')")
    with Decoders(1, command=broken) as pool:
        for _ in range(2):
            with pytest.raises(ShelfwiseError, match="does not start: numpy is not there") as caught:
                pool.examine(GOOD)
            assert not isinstance(caught.value, ImageError)


def test_a_module_in_the_folder_where_somebody_works_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "numpy", "shelfwise"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working folder')")
    monkeypatch.chdir(tmp_path)
    with Decoders(1) as pool:
        assert pool.examine(GOOD).width == 96
    seen = subprocess.run([sys.executable, "-m", "shelfwise.images.worker"], capture_output=True, text=True, input="")
    assert "imported from the working folder" in seen.stderr, "without -P it is"


def test_a_worker_has_limits_and_a_group_of_its_own() -> None:
    before = children()
    with Decoders(1) as pool:
        pool.examine(GOOD)
        (worker,) = children() - before
        assert resource.prlimit(worker, resource.RLIMIT_CORE) == (0, 0)
        soft, hard = resource.prlimit(worker, resource.RLIMIT_AS)
        assert soft == hard and 2 * 2**30 < soft < 3 * 2**30
        assert os.getpgid(worker) == worker, "Ctrl-C must not reach it"
        os.kill(worker, signal.SIGSTOP)
        assert refusal(pool, GOOD, HASTY).code == "img_timeout", "a worker that stands still is replaced as well"


ORPHANS = """
import os, sys
sys.path.insert(0, sys.argv[1])
import trapped_worker
from drawn_files import encodings
from shelfwise.engines.decoders import Decoders
good = encodings()["jpeg"]
with Decoders(2, command=trapped_worker.COMMAND) as pool:
    pool.examine(good)
    print(*(worker._process.pid for worker in pool._workers), flush=True)
    os.kill(os.getpid(), 9)
"""


def test_workers_end_when_their_parent_is_killed() -> None:
    run = [sys.executable, "-c", ORPHANS, str(Path(trapped_worker.__file__).parent)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    workers = [int(number) for number in done.stdout.split()]
    deadline = time.monotonic() + 5
    while any(status_of(worker).get("State", "Z")[0] != "Z" for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert workers and not [w for w in workers if status_of(w).get("State", "Z")[0] != "Z"]


def test_a_worker_that_hangs_ends_itself_when_nobody_else_can() -> None:
    request = {"task": "examine", "limits": {"size_bytes": 10**6, "pixels": 10**6, "seconds": -4.5}, "parameters": {}}
    header, body = json.dumps(request).encode(), trapped("sleep")
    message = len(header).to_bytes(4, "little") + len(body).to_bytes(8, "little") + header + body
    start = time.monotonic()
    done = subprocess.run(trapped_worker.COMMAND, input=message, capture_output=True, timeout=30)
    assert done.returncode == -signal.SIGALRM and time.monotonic() - start < 10


def test_only_examining_loads_scipy_which_is_half_of_a_start() -> None:
    before = children()
    with Decoders(1) as pool:
        pool.prepare(GOOD, [Preprocessing(32)])
        (worker,) = children() - before
        maps = Path(f"/proc/{worker}/maps")
        assert "numpy" in maps.read_text() and "/scipy/" not in maps.read_text()
        pool.examine(GOOD)
        assert "/scipy/" in maps.read_text()
