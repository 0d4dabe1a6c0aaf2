"""Turn a picture file into the square that a backbone looks at: one function for learning, checking and serving."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import OptionError
from shelfwise.images.decode import IMPORT_LIMITS, Limits, decode
from shelfwise.images.resize import resized

Fit = Literal["squash", "crop", "pad"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture becomes a square of `side_px`.

    fit: `squash` changes the proportions, `crop` takes the largest square from the middle, `pad` puts white around.
    middle: share of each side that is kept, around the center, before that.
    """

    side_px: int
    fit: Fit = "squash"
    middle: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.side_px, bool) or not isinstance(self.side_px, int) or not 1 <= self.side_px <= 4096:
            raise OptionError(f"side_px is {self.side_px!r}: a whole number of pixels from 1 to 4096 is needed")
        if not 0 < self.middle <= 1:
            raise OptionError(f"middle is {self.middle!r}: a share above 0, up to 1, is needed")
        if self.fit not in get_args(Fit):
            raise OptionError(f"fit is {self.fit!r}: choose from {', '.join(get_args(Fit))}")


def prepare(data: bytes, preprocessing: Preprocessing, limits: Limits = IMPORT_LIMITS) -> NDArray[np.uint8]:
    """Decode, fit and resize a picture file to uint8 (side, side, 3).

    Raises ImageError like `decode`.
    """
    needed = ceil(preprocessing.side_px / preprocessing.middle)
    return fit_square(decode(data, minimum_side_px=needed, limits=limits).pixels, preprocessing)


def fit_square(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Fit and resize pixels, uint8 (h, w, 3), to uint8 (side, side, 3)."""
    side, (full_height, full_width) = preprocessing.side_px, pixels.shape[:2]
    width, height = full_width * preprocessing.middle, full_height * preprocessing.middle
    if preprocessing.fit == "crop":
        width = height = min(width, height)
    left, top = (full_width - width) / 2, (full_height - height) / 2
    box = (left, top, left + width, top + height)
    if preprocessing.fit != "pad" or width == height:
        return resized(pixels, box, side, side)
    scale = side / max(width, height)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    square = np.full((side, side, 3), 255, dtype=np.uint8)
    left_px, top_px = (side - inner_width) // 2, (side - inner_height) // 2
    inner = resized(pixels, box, inner_width, inner_height)
    square[top_px : top_px + inner_height, left_px : left_px + inner_width] = inner
    return square
