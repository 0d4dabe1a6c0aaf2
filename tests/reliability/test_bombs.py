"""T3: bombs. What declares too much is refused from its header; what unpacks to too much is not unpacked."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scoreboard import record

from drawn_bombs import BOMBS, flat_png, jpeg_header, many_frames, many_pages, profile_bomb
from drawn_files import encoded, image, png, text_bomb
from shelfwise.engines import map_ordered
from shelfwise.engines.decoders import Decoders
from shelfwise.images.decode import SERVER_LIMITS

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc")

MOST_MB, MOST_S = 20, 0.05
MEASURE = """
import json, re, sys, time
from pathlib import Path
from shelfwise.errors import ImageError
from shelfwise.images.decode import SERVER_LIMITS, Limits, decode

def peak_mb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

wide = Limits(10**9, 10**10, 10**6)
for path in map(Path, sys.argv[1:]):
    data, seconds = path.read_bytes(), []
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = peak_mb()
    for _ in range(1 if path.name.startswith("control") else 3):
        start = time.process_time()
        try:
            code = decode(data, limits=wide if path.name.startswith("control") else SERVER_LIMITS).notes
        except ImageError as error:
            code = error.code
        seconds.append(time.process_time() - start)
    print(json.dumps([path.name, code, peak_mb() - before, min(seconds)]))
"""


def measured(folder: Path, files: dict[str, bytes]) -> dict[str, tuple[object, float, float]]:
    """Decode files in a process of its own: outcome, memory on top in MB, seconds of the processor."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    run = [sys.executable, "-c", MEASURE, *(str(folder / name) for name in files)]
    done = subprocess.run(run, capture_output=True, check=True, text=True, timeout=120)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {name: (outcome, grown_mb, seconds) for name, outcome, grown_mb, seconds in rows}


def progressive_header(width: int, height: int) -> bytes:
    whole = encoded(image(16, 16), "JPEG", progressive=True)
    place = whole.index(b"\xff\xc2") + 5
    return whole[:place] + struct.pack(">HH", height, width) + whole[place + 4 :]


def refused() -> dict[str, bytes]:
    named = {f"{number:02} {name}": data for number, (name, data) in enumerate(BOMBS.items())}
    return named | {
        "png of 50 MP": png(8000, 6250, b"\x00"),
        "progressive jpeg of 50 MP": progressive_header(8000, 6250),
        "jpeg of 26 MP": jpeg_header(5200, 5000),
        "png of 89 MP with all its rows": flat_png(9440, 9440),
    }


def accepted() -> dict[str, tuple[bytes, list[str]]]:
    return {
        "gif of 500 frames": (many_frames(500), ["first_frame", "img_blank"]),
        "tiff of 10,000 pages": (many_pages(10_000), ["first_frame"]),
        "80 texts of 1 MB": (text_bomb(), []),
        "profile of 200 MB": (profile_bomb(), []),
    }


@pytest.mark.slow
def test_bombs_cost_neither_memory_nor_time(tmp_path: Path) -> None:
    start = time.monotonic()
    files = refused() | {name: data for name, (data, _) in accepted().items()}
    expected = dict.fromkeys(refused(), "img_too_large") | {name: notes for name, (_, notes) in accepted().items()}
    control = {"control 30 MP": flat_png(6000, 5000)}
    found = measured(tmp_path, files | control)
    _, grown_mb, _ = found.pop("control 30 MP")
    assert grown_mb > 80, "the measure does not see the pixels of a decoded picture"
    wrong = {
        name: row for name, row in found.items()
        if row[0] != expected[name] or row[1] > MOST_MB or row[2] > MOST_S
    }  # fmt: skip
    record("T3 bombs", len(files), len(wrong), time.monotonic() - start, 0, "30 MP with the limit removed: seen")
    assert not wrong


@pytest.mark.slow
def test_without_the_limit_a_bomb_takes_more_than_a_gigabyte(tmp_path: Path) -> None:
    bomb = flat_png(13_377, 13_377)
    assert len(bomb) < 600_000
    found = measured(tmp_path, {"bomb": bomb, "control": bomb})
    assert found["bomb"][0] == "img_too_large" and found["bomb"][1] < MOST_MB
    assert found["control"][0] == ["img_blank"] and found["control"][1] > 1_000, found


@pytest.mark.slow
def test_sixteen_pictures_at_the_limit_stay_within_the_memory_of_the_workers() -> None:
    start, at_limit = time.monotonic(), flat_png(5000, 5000)
    with Decoders(2) as decoders:
        list(map_ordered(lambda data: decoders.examine(data, SERVER_LIMITS), [encoded(image(), "PNG")] * 8, 2))
        before_mb = peaks_mb(decoders)
        found = list(map_ordered(lambda data: decoders.examine(data, SERVER_LIMITS), [at_limit] * 16, 4))
        after_mb = peaks_mb(decoders)
    grown_mb = [after - before for before, after in zip(before_mb, after_mb, strict=True)]
    over = sum(grown > 250 for grown in grown_mb)
    record("T3 at the limit", 16, over, time.monotonic() - start, 0, "1 GB without the limit: seen")
    assert {(picture.width, picture.notes) for picture in found} == {(5000, ("img_blank",))}
    assert len(after_mb) == 2 and sum(after_mb) <= 2 * 250 + 200 and not over, (before_mb, after_mb)


def peaks_mb(decoders: Decoders) -> list[float]:
    workers = sorted(worker._process.pid for worker in decoders._workers)
    said = [Path(f"/proc/{worker}/status").read_text() for worker in workers]
    return [int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024 for status in said]
