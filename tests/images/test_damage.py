from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import simplejpeg
from drawn_files import encodings
from PIL import Image

from shelfwise.errors import ImageError
from shelfwise.images.decode import decode

Decoder = Callable[[bytes], np.ndarray]
STEP = 97


def wrongly_accepted_cuts(data: bytes, decoder: Decoder) -> list[int]:
    """Cut points at which a decoder gives pixels other than those of the whole file."""
    whole, wrong = decoder(data), []
    for cut in [*range(0, len(data), STEP), *range(max(0, len(data) - 14), len(data))]:
        try:
            pixels = decoder(data[:cut])
        except ImageError:
            continue
        if pixels.shape != whole.shape or (pixels != whole).any():
            wrong.append(cut)
    return wrong


@pytest.mark.parametrize("name", encodings())
def test_a_file_cut_anywhere_is_refused_or_has_all_its_pixels(name: str) -> None:
    assert wrongly_accepted_cuts(encodings()[name], lambda data: decode(data).pixels) == []


def test_the_check_of_cuts_sees_a_decoder_that_fills_up() -> None:
    def lenient(data: bytes) -> np.ndarray:
        try:
            return simplejpeg.decode_jpeg(data, strict=False)
        except ValueError as error:
            raise ImageError("img_corrupt", str(error)) from error

    assert len(wrongly_accepted_cuts(encodings()["jpeg"], lenient)) > 5


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    start = int(rng.integers(len(data)))
    stop = min(len(data), start + int(rng.integers(1, 64)))
    match int(rng.integers(8)):
        case 0:
            changed[start] ^= 1 << int(rng.integers(8))
        case 1:
            for place in rng.integers(0, len(data), 8):
                changed[place] ^= 1 << int(rng.integers(8))
        case 2:
            changed[start:stop] = bytes(stop - start)
        case 3:
            changed[start:stop] = rng.bytes(stop - start)
        case 4:
            changed[start:start] = changed[start:stop]
        case 5:
            del changed[start:stop]
        case 6:
            changed[int(rng.integers(min(64, len(data))))] = int(rng.integers(256))
        case 7:
            changed[start:start] = rng.bytes(stop - start)
    return bytes(changed)


def mutants(count: int, seed: int) -> list[tuple[str, bytes]]:
    rng, files = np.random.default_rng(seed), list(encodings().items())
    chosen = [files[place % len(files)] for place in range(count)]
    return [(name, mutated(data, rng)) for name, data in chosen]


def outcomes(count: int, seed: int) -> dict[str, int]:
    counts = {"decoded": 0, "refused": 0}
    for place, (name, data) in enumerate(mutants(count, seed)):
        try:
            picture = decode(data, minimum_side_px=20)
        except ImageError as error:
            assert error.code.startswith("img_") and error.detail
            counts["refused"] += 1
        except Exception as error:
            pytest.fail(f"mutant {place} of {name}: {error!r}")
        else:
            assert picture.pixels.shape[2] == 3
            counts["decoded"] += 1
    return counts


def test_two_thousand_damaged_files_raise_nothing_but_image_error() -> None:
    counts = outcomes(2_000, seed=7)
    assert sum(counts.values()) == 2_000 and min(counts.values()) > 200


@pytest.mark.slow
def test_thirty_thousand_damaged_files_raise_nothing_but_image_error() -> None:
    assert sum(outcomes(30_000, seed=11).values()) == 30_000


@pytest.mark.filterwarnings("ignore")
def test_the_same_damaged_files_make_plain_pillow_raise_other_errors_than_os_error() -> None:
    others = set()
    for _, data in mutants(2_000, seed=7):
        try:
            with Image.open(io.BytesIO(data)) as picture:
                picture.convert("RGB")
        except OSError:
            continue
        except Exception as error:
            others.add(type(error).__name__)
    assert len(others) >= 2
