from __future__ import annotations

import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest

from shelfwise.errors import OptionError
from shelfwise.images.decode import decode
from shelfwise.images.draw import DRAWN_TREE, KINDS, draw_placeholder, draw_product, encode_jpeg, encode_png


def small(kind: str, seed: int) -> np.ndarray:
    return draw_product(kind, seed, 48).astype(float)


def test_the_tree_has_three_levels_of_three_six_and_twelve_names() -> None:
    assert tuple(DRAWN_TREE) == KINDS
    assert [len({path[: level + 1] for path in DRAWN_TREE.values()}) for level in range(3)] == [3, 6, 12]
    assert len({path[2] for path in DRAWN_TREE.values()}) == 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawing_is_the_same_for_the_same_arguments_and_differs_between_seeds(kind: str) -> None:
    first = draw_product(kind, 4, 64)
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, draw_product(kind, 4, 64))
    assert np.abs(first.astype(int) - draw_product(kind, 5, 64)).mean() > 3


def test_a_drawing_is_the_same_in_another_process() -> None:
    code = (
        "from hashlib import sha256; from shelfwise.images.draw import draw_product;"
        "print(sha256(draw_product('boot', 9, 64).tobytes()).hexdigest())"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.strip()
    assert printed == sha256(draw_product("boot", 9, 64).tobytes()).hexdigest()
    assert printed != sha256(draw_product("boot", 10, 64).tobytes()).hexdigest()


def test_kinds_can_be_told_apart_but_not_by_the_nearest_drawing_alone() -> None:
    learned = [(kind, small(kind, seed)) for kind in KINDS for seed in range(6)]
    right, asked = 0, [(kind, small(kind, seed)) for kind in KINDS for seed in range(100, 104)]
    for kind, pixels in asked:
        nearest = min(learned, key=lambda known: np.abs(known[1] - pixels).mean())
        right += nearest[0] == kind
    assert 2 / 12 < right / len(asked) < 0.95


def test_a_kind_that_is_not_drawn_is_refused_with_those_that_are() -> None:
    with pytest.raises(OptionError, match="no drawing of 'teapot': choose from mug, plate"):
        draw_product("teapot", 0)


@pytest.mark.parametrize("side", [32, 224, 333])
def test_the_placeholder_is_a_grey_card_that_is_not_blank(side: int) -> None:
    card = draw_placeholder(side)
    assert card.shape == (side, side, 3)
    np.testing.assert_array_equal(card, draw_placeholder(side))
    channels = card.astype(int)
    assert (channels.max(axis=2) - channels.min(axis=2)).max() <= 12, "grey"
    assert 150 < np.median(channels) < 245 and channels.std() > 5
    assert draw_product("mug", 0, 64).astype(int).std() > 20


def test_encoded_pictures_decode_to_what_was_drawn() -> None:
    pixels = draw_product("plate", 2)
    np.testing.assert_array_equal(decode(encode_png(pixels)).pixels, pixels)
    gentle, harsh = encode_jpeg(pixels, 95), encode_jpeg(pixels, 20)
    assert np.abs(decode(gentle).pixels.astype(int) - pixels).mean() < 4
    assert len(harsh) < len(encode_jpeg(pixels)) < len(gentle)
    assert decode(encode_jpeg(pixels[:, ::-1])).notes == ()
