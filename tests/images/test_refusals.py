from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from drawn_bombs import BOMBS
from drawn_files import drawn, encoded, encodings, image, jpeg, png
from shelfwise.errors import ImageError
from shelfwise.images import pillow
from shelfwise.images.decode import IMPORT_LIMITS, SERVER_LIMITS, Limits, decode


def refusal(data: bytes, limits: Limits = IMPORT_LIMITS) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(data, limits=limits)
    return caught.value


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xef\xbb\xbf\r\n <HTML><body>", "looks like HTML page (starts `<HTML>"),
        (b"<!-- 404 --><html>", "looks like HTML page"),
        (b'<?xml version="1.0"?><svg width="9">', "looks like SVG drawing"),
        (b"404: no such picture", "looks like text (starts `404: no such pic`)"),
        (b"PK\x03\x04\x14\x00", "looks like ZIP archive"),
        (bytes(100), "starts with the bytes 00 00 00 00 00 00 00 00"),
    ],
)
def test_what_is_not_a_picture_is_refused_by_what_it_looks_like(data: bytes, words: str) -> None:
    error = refusal(data)
    assert error.code == "img_format" and words in error.detail


@pytest.mark.parametrize("kind", ["ICO", "PPM", "TGA", "PCX", "EPS", "PDF", "JPEG2000", "DDS"])
def test_formats_outside_the_list_are_refused_though_pillow_opens_them(kind: str) -> None:
    data = encoded(image(64, 64), kind)
    error = refusal(data)
    assert error.code == "img_format"
    if kind != "PDF":
        with Image.open(io.BytesIO(data)) as opened:
            assert opened.size == (64, 64)


def test_an_avif_whose_main_brand_is_general_is_still_an_avif() -> None:
    data = encodings()["avif"]
    assert data[8:12] == b"avif"
    assert decode(data[:8] + b"mif1" + data[12:]).format == "AVIF"


@pytest.mark.parametrize("name", encodings())
def test_half_a_file_is_refused(name: str) -> None:
    data = encodings()[name]
    if name == "animated gif":
        data = data[: len(data) // 3]
    error = refusal(data[: len(data) // 2])
    assert error.code in ("img_truncated", "img_corrupt")
    if name in ("jpeg", "progressive", "png", "palette png", "webp", "gif", "bmp"):
        assert error.code == "img_truncated" and "ends early" in error.detail


def test_damaged_pixels_that_the_decoder_notices_are_refused_in_its_words() -> None:
    data = bytearray(encodings()["png"])
    data[data.index(b"IDAT") + 40] ^= 0x55
    assert refusal(bytes(data)).code == "img_corrupt"
    whole = jpeg(drawn(200, 200))
    middle = len(whole) // 2
    error = refusal(whole[:middle] + b"\xff\xc4\x00\x08damage" + whole[middle:])
    assert error.code in ("img_corrupt", "img_truncated") and error.detail


@pytest.mark.parametrize("samples", [np.linspace(0, 1, 100, dtype=np.float32), np.arange(100, dtype=np.int32) * 1000])
def test_samples_without_a_defined_range_are_refused(samples: np.ndarray) -> None:
    error = refusal(encoded(Image.fromarray(samples.reshape(10, 10)), "TIFF"))
    assert error.code == "img_depth" and "no defined range" in error.detail


def test_colors_that_pillow_cannot_convert_are_refused() -> None:
    assert refusal(encoded(Image.new("LAB", (8, 8)), "TIFF")).code == "img_format"


def test_a_fully_transparent_picture_is_refused() -> None:
    for kind in ("PNG", "WEBP"):
        assert refusal(encoded(Image.new("RGBA", (8, 8), (9, 9, 9, 0)), kind)).code == "img_transparent"
    assert decode(encoded(Image.new("RGBA", (8, 8), (9, 9, 9, 1)), "PNG")).notes == ("alpha_white", "img_blank")


def test_a_file_of_too_many_bytes_is_refused_before_it_is_looked_at() -> None:
    error = refusal(bytes(1001), Limits(size_bytes=1000, pixels=10**6))
    assert error.code == "img_too_large" and error.detail == "1,001 bytes, limit 1,000"
    assert refusal(bytes(1000), Limits(size_bytes=1000, pixels=10**6)).code == "img_format"


def test_limits_are_those_of_the_table() -> None:
    assert (SERVER_LIMITS.size_bytes, SERVER_LIMITS.pixels) == (10 * 2**20, 25_000_000)
    assert (IMPORT_LIMITS.size_bytes, IMPORT_LIMITS.pixels) == (50 * 2**20, 50_000_000)
    assert IMPORT_LIMITS.side_px == SERVER_LIMITS.side_px == 16_384
    assert (IMPORT_LIMITS.seconds, SERVER_LIMITS.seconds) == (10, 5)
    assert IMPORT_LIMITS.aspect == SERVER_LIMITS.aspect == 50


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif"])
def test_a_picture_at_its_limits_is_accepted_and_one_beyond_is_not(name: str) -> None:
    data = encodings()[name]
    assert decode(data, limits=Limits(2**20, pixels=96 * 64, side_px=96, aspect=2)).width == 96
    assert refusal(data, Limits(2**20, pixels=96 * 64 - 1)).code == "img_too_large"
    assert refusal(data, Limits(2**20, pixels=10**6, side_px=95)).code == "img_shape"
    assert refusal(data, Limits(2**20, pixels=10**6, aspect=1)).code == "img_shape"


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_from_its_header(name: str) -> None:
    error = refusal(BOMBS[name])
    assert error.code == "img_too_large", error
    assert "MP" in error.detail


def test_a_long_thin_picture_is_refused() -> None:
    assert refusal(png(1, 51, b"\x00\x01\x02\x03" * 51)).code == "img_shape"
    assert decode(png(1, 50, b"\x00\x01\x02\x03" * 50)).height == 50
    assert refusal(png(1, 20_000, b"\x00\x01\x02\x03" * 20_000)).code == "img_shape"


@pytest.mark.parametrize("side", [(0, 10), (10, 0)])
def test_a_picture_without_a_side_is_corrupt(side: tuple[int, int]) -> None:
    assert refusal(png(*side, b"\x00")).code == "img_corrupt"


def test_warnings_of_pillow_stay_inside_and_those_of_others_do_not() -> None:
    with pillow.quiet(), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        warnings.warn("of the caller", stacklevel=1)
    assert len(heard) == 1
    noisy = BOMBS["tiff at Pillow's warning"]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        Image.open(io.BytesIO(noisy)).close()
        assert [warning.category for warning in heard] == [Image.DecompressionBombWarning]
        heard.clear()
        refusal(noisy)
        assert not heard
        warnings.warn("afterwards", stacklevel=1)
        assert len(heard) == 1


def test_running_out_of_memory_is_a_refusal_and_an_interrupt_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(error: BaseException):
        def opened(*_: object) -> None:
            raise error

        return opened

    monkeypatch.setattr(pillow, "open_header", raising(MemoryError()))
    assert refusal(encodings()["png"]).code == "img_memory"
    monkeypatch.setattr(pillow, "open_header", raising(RuntimeError("odd  \n words")))
    assert refusal(encodings()["png"]).detail == "odd words"
    monkeypatch.setattr(pillow, "open_header", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        decode(encodings()["png"])


def test_a_wrong_checksum_of_pixels_is_refused() -> None:
    rows = b"".join(b"\x00" + row.tobytes() for row in drawn(8, 8))
    good = png(8, 8, rows)
    place = good.index(b"IEND") - 5
    assert decode(good).width == 8
    error = refusal(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    assert error.code == "img_corrupt" and error.detail == "the checksum of its IDAT chunk is wrong"
