from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageOps

from drawn_files import GROCERY, chunk, drawn, encoded, encodings, exif, image, jpeg, png, text_bomb
from shelfwise.images.decode import Picture, decode

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}}


def opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.array(ImageOps.exif_transpose(picture).convert("RGB"))


def assert_close(one: np.ndarray, other: np.ndarray, *, worst: int = 2, mean: float = 0.5) -> None:
    difference = np.abs(one.astype(int) - other)
    assert difference.max() <= worst and difference.mean() <= mean


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_lossless_file_gives_back_the_pixels_that_were_saved(kind: str) -> None:
    picture = decode(encoded(image(), kind, **LOSSLESS[kind]))
    np.testing.assert_array_equal(picture.pixels, drawn())
    assert (picture.width, picture.height, picture.format, picture.mode, picture.notes) == (96, 64, kind, "RGB", ())


@pytest.mark.parametrize("name", encodings())
def test_pixels_are_contiguous_writable_rgb_bytes(name: str) -> None:
    pixels = decode(encodings()[name]).pixels
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    assert pixels.flags.c_contiguous and pixels.flags.writeable


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"quality": 30}]
)
@pytest.mark.parametrize("side", [(96, 64), (97, 63), (301, 200)])
def test_the_fast_path_decodes_as_pillow_does(options: dict[str, object], side: tuple[int, int]) -> None:
    data = encoded(image(*side), "JPEG", **options)
    assert_close(decode(data).pixels, opened(data))
    with pytest.raises(AssertionError):
        assert_close(decode(data).pixels, opened(encoded(image(*side), "JPEG", quality=5)))


def test_the_fast_path_decodes_real_photos_as_pillow_does() -> None:
    photos = sorted(GROCERY.rglob("*.jpg"))[::150]
    if not photos:
        pytest.skip(f"no grocery photos in {GROCERY}")
    for photo in photos:
        assert_close(decode(photo.read_bytes()).pixels, opened(photo.read_bytes()))


def test_a_grey_jpeg_keeps_its_mode_and_has_three_equal_channels() -> None:
    picture = decode(encoded(image().convert("L"), "JPEG"))
    assert picture.mode == "L" and picture.notes == ()
    assert (picture.pixels == picture.pixels[:, :, :1]).all()


@pytest.mark.parametrize("minimum", [1, 20, 47, 48, 63, 64, 96, 150, 1000])
@pytest.mark.parametrize("side", [(400, 301), (301, 400), (192, 128), (95, 95), (191, 900)])
def test_a_reduced_picture_keeps_both_sides_above_the_minimum(minimum: int, side: tuple[int, int]) -> None:
    data = jpeg(drawn(*side))
    picture = decode(data, minimum_side_px=minimum)
    assert min(picture.pixels.shape[:2]) >= min(minimum, *side)
    assert (picture.width, picture.height) == side
    if min(side) < 2 * minimum:
        np.testing.assert_array_equal(picture.pixels, decode(data).pixels)
    else:
        assert picture.pixels.shape[0] <= (side[1] + 1) // 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_is_applied_as_pillow_applies_it(kind: str, orientation: int) -> None:
    options = {"WEBP": {"lossless": True}, "AVIF": {"speed": 10}}.get(kind, {})
    data = encoded(image(), kind, exif=exif(orientation), **options)
    picture = decode(data)
    assert_close(picture.pixels, opened(data))
    assert (picture.width, picture.height) == (96, 64)
    assert ("exif_rot" in picture.notes) == (orientation != 1)
    if orientation != 1:
        with Image.open(io.BytesIO(encoded(image(), kind, **options))) as unturned:
            ignored = np.asarray(unturned.convert("RGB"))
        assert ignored.shape != picture.pixels.shape or np.abs(ignored.astype(int) - picture.pixels).mean() > 10


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_to_a_reduced_picture(orientation: int) -> None:
    data = encoded(image(400, 200), "JPEG", exif=exif(orientation))
    picture = decode(data, minimum_side_px=50)
    assert picture.pixels.shape[:2] == ((100, 50) if orientation >= 5 else (50, 100))
    upright = Image.fromarray(opened(data)).resize(picture.pixels.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(picture.pixels.astype(int) - np.asarray(upright)).mean() < 4


@pytest.mark.parametrize(
    "block", [b"", b"II", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff"]
)
def test_a_broken_exif_block_is_dropped(block: bytes) -> None:
    data = encoded(image(), "JPEG", exif=block)
    assert decode(data).notes == ()
    np.testing.assert_array_equal(decode(data).pixels, decode(encoded(image(), "JPEG")).pixels)


def test_transparency_is_put_on_white() -> None:
    picture = Image.new("RGBA", (40, 20), (200, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 10, 20))
    picture.paste((0, 0, 100, 128), (30, 0, 40, 20))
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        decoded = decode(encoded(picture, kind, **options))
        assert decoded.notes == ("alpha_white",)
        assert decoded.pixels[5, 5].tolist() == [255, 255, 255]
        assert decoded.pixels[5, 20].tolist() == [200, 0, 0]
        np.testing.assert_allclose(decoded.pixels[5, 35], [127, 127, 177], atol=1)
        assert opened(encoded(picture, kind, **options))[5, 5].tolist() == [0, 0, 0], "the hidden color is black"


def test_an_opaque_alpha_channel_changes_nothing_and_is_not_noted() -> None:
    picture = decode(encoded(image().convert("RGBA"), "PNG"))
    np.testing.assert_array_equal(picture.pixels, drawn())
    assert picture.notes == () and picture.mode == "RGBA"


def test_transparency_of_grey_palette_and_gif_is_put_on_white() -> None:
    grey = Image.new("L", (8, 8), 50)
    half = Image.new("L", (8, 8), 0)
    half.paste(255, (4, 0, 8, 8))
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.paste(1, (4, 0, 8, 8))
    files = {
        "LA": (encoded(Image.merge("LA", (grey, half)), "PNG"), [50, 50, 50]),
        "palette": (encoded(palette, "PNG", transparency=0), [200, 100, 50]),
        "gif": (encoded(palette, "GIF", transparency=0), [200, 100, 50]),
    }
    for name, (data, color) in files.items():
        picture = decode(data)
        assert picture.notes == ("alpha_white",), name
        assert picture.pixels[2, 1].tolist() == [255, 255, 255], name
        assert picture.pixels[2, 6].tolist() == color, name


def test_sixteen_bit_samples_are_scaled_to_eight() -> None:
    ramp = np.linspace(0, 65535, 64 * 32).reshape(32, 64).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        picture = decode(encoded(Image.fromarray(ramp), kind))
        assert picture.notes == ("depth16",)
        np.testing.assert_array_equal(picture.pixels, np.repeat((ramp >> 8).astype(np.uint8)[..., None], 3, axis=2))
    assert np.asarray(Image.fromarray(ramp).convert("RGB")).mean() > 200, "what a plain convert() makes of it"


def test_sixteen_bit_color_png_keeps_the_high_byte() -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (16, 8, 3)).astype(">u2")
    rows = b"".join(b"\x00" + row.tobytes() for row in samples)
    picture = decode(png(8, 16, rows, depth=16))
    assert picture.notes == ("depth16",)
    np.testing.assert_array_equal(picture.pixels, samples >> 8)


def test_the_transparent_grey_of_a_sixteen_bit_png_is_put_on_white() -> None:
    samples = np.full((4, 4), 20_000, dtype=">u2")
    samples[:, :2] = 777
    rows = b"".join(b"\x00" + row.tobytes() for row in samples)
    picture = decode(png(4, 4, rows, depth=16, color=0, extra=chunk(b"tRNS", (777).to_bytes(2, "big"))))
    assert picture.notes == ("depth16", "alpha_white")
    assert picture.pixels[0, :, 0].tolist() == [255, 255, 20_000 >> 8, 20_000 >> 8]


def test_cmyk_is_converted_and_the_inverted_one_of_adobe_looks_right() -> None:
    inks = image().convert("CMYK")
    for kind in ("JPEG", "TIFF"):
        picture = decode(encoded(inks, kind))
        assert picture.notes == ("cmyk",) and picture.mode == "CMYK"
        assert np.abs(picture.pixels.astype(int) - drawn()).mean() < 8
        assert np.abs(255 - picture.pixels.astype(int) - drawn()).mean() > 60, "the inverted picture is far off"


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_one_bit_grey_and_palette_pictures_are_accepted(mode: str) -> None:
    picture = image().convert(mode)
    decoded = decode(encoded(picture, "PNG"))
    np.testing.assert_array_equal(decoded.pixels, np.asarray(picture.convert("RGB")))
    assert decoded.notes == () and decoded.mode == mode


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_only_the_first_frame_is_used_and_it_is_noted(kind: str) -> None:
    options = {"WEBP": {"lossless": True}, "AVIF": {"speed": 10, "quality": 90}}.get(kind, {})
    data = encoded(image(), kind, save_all=True, append_images=[Image.new("RGB", (96, 64), "red")] * 3, **options)
    picture = decode(data)
    assert picture.notes == ("first_frame",)
    assert np.abs(picture.pixels.astype(int) - drawn()).mean() < 12
    assert "first_frame" not in decode(encoded(image(), kind, **options)).notes


def test_a_multi_picture_jpeg_gives_its_first_picture() -> None:
    data = encoded(image(), "MPO", save_all=True, append_images=[Image.new("RGB", (96, 64), "red")])
    picture = decode(data)
    assert picture.notes == ("first_frame",)
    assert np.abs(picture.pixels.astype(int) - drawn()).mean() < 12


@pytest.mark.parametrize("name", ["jpeg", "progressive", "png", "gif", "animated gif", "webp"])
def test_bytes_after_the_end_are_noted(name: str) -> None:
    whole = encodings()[name]
    picture = decode(whole + b"PK\x03\x04 an archive rides along")
    assert "trailing_bytes" in picture.notes
    np.testing.assert_array_equal(picture.pixels, decode(whole).pixels)
    assert "trailing_bytes" not in decode(whole).notes


@pytest.mark.parametrize(("name", "marker_bytes"), [("png", 12), ("gif", 1), ("gif", 2)])
def test_a_missing_end_marker_is_noted(name: str, marker_bytes: int) -> None:
    whole = encodings()[name]
    picture = decode(whole[:-marker_bytes])
    assert "img_no_end" in picture.notes and "img_no_end" not in decode(whole).notes
    np.testing.assert_array_equal(picture.pixels, decode(whole).pixels)


def test_a_picture_of_one_color_is_noted_as_blank() -> None:
    blank = Image.new("RGB", (30, 20), (12, 200, 99))
    assert decode(encoded(blank, "PNG")).notes == ("img_blank",)
    assert decode(encoded(blank, "JPEG")).notes == ("img_blank",)
    assert decode(encoded(Image.new("L", (1, 1)), "PNG")).notes == ("img_blank",)
    blank.putpixel((3, 4), (12, 200, 100))
    assert decode(encoded(blank, "PNG")).notes == ()


def test_broken_and_huge_png_metadata_do_not_cost_the_pixels() -> None:
    rows = b"".join(b"\x00" + row.tobytes() for row in drawn(8, 8))
    wrong_checksum = chunk(b"tEXt", b"Title\x00x")[:-1] + b"?"
    np.testing.assert_array_equal(decode(png(8, 8, rows, extra=wrong_checksum)).pixels, drawn(8, 8))
    np.testing.assert_array_equal(decode(text_bomb()).pixels, drawn(8, 8))
    with pytest.raises((ValueError, SyntaxError)), Image.open(io.BytesIO(text_bomb())) as naive:
        naive.load()


def test_a_color_profile_of_nonsense_is_dropped() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        assert decode(encoded(image(), kind, icc_profile=b"nonsense" * 1000)).pixels.shape == (64, 96, 3)


def test_many_threads_decode_at_once_and_agree() -> None:
    files = list(encodings().values())
    alone = [decode(data) for data in files]

    def again(place: int) -> Picture:
        return decode(files[place % len(files)])

    with ThreadPoolExecutor(8) as pool:
        for place, picture in enumerate(pool.map(again, range(12 * len(files)))):
            expected = alone[place % len(files)]
            np.testing.assert_array_equal(picture.pixels, expected.pixels)
            assert picture.notes == expected.notes
