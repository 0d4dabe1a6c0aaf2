"""T1: damaged pictures. Every mutant is answered by a code or by pixels, in worker processes that stay alive.

The mutants go through `Decoders`, all of them: 10,000 by default, 100,000 with SHELFWISE_TIER=release. The cuts go through
`decode` in this process: it is the same function, and there are no surprises left after the mutants.
"""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image
from scoreboard import record, tier

import trapped_worker
from drawn_files import encoded, encodings, image
from shelfwise.engines import map_ordered
from shelfwise.engines.decoders import Decoders
from shelfwise.errors import ImageError
from shelfwise.images.decode import IMPORT_LIMITS, REFUSALS, Limits, decode
from shelfwise.images.preprocess import Preprocessing

SEED = 20_261_122
MUTANTS = {"pr": 10_000, "release": 100_000}
Decoder = Callable[[bytes], np.ndarray]


def _with(data: bytes, place: int, patch: bytes) -> bytes:
    return data[:place] + patch + data[place + len(patch) :]


def _flipped(data: bytes, rng: np.random.Generator, bits: int) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(0, len(data), bits):
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _block(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    start = int(rng.integers(len(data)))
    return start, min(len(data), start + int(rng.integers(1, 64)))


def _zeroed(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = _block(data, rng)
    return _with(data, start, bytes(stop - start))


def _scrambled(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = _block(data, rng)
    return _with(data, start, rng.bytes(stop - start))


def _doubled(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = _block(data, rng)
    return data[:stop] + data[start:]


def _shortened(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = _block(data, rng)
    return data[:start] + data[stop:]


def _lengthened(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = _block(data, rng)
    return data[:start] + rng.bytes(stop - start) + data[start:]


MUTATORS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "truncate": lambda data, rng: data[: int(rng.integers(len(data)))],
    "1 bit": lambda data, rng: _flipped(data, rng, 1),
    "8 bits": lambda data, rng: _flipped(data, rng, 8),
    "byte": lambda data, rng: _with(data, int(rng.integers(len(data))), rng.bytes(1)),
    "zero block": _zeroed,
    "random block": _scrambled,
    "duplicate": _doubled,
    "delete": _shortened,
    "header": lambda data, rng: _with(data, int(rng.integers(min(64, len(data)))), rng.bytes(1)),
    "insert": _lengthened,
}


def mutants(count: int) -> Iterator[tuple[str, bytes]]:
    """Every encoding by every mutator in turn; the same for the same count."""
    rng = np.random.default_rng(SEED)
    pairs = [
        (f"{name}, {kind}", data, change) for name, data in encodings().items() for kind, change in MUTATORS.items()
    ]
    for number in range(count):
        name, data, change = pairs[number % len(pairs)]
        yield f"{number}: {name}", change(data, rng)


def peak_mb(decoders: Decoders) -> float:
    """The most memory that any worker had at once."""
    said = [Path(f"/proc/{worker._process.pid}/status").read_text() for worker in decoders._workers]
    return max(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) for status in said) / 1024


@pytest.mark.slow
def test_damaged_pictures_are_all_answered_and_no_worker_dies() -> None:
    n, start, outcomes, slowest = MUTANTS[tier()], time.monotonic(), Counter[str](), 0.0

    def outcome(mutant: tuple[str, bytes]) -> tuple[str, str, float]:
        name, data = mutant
        began = time.monotonic()
        try:
            decoders.examine(data)
        except ImageError as error:
            assert error.detail, name
            return name, error.code, time.monotonic() - began
        return name, "ok", time.monotonic() - began

    with Decoders(2) as decoders:
        decoders.examine(encodings()["png"])
        failed = []
        for name, code, seconds in map_ordered(outcome, mutants(n), 2):
            outcomes[code] += 1
            slowest = max(slowest, seconds)
            if code in ("img_timeout", "img_memory", "img_decoder_crash") or code not in ("ok", *REFUSALS):
                failed.append(f"{name}: {code}")
        peak = peak_mb(decoders)
    record("T1 mutants", n, len(failed), time.monotonic() - start, SEED, "SIGSEGV, 60 s, 4 GB: seen; Pillow alone")
    assert not failed
    assert outcomes.total() == n and outcomes["ok"] > n / 20 and n - outcomes["ok"] > n / 20
    assert slowest < 10 and peak <= 512, (slowest, peak)


TRAPS = {
    "segv.jpg": ("img_decoder_crash", "the decoder died (SIGSEGV) on this picture; the worker was replaced"),
    "sleep.jpg": ("img_timeout", "not decoded within 1 s; the worker was replaced"),
    "swell.jpg": ("img_memory", "the decoder ran out of memory; the worker was replaced"),
}


def test_a_crash_a_hang_and_a_flood_are_told_by_name_and_the_run_goes_on() -> None:
    start = time.monotonic()
    hasty = Limits(size_bytes=10**6, pixels=10**6, seconds=1)
    good = encodings()["jpeg"]
    files = {f"{number}.jpg": good for number in range(30)}
    for trap in TRAPS:
        files = {f"before {trap}": good, trap: good + b"TRAP:" + trap.removesuffix(".jpg").encode(), **files}

    def told(file: str) -> tuple[str, str, str]:
        limits = hasty if file == "sleep.jpg" else IMPORT_LIMITS
        try:
            return file, "ok", decoders.examine(files[file], limits).format
        except ImageError as error:
            return file, error.code, error.detail

    with Decoders(2, command=trapped_worker.COMMAND) as decoders:
        answers = {file: answer for file, *answer in map_ordered(told, files, 2)}
    expected = {file: list(TRAPS.get(file, ("ok", "JPEG"))) for file in files}
    wrong = [file for file in files if answers[file] != expected[file]]
    record("T1 controls", len(files), len(wrong), time.monotonic() - start, 0, "real signals, a real hang, real memory")
    assert answers == expected


@pytest.mark.filterwarnings("ignore")
def test_the_same_mutants_make_plain_pillow_raise_other_errors_than_os_error() -> None:
    others = set()
    for _, data in mutants(2_000):
        try:
            with Image.open(io.BytesIO(data)) as picture:
                picture.convert("RGB")
        except OSError:
            continue
        except Exception as error:
            others.add(type(error).__name__)
    assert len(others) >= 2


def test_two_thousand_mutants_raise_nothing_but_image_error_in_process() -> None:
    for name, data in mutants(2_000):
        try:
            pixels = decode(data, minimum_side_px=20).pixels
        except ImageError as error:
            assert error.code in REFUSALS and error.detail, name
        else:
            assert pixels.dtype == np.uint8 and pixels.shape[2] == 3, name


def small_files() -> dict[str, bytes]:
    """One small file of each encoding: every byte of it can be the last."""
    picture = image(24, 16)
    return {
        "jpeg": encoded(picture, "JPEG"), "progressive": encoded(picture, "JPEG", progressive=True),
        "png": encoded(picture, "PNG"), "webp": encoded(picture, "WEBP"),
        "lossless webp": encoded(picture, "WEBP", lossless=True), "gif": encoded(picture, "GIF"),
        "bmp": encoded(picture, "BMP"), "tiff": encoded(picture, "TIFF"),
        "lzw tiff": encoded(picture, "TIFF", compression="tiff_lzw"), "avif": encoded(picture, "AVIF", speed=10),
    }  # fmt: skip


def wrongly_accepted_cuts(data: bytes, decoder: Decoder, cuts: range) -> list[int]:
    """Cut points at which a decoder gives pixels other than those of the whole file."""
    whole, wrong = decoder(data), []
    for cut in cuts:
        try:
            pixels = decoder(data[:cut])
        except ImageError:
            continue
        if pixels.shape != whole.shape or (pixels != whole).any():
            wrong.append(cut)
    return wrong


def pixels_of(data: bytes) -> np.ndarray:
    return decode(data).pixels


def test_a_small_file_cut_at_any_byte_is_refused_or_has_all_its_pixels() -> None:
    start, n, wrong = time.monotonic(), 0, {}
    for name, data in small_files().items():
        n += len(data)
        if cuts := wrongly_accepted_cuts(data, pixels_of, range(len(data))):
            wrong[name] = cuts
    record("T1 cuts", n, sum(map(len, wrong.values())), time.monotonic() - start, 0, "a decoder that fills up is seen")
    assert not wrong
    assert n > 8_000


@pytest.mark.parametrize("name", encodings())
def test_a_file_cut_anywhere_is_refused_or_has_all_its_pixels(name: str) -> None:
    data = encodings()[name]
    assert wrongly_accepted_cuts(data, pixels_of, range(0, len(data), 97)) == []
    assert wrongly_accepted_cuts(data, pixels_of, range(max(0, len(data) - 14), len(data))) == []


def test_the_check_of_cuts_sees_a_decoder_that_fills_up() -> None:
    def lenient(data: bytes) -> np.ndarray:
        try:
            return simplejpeg.decode_jpeg(data, strict=False)
        except ValueError as error:
            raise ImageError("img_corrupt", str(error)) from error

    data = small_files()["jpeg"]
    assert len(wrongly_accepted_cuts(data, lenient, range(len(data)))) > 5
    assert len(wrongly_accepted_cuts(encodings()["jpeg"], lenient, range(0, len(encodings()["jpeg"]), 97))) > 5


def test_squares_of_mutants_are_of_the_size_that_was_asked_for() -> None:
    with Decoders(1) as decoders:
        for name, data in mutants(300):
            try:
                (square,) = decoders.prepare(data, [Preprocessing(32)])
            except ImageError:
                continue
            assert square.shape == (32, 32, 3), name
