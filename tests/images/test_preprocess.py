from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from drawn_files import drawn, encoded, image, jpeg
from shelfwise.errors import ImageError, OptionError
from shelfwise.images.decode import Limits, decode
from shelfwise.images.preprocess import Preprocessing, fit_square, prepare


def cubic(distance: np.ndarray) -> np.ndarray:
    """Keys 1981, equation 4, with a = -1/2."""
    x = np.abs(distance)
    inner, outer = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, inner, np.where(x < 2, outer, 0))


def weights(source: int, target: int, start: float = 0.0, length: float | None = None) -> np.ndarray:
    """Antialiased bicubic weights, (target, source): the kernel is as wide as the shrinking."""
    length = source if length is None else length
    step = length / target
    centers = start + (np.arange(target)[:, None] + 0.5) * step
    matrix = cubic((np.arange(source)[None, :] + 0.5 - centers) / max(step, 1.0))
    return matrix / matrix.sum(axis=1, keepdims=True)


def resized(pixels: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.einsum("ah,hwc,bw->abc", rows, pixels.astype(float), columns, optimize=True).clip(0, 255)


def off(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize("size", [(96, 64), (40, 130), (20, 20), (348, 348)])
def test_squash_is_antialiased_bicubic_in_both_directions(size: tuple[int, int]) -> None:
    pixels = drawn(*size)
    expected = resized(pixels, weights(size[1], 48), weights(size[0], 48))
    got = fit_square(pixels, Preprocessing(48))
    assert got.shape == (48, 48, 3) and got.dtype == np.uint8 and got.flags.writeable
    assert off(got, expected) < 0.5
    aliased = np.asarray(Image.fromarray(pixels).resize((48, 48), Image.Resampling.NEAREST))
    assert off(aliased, expected) > 1


@pytest.mark.parametrize("size", [(96, 64), (40, 131)])
def test_crop_takes_the_middle_square(size: tuple[int, int]) -> None:
    pixels, short = drawn(*size), min(size)
    rows = weights(size[1], 48, (size[1] - short) / 2, short)
    columns = weights(size[0], 48, (size[0] - short) / 2, short)
    assert off(fit_square(pixels, Preprocessing(48, fit="crop")), resized(pixels, rows, columns)) < 1.2
    assert off(fit_square(pixels, Preprocessing(48)), resized(pixels, rows, columns)) > 5


def test_pad_keeps_the_proportions_and_puts_white_around() -> None:
    got = fit_square(drawn(96, 64), Preprocessing(48, fit="pad"))
    assert (got[:8] == 255).all() and (got[40:] == 255).all()
    assert off(got[8:40], resized(drawn(96, 64), weights(64, 32), weights(96, 48))) < 0.5
    upright = fit_square(drawn(64, 96), Preprocessing(48, fit="pad"))
    assert (upright[:, :8] == 255).all() and (upright[:, 8:40] != 255).any()
    np.testing.assert_array_equal(
        fit_square(drawn(64, 64), Preprocessing(48, fit="pad")), fit_square(drawn(64, 64), Preprocessing(48))
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 70), st.sampled_from(["squash", "crop", "pad"]))
def test_any_size_becomes_the_square(width: int, height: int, side: int, fit: str) -> None:
    got = fit_square(np.full((height, width, 3), 77, dtype=np.uint8), Preprocessing(side, fit=fit))
    assert got.shape == (side, side, 3)
    assert set(np.unique(got)) <= ({77, 255} if fit == "pad" else {77})


def test_a_large_jpeg_is_reduced_while_decoding_and_looks_the_same() -> None:
    data = jpeg(drawn(1000, 800))
    got = prepare(data, Preprocessing(100))
    whole = fit_square(decode(data).pixels, Preprocessing(100))
    reduced = fit_square(decode(data, minimum_side_px=100).pixels, Preprocessing(100))
    np.testing.assert_array_equal(got, reduced)
    assert 0 < off(got, whole) < 2
    assert off(got, prepare(jpeg(drawn(1000, 800, seed=5)[:, ::-1]), Preprocessing(100))) > 10


def test_prepare_gives_the_same_bytes_each_time_and_for_each_lossless_format() -> None:
    wanted = Preprocessing(40, fit="crop")
    files = [encoded(image(), kind) for kind in ("PNG", "BMP", "TIFF", "PNG")]
    prepared = {prepare(data, wanted).tobytes() for data in files}
    assert len(prepared) == 1
    assert prepare(files[0], Preprocessing(40)).tobytes() not in prepared


def test_prepare_refuses_like_decode() -> None:
    with pytest.raises(ImageError, match="img_too_large"):
        prepare(encoded(image(), "PNG"), Preprocessing(40), Limits(size_bytes=10**6, pixels=100))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"side_px": 0}, "side_px is 0"),
        ({"side_px": "224"}, "side_px is '224'"),
        ({"side_px": True}, "side_px is True"),
        ({"side_px": 224, "fit": "stretch"}, "choose from squash, crop, pad"),
        ({"side_px": 224, "middle": 0.0}, "middle is 0.0"),
        ({"side_px": 224, "middle": 1.5}, "middle is 1.5"),
    ],
)
def test_preprocessing_that_cannot_be_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Preprocessing(**values)


def test_the_middle_is_what_a_crop_by_hand_shows() -> None:
    pixels = np.asarray(image().resize((100, 50)))
    by_hand = Image.fromarray(pixels[5:45, 10:90]).resize((40, 40), Image.Resampling.BICUBIC)
    found = fit_square(pixels, Preprocessing(40, middle=0.8))
    # the hand-made crop knows nothing of the pixels beyond its border, so compare inside
    assert np.abs(found[4:-4, 4:-4].astype(int) - np.asarray(by_hand)[4:-4, 4:-4]).max() <= 2
    assert not np.array_equal(found, fit_square(pixels, Preprocessing(40)))
