from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image

from drawn_files import GROCERY, drawn, jpeg
from shelfwise.images.decode import decode
from shelfwise.images.draw import KINDS, draw_placeholder, draw_product
from shelfwise.images.hashes import perceptual_hash


def oracle(pixels: np.ndarray) -> int:
    return int(str(imagehash.phash(Image.fromarray(pixels))), 16)


def bits_apart(one: int, other: int) -> int:
    return (one ^ other).bit_count()


@pytest.mark.parametrize("side", [(1, 1), (7, 5), (31, 32), (33, 200), (348, 348), (640, 111)])
def test_the_hash_is_that_of_imagehash_for_any_size(side: tuple[int, int]) -> None:
    for seed in range(5):
        pixels = np.random.default_rng(seed).integers(0, 256, (*side, 3), dtype=np.uint8)
        assert perceptual_hash(pixels) == oracle(pixels)


def test_the_hash_is_that_of_imagehash_for_drawn_and_blank_pictures() -> None:
    blank = np.full((50, 50, 3), 200, dtype=np.uint8)
    pictures = [draw_product(kind, 1, 64) for kind in KINDS] + [draw_placeholder(), drawn(), blank]
    hashes = [perceptual_hash(pixels) for pixels in pictures]
    assert hashes == [oracle(pixels) for pixels in pictures]
    assert len(set(hashes)) == len(hashes)
    assert all(0 <= number < 2**64 for number in hashes) and max(hashes) >= 2**63


def test_the_hash_is_that_of_imagehash_for_real_photos() -> None:
    photos = sorted(GROCERY.rglob("*.jpg"))[::25][:200]
    if not photos:
        pytest.skip(f"no grocery photos in {GROCERY}")
    assert len(photos) == 200
    for photo in photos:
        pixels = decode(photo.read_bytes()).pixels
        assert perceptual_hash(pixels) == oracle(pixels), photo


def test_the_hash_hardly_changes_with_compression_and_size_and_differs_between_pictures() -> None:
    pixels = draw_product("mug", 3)
    smaller = np.asarray(Image.fromarray(pixels).resize((150, 150)))
    assert bits_apart(perceptual_hash(pixels), perceptual_hash(decode(jpeg(pixels, 60)).pixels)) <= 4
    assert bits_apart(perceptual_hash(pixels), perceptual_hash(smaller)) <= 4
    assert bits_apart(perceptual_hash(pixels), perceptual_hash(draw_product("shirt", 3))) > 12
