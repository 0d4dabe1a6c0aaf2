from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from PIL import Image
from scipy import ndimage

from drawn_files import jpeg
from shelfwise.errors import ImageError
from shelfwise.images.bands import inside_bands
from shelfwise.images.draw import KINDS, draw_product
from shelfwise.images.measures import BINS, HISTOGRAMS, NAMES, SIDE_PX, WIDTH, measure, measured
from shelfwise.images.sharpness import sharpness

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)


def value(values: np.ndarray, name: str) -> float:
    return float(values[NAMES.index(name)])


def of(pixels: np.ndarray, name: str) -> float:
    return value(measured(pixels, pixels.shape[1], pixels.shape[0]), name)


def test_histograms_count_the_pixels_of_each_channel_and_of_luma() -> None:
    values = measured(NOISE, 60, 40)
    luma = np.asarray(Image.fromarray(NOISE).convert("L"))
    for channel, pixels in zip(HISTOGRAMS, [luma, *NOISE.transpose(2, 0, 1)], strict=True):
        expected, _ = np.histogram(pixels, BINS, (0, 256))
        np.testing.assert_allclose(values[HISTOGRAMS[channel]], expected / pixels.size, rtol=1e-6)
    assert values.shape == (WIDTH,) and values.dtype == np.float32


def test_light_information_contrast_and_shape_are_what_scipy_and_numpy_say() -> None:
    dim = (NOISE // 2 + 10).astype(np.uint8)
    luma = np.asarray(Image.fromarray(dim).convert("L"))
    counts = np.bincount(luma.ravel(), minlength=256)
    assert of(dim, "information") == pytest.approx(scipy.stats.entropy(counts, base=2) / 8, rel=1e-6)
    assert of(dim, "light") == pytest.approx(np.percentile(luma, 99, method="inverted_cdf") / 255)
    assert of(dim, "contrast") == pytest.approx(dim.reshape(-1, 3).std(axis=0).max() / 127.5, rel=1e-6)
    alike = max(((luma >= low) & (luma < low + 17)).mean() for low in range(256))
    assert of(dim, "variety") == pytest.approx(1 - alike, rel=1e-5)
    values = measured(dim, 1200, 800)
    assert (value(values, "side_px"), value(values, "proportion")) == (800, pytest.approx(2 / 3))


def unclipped_by_loops(luma: np.ndarray) -> float:
    """Walk inwards from every side while it is white; judge what was not reached."""
    height, width = luma.shape
    reached = np.zeros_like(luma, dtype=bool)
    for y, x in np.ndindex(height, width):
        rays = (luma[y, : x + 1], luma[y, x:], luma[: y + 1, x], luma[y:, x])
        reached[y, x] = any((ray >= 250).all() for ray in rays)
    left = max((~reached).sum(), 0.02 * luma.size)
    return float(1 - ((luma >= 250) & ~reached).sum() / left)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.99, 1.0])
def test_white_that_a_side_of_the_picture_sees_is_background(share: float) -> None:
    white = np.random.default_rng(7).random((30, 40)) < share
    pixels = np.repeat(np.where(white, 255, 90).astype(np.uint8)[:, :, None], 3, axis=2)
    assert of(pixels, "unclipped") == pytest.approx(unclipped_by_loops(pixels[:, :, 0]))


def blurred_edge(spread: float, degrees: float) -> np.ndarray:
    y, x = np.mgrid[:200, :200] - 100
    across = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees))
    return (40 + 170 * scipy.stats.norm.cdf(across / spread)).round().astype(np.uint8)


@pytest.mark.parametrize("angle", [0, 30, 45, 90])
def test_the_sharpness_of_a_blurred_edge_follows_from_its_spread_whatever_its_direction(angle: float) -> None:
    """The formula holds on the ridge of the slope; the steepest fiftieth of a picture with one edge takes in its flanks too."""
    spreads = np.array([1.5, 2.0, 3.0, 4.0])
    found = np.array([sharpness(blurred_edge(spread, angle)) for spread in spreads])
    assert (np.diff(found) < 0).all()
    share = found * (1 + spreads**2)
    assert (share > 0.55).all() and (share < 1.01).all()


def grey(kind: str, seed: int) -> np.ndarray:
    return np.asarray(Image.fromarray(draw_product(kind, seed, 256)).convert("L"))


@pytest.mark.parametrize("kind", KINDS[:4])
def test_sharpness_does_not_depend_on_contrast_or_on_how_much_is_plain(kind: str) -> None:
    picture = grey(kind, 2)
    dull = (picture * 0.5 + 60).astype(np.uint8)
    assert sharpness(dull) == pytest.approx(sharpness(picture), abs=0.06)
    margin = 60
    around = np.pad(picture[40:-40, 40:-40], margin, mode="edge")
    assert sharpness(around) == pytest.approx(sharpness(picture[40:-40, 40:-40]), abs=0.15)


@pytest.mark.parametrize("axis", [0, 1])
def test_blur_by_motion_in_one_direction_is_seen_and_a_plain_picture_is_not_blurred(axis: int) -> None:
    rng = np.random.default_rng(5)
    scene = np.zeros((240, 240), np.uint8)
    for y, x, height, width, level in rng.integers((0, 0, 8, 8, 0), (220, 220, 60, 60, 256), (80, 5)):
        scene[y : y + height, x : x + width] = level
    moved = ndimage.uniform_filter1d(scene, 9, axis=axis)
    assert sharpness(scene) > 0.4 > 0.3 > sharpness(moved)
    assert sharpness(np.full((100, 100), 77, np.uint8)) == 1
    assert sharpness(np.zeros((5, 300), np.uint8)) == 1


def test_real_photos_lose_sharpness_with_every_blur(grocery: Path) -> None:
    for path in sorted((grocery / "dataset" / "train").rglob("*_001.jpg"))[:10]:
        pixels = np.asarray(Image.open(path).convert("L").resize((256, 256)))
        found = [sharpness(ndimage.gaussian_filter(pixels, spread)) for spread in (0, 1, 2, 3)]
        assert found == sorted(found, reverse=True)
        assert found[2] < 0.3


def photo(height: int, width: int) -> np.ndarray:
    """Draw something that has no plain line."""
    y, x = np.mgrid[:height, :width]
    wave = 90 + 50 * np.sin(x / 9) + 40 * np.cos(y / 7)
    return np.repeat(wave.astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize("color", [(0, 0, 0), (128, 128, 128), (200, 30, 40)])
def test_bands_above_and_below_beside_or_all_around_are_measured_by_their_area(color: tuple[int, int, int]) -> None:
    for rows, columns in ((30, 0), (0, 12), (20, 20)):
        sheet = np.full((200, 240, 3), color, np.uint8)
        sheet[rows : 200 - rows, columns : 240 - columns] = photo(200 - 2 * rows, 240 - 2 * columns)
        expected = (200 - 2 * rows) * (240 - 2 * columns) / (200 * 240)
        assert inside_bands(sheet) == pytest.approx(expected)
        assert value(measure(jpeg(sheet, 75)), "inside") == pytest.approx(expected, abs=0.07)  # chroma of a block


def test_a_band_along_one_side_or_bands_of_two_colors_are_no_frame() -> None:
    one = photo(200, 200)
    one[:30] = 0
    two = one.copy()
    two[-30:] = 200
    assert inside_bands(photo(200, 200)) == inside_bands(one) == inside_bands(two) == 1


def test_white_around_a_photo_and_a_plain_background_of_a_box_are_no_frame() -> None:
    for color, margin in ((255, 20), (120, 40)):
        sheet = np.full((200, 200, 3), color, np.uint8)
        sheet[margin:-margin, margin:-margin] = photo(200 - 2 * margin, 200 - 2 * margin)
        assert inside_bands(sheet) == 1


def test_products_on_plain_backgrounds_have_no_frame() -> None:
    for kind in KINDS:
        assert inside_bands(draw_product(kind, 3, 200)) == 1
    y, x = np.mgrid[:200, :200] - 100
    for inside in (x**2 + y**2 < 80**2, abs(x) + abs(y) < 90, (abs(x) < 25) & (abs(y) < 90)):
        packshot = np.where(inside, 90, 210).astype(np.uint8)
        assert inside_bands(np.repeat(packshot[:, :, None], 3, axis=2)) == 1
    assert inside_bands(np.full((50, 50, 3), 255, np.uint8)) == 1


def test_measures_hardly_depend_on_how_large_a_picture_is_stored() -> None:
    drawn = draw_product("sneaker", 5, 1024)
    large, small = (measure(jpeg(np.asarray(Image.fromarray(drawn).resize((side, side))), 95)) for side in (1024, 512))
    for name in NAMES:
        if name != "side_px":
            assert value(large, name) == pytest.approx(value(small, name), abs=0.05), name
    np.testing.assert_allclose(large[len(NAMES) :], small[len(NAMES) :], atol=0.03)
    assert (value(large, "side_px"), value(small, "side_px")) == (1024, 512)


@pytest.mark.parametrize("side", [(1, 1), (1, 40), (300, 7), (9, 9), (2 * SIDE_PX, 11)])
def test_every_shape_is_measured(side: tuple[int, int]) -> None:
    values = measured(RNG.integers(0, 256, (*side, 3), dtype=np.uint8), side[1], side[0])
    assert np.isfinite(values).all()
    shares = np.delete(values, NAMES.index("side_px"))
    assert ((shares >= 0) & (shares <= 1)).all()


def test_what_is_no_picture_is_refused_as_decoding_refuses_it() -> None:
    with pytest.raises(ImageError) as refused:
        measure(b"<html>no picture</html>")
    assert refused.value.code == "img_format"
