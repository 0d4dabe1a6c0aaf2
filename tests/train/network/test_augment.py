"""What is changed in photos at random: the right thing, by how much, and the same for the same number."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from drawn_shop import photo, run_python
from shelfwise.errors import OptionError
from shelfwise.images.decode import decode
from shelfwise.images.preprocess import Preprocessing, fit_square, prepare
from shelfwise.train.network.inputs.augment import Augmentation, _RandAugment, parse_changes
from shelfwise.train.network.inputs.boxes import frame_of, part_of, random_part, zoomed

ALL = "crop=0.5+zoom=0.2+shear=0.2+rotate=10+flip=0.5+upside-down=0.5+grey=0.5+randaugment=9"
FITS = ("squash", "crop", "pad")


def drawn(width: int, height: int) -> NDArray[np.uint8]:
    """A drawn product on a photo of some size."""
    mug = Image.fromarray(decode(photo("mug", 3, 160)).pixels)
    return np.asarray(mug.resize((width, height), Image.Resampling.BICUBIC))


def ramp(width: int = 101, height: int = 101) -> NDArray[np.uint8]:
    """A photo whose red says the column, green the row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=2).astype(np.uint8)


def changed(
    text: str, pixels: NDArray[np.uint8], number: int = 0, fit: str = "squash", side: int = 64
) -> NDArray[np.uint8]:
    return Augmentation(parse_changes(text), fit, side)(pixels, number).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(160, 160), (240, 100), (90, 210), (401, 37), (33, 32)])
def test_a_photo_that_is_not_changed_is_the_one_that_is_served(fit: str, size: tuple[int, int]) -> None:
    pixels = drawn(*size)
    np.testing.assert_array_equal(changed("none", pixels, fit=fit), fit_square(pixels, Preprocessing(64, fit)))


@pytest.mark.parametrize("fit", FITS)
def test_a_file_that_is_not_changed_is_served_alike(fit: str) -> None:
    data = photo("boot", 1, 300)
    augmentation = Augmentation((), fit, 64)
    seen = augmentation(decode(data, minimum_side_px=augmentation.needed_px).pixels, 5)
    np.testing.assert_array_equal(seen.permute(1, 2, 0).numpy(), prepare(data, Preprocessing(64, fit)))


@pytest.mark.parametrize("size", [(160, 160), (240, 100), (90, 210)])
def test_an_unchanged_photo_is_what_pillow_makes_of_it(size: tuple[int, int]) -> None:
    pixels = drawn(*size)
    expected = np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(changed("none", pixels) - expected).max() <= 2


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(160, 160), (240, 100), (90, 210), (33, 171)])
def test_a_part_that_is_the_whole_frame_is_what_is_served(fit: str, size: tuple[int, int]) -> None:
    pixels = drawn(*size)
    for side in (32, 63, 64, 97):
        served = fit_square(pixels, Preprocessing(side, fit))
        np.testing.assert_array_equal(part_of(pixels, frame_of(*pixels.shape[:2], fit), side), served)


@pytest.mark.parametrize("edge", [(0.0, 0.0, 100.0, 100.0), (20.0, 20.0, 140.0, 140.0), (-30.5, 10.0, 70.0, 90.0)])
def test_white_lies_only_beyond_the_photo(edge: tuple[float, float, float, float]) -> None:
    seen = part_of(np.zeros((120, 120, 3), np.uint8), edge, 50)
    white = (seen == 255).all(axis=2)
    scale = 50 / (edge[2] - edge[0])
    assert white[:, 0].all() == (edge[0] < 0) and white[:, -1].all() == (edge[2] > 120)
    assert white.all(axis=0).sum() == pytest.approx((max(0, -edge[0]) + max(0, edge[2] - 120)) * scale, abs=1)


@pytest.mark.parametrize("fit", FITS)
@given(number=st.integers(0, 10_000), width=st.integers(20, 300), height=st.integers(20, 300), least=st.floats(0.05, 1))
def test_a_random_part_lies_in_the_frame_and_is_large_enough(
    fit: str, number: int, width: int, height: int, least: float
) -> None:
    left, top, right, bottom = random_part(height, width, fit, least, np.random.default_rng(number))
    frame = frame_of(height, width, "pad" if fit == "pad" else "squash")
    assert frame[0] - 1e-6 <= left < right <= frame[2] + 1e-6
    assert frame[1] - 1e-6 <= top < bottom <= frame[3] + 1e-6
    assert 0 <= (left + right) / 2 <= width and 0 <= (top + bottom) / 2 <= height
    share = (right - left) * (bottom - top) / ((frame[2] - frame[0]) * (frame[3] - frame[1]))
    widest = max(width / height, height / width)
    assert share >= least - 1e-6 or (fit != "pad" and widest > 1.0)  # of a long photo the largest part may be smaller
    assert 3 / 4 - 1e-6 <= (right - left) / (bottom - top) <= 4 / 3 + 1e-6


def test_random_parts_are_spread_as_those_of_torchvision() -> None:
    picture = torch.zeros(3, 90, 120)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        theirs = [v2.RandomResizedCrop(8, scale=(0.3, 1.0)).make_params([picture]) for _ in range(4000)]
    ours = [random_part(90, 120, "squash", 0.3, np.random.default_rng(k)) for k in range(4000)]
    expected = np.array([[p["left"], p["top"], p["width"], p["height"]] for p in theirs])
    found = np.array([[left, top, right - left, bottom - top] for left, top, right, bottom in ours])
    np.testing.assert_allclose(found.mean(axis=0), expected.mean(axis=0), atol=1.0)
    np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), atol=1.0)


def test_zoom_shows_the_middle_larger() -> None:
    assert zoomed((0.0, 0.0, 100.0, 60.0), 1.25) == pytest.approx((10.0, 6.0, 90.0, 54.0))
    seen = changed("zoom=1", ramp(), 1, side=101)
    assert seen[50, 50, 0] == pytest.approx(50, abs=1)
    assert seen[0, 0, 0] > 0 and seen[-1, -1, 0] < 100


def test_shear_moves_rows_against_one_another_and_leaves_white() -> None:
    seen = changed("shear=0.2", ramp(), 2, side=101)
    shift = seen[50, 50, 0] - seen[30, 50, 0].astype(int)
    assert 0 < abs(shift) <= 0.2 * 20 + 1
    assert seen[50, 50, 1] == pytest.approx(50, abs=1)
    assert (seen[0, 0] == 255).all() != (seen[0, -1] == 255).all()


def test_rotation_keeps_the_middle_and_whitens_all_corners() -> None:
    angles = [changed("rotate=45", ramp(), number, side=101) for number in range(8)]
    assert all(np.abs(seen[50, 50].astype(int) - [50, 50, 0]).max() <= 1 for seen in angles)
    assert sum((seen[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all() for seen in angles) >= 5


def test_flips_turn_photos_around_at_the_asked_rate() -> None:
    photos = ramp(64, 64)
    mirrored = sum(np.array_equal(changed("flip=0.3", photos, k), photos[:, ::-1]) for k in range(600))
    turned = sum(np.array_equal(changed("upside-down=0.8", photos, k), photos[::-1]) for k in range(600))
    assert 140 <= mirrored <= 220 and 440 <= turned <= 520


def test_grey_photos_have_the_brightness_of_their_colors() -> None:
    pixels = drawn(64, 64)
    seen = changed("grey=1", pixels).astype(float)
    np.testing.assert_array_equal(seen[..., 0], seen[..., 2])
    np.testing.assert_allclose(seen[..., 0], pixels @ [0.299, 0.587, 0.114], atol=1)  # ITU-R BT.601


@pytest.mark.parametrize("number", range(6))
def test_rand_augment_does_what_torchvision_does(number: int) -> None:
    ours = _RandAugment(magnitude=9, fill=[255, 255, 255])
    chance, picture = np.random.default_rng(number), Image.fromarray(drawn(48, 48))
    drawn_again = np.random.default_rng(number)
    kinds = drawn_again.choice(list(v2.RandAugment._AUGMENTATION_SPACE), 2).tolist()
    expected = picture
    for kind in kinds:
        magnitudes_of, signed = v2.RandAugment._AUGMENTATION_SPACE[kind]

        class Only(v2.RandAugment):
            _AUGMENTATION_SPACE = {kind: (magnitudes_of, False)}  # noqa: RUF012

        magnitude = 9
        if signed and drawn_again.random() < 0.5:
            Only._AUGMENTATION_SPACE = {kind: (lambda *sizes, of=magnitudes_of: -of(*sizes), False)}
        expected = Only(num_ops=1, magnitude=magnitude, fill=[255, 255, 255])(expected)
    np.testing.assert_array_equal(np.asarray(ours.changed(picture, chance)), np.asarray(expected))


def test_every_kind_of_rand_augment_occurs_and_gives_a_photo() -> None:
    pixels = drawn(48, 48)
    seen = {changed("randaugment=30", pixels, number, side=48).tobytes() for number in range(120)}
    assert len(seen) > 60


def test_the_same_number_gives_the_same_pixels_in_any_thread() -> None:
    augmentation, pixels = Augmentation(parse_changes(ALL), "squash", 64), drawn(120, 90)
    alone = [augmentation(pixels, number) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda number: augmentation(pixels, number), range(40)))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
    assert len({each.numpy().tobytes() for each in alone}) == 40


_DIGEST = f"""
import hashlib, sys, torch
torch.set_num_threads(int(sys.argv[1])); torch.manual_seed(int(sys.argv[1]))
sys.path.insert(0, sys.argv[2])
from test_augment import ALL, drawn
from shelfwise.train.network.inputs.augment import Augmentation, parse_changes
augmentation = Augmentation(parse_changes("{ALL}"), "pad", 64)
print(hashlib.sha256(b"".join(augmentation(drawn(120, 90), k).numpy().tobytes() for k in range(20))).hexdigest())
"""


@pytest.mark.slow
def test_the_same_number_gives_the_same_pixels_in_any_process_with_any_threads() -> None:
    from pathlib import Path

    here = Path(__file__).parent
    path = {"PYTHONPATH": str(here.parents[1])}
    runs = [run_python(_DIGEST, threads, here, env=path) for threads in (1, 3)]
    augmentation = Augmentation(parse_changes(ALL), "pad", 64)
    own = hashlib.sha256(b"".join(augmentation(drawn(120, 90), k).numpy().tobytes() for k in range(20))).hexdigest()
    assert [run.stdout.strip() for run in runs] == [own, own], runs[0].stderr


def test_changing_a_photo_draws_nothing_from_torch() -> None:
    before = torch.random.get_rng_state()
    changed(ALL, drawn(64, 64))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_decoded_photo_is_large_enough_for_the_smallest_part() -> None:
    assert Augmentation((), "squash", 224).needed_px == 224
    assert Augmentation(parse_changes("zoom=0.5"), "squash", 100).needed_px == 150
    needed = Augmentation(parse_changes("crop=0.25"), "squash", 100).needed_px
    parts = [random_part(needed, needed, "squash", 0.25, np.random.default_rng(k)) for k in range(500)]
    assert min(min(right - left, bottom - top) for left, top, right, bottom in parts) >= 100


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("crop=0", "from 0.01 to 1"), ("crop=1.5", "crop=0.5"), ("crop=nan", "a number"), ("crop=", "a number"),
        ("crop=x", "a number"), ("flip=-1", "from 0.01 to 1"), ("rotate=181", "to 180"), ("zoom=2", "to 1"),
        ("shear=0", "shear=0.2"), ("randaugment=31", "to 30"), ("randaugment=2.5", "a whole number"), ("blur", "one of crop"),
        ("crop+flip+crop=0.3", "named twice"), ("none+flip", "one of crop"), ("", "one of crop"), ("flip,crop", "one of crop"),
    ],
)  # fmt: skip
def test_what_is_no_change_is_refused_in_plain_words(text: str, told: str) -> None:
    with pytest.raises(OptionError, match=told):
        parse_changes(text)


def test_strengths_that_are_not_named_are_the_usual_ones() -> None:
    text = "crop+zoom+shear+rotate+flip+upside-down+grey+randaugment"
    assert parse_changes(text) == parse_changes(ALL)
    assert parse_changes("none") == ()
