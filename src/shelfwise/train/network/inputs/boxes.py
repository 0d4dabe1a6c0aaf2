"""Which part of a photo a network sees, and that part as a square."""

from __future__ import annotations

from math import ceil, exp, log, sqrt

import numpy as np
from numpy.typing import NDArray

from shelfwise.images.preprocess import Fit
from shelfwise.images.resize import Box, resized

PROPORTIONS = (3 / 4, 4 / 3)
"""Width of a random part over its height. Source: Szegedy et al., Going deeper with convolutions (2015), section 6."""
_TRIES = 10


def frame_of(height: int, width: int, fit: Fit) -> Box:
    """Return the box that a fit makes a square of, around the photo's center; with `pad` it reaches beyond the photo."""
    if fit == "squash":
        return (0.0, 0.0, float(width), float(height))
    side = max(height, width) if fit == "pad" else min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)


def random_part(height: int, width: int, fit: Fit, least_share: float, chance: np.random.Generator) -> Box:
    """Return a box of a random share of the photo, of random proportions, anywhere in it.

    With `pad` it is a part of the padded photo, whose middle lies in the photo. With `crop` it is a part of the whole photo,
    not only of its middle. Source: Szegedy et al. 2015, as torchvision's RandomResizedCrop has it; where ten tries give no box
    that fits, the largest one of fitting proportions around the center is taken, as there.
    """
    left, top, right, bottom = frame_of(height, width, "pad" if fit == "pad" else "squash")
    full_width, full_height = right - left, bottom - top
    for _ in range(_TRIES):
        area = full_width * full_height * chance.uniform(least_share, 1)
        proportion = exp(chance.uniform(log(PROPORTIONS[0]), log(PROPORTIONS[1])))
        box_width, box_height = sqrt(area * proportion), sqrt(area / proportion)
        if box_width <= full_width and box_height <= full_height:
            x = _place(left, right, box_width, width, chance)
            y = _place(top, bottom, box_height, height, chance)
            return (x, y, x + box_width, y + box_height)
    box_width = min(full_width, full_height * PROPORTIONS[1])
    box_height = min(full_height, full_width / PROPORTIONS[0])
    x, y = (width - box_width) / 2, (height - box_height) / 2
    return (x, y, x + box_width, y + box_height)


def _place(first: float, last: float, length: float, photo: int, chance: np.random.Generator) -> float:
    """Draw where a box of some length begins between first and last, so that its middle lies between 0 and `photo`."""
    return float(chance.uniform(max(first, -length / 2), min(last - length, photo - length / 2)))


def zoomed(box: Box, times: float) -> Box:
    """Return the middle of a box, so many times smaller."""
    left, top, right, bottom = box
    x, y = (right - left) * (1 - 1 / times) / 2, (bottom - top) * (1 - 1 / times) / 2
    return (left + x, top + y, right - x, bottom - y)


def part_of(pixels: NDArray[np.uint8], box: Box, side_px: int) -> NDArray[np.uint8]:
    """Resize the part of a photo, uint8 (h, w, 3), in a box to uint8 (side, side, 3): white beyond the photo."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = box
    there = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
    if there == box:
        return resized(pixels, box, side_px, side_px)
    columns = _stretch(left, right, there[0], there[2], side_px)
    rows = _stretch(top, bottom, there[1], there[3], side_px)
    square = np.full((side_px, side_px, 3), 255, dtype=np.uint8)
    square[rows, columns] = resized(pixels, there, columns.stop - columns.start, rows.stop - rows.start)
    return square


def _stretch(first: float, last: float, first_there: float, last_there: float, side_px: int) -> slice:
    """Return which pixels of a side from `first` to `last` hold what is there; in the middle, those of images.preprocess."""
    scale = side_px / (last - first)
    pixels = max(1, round((last_there - first_there) * scale))
    middle = ((first_there + last_there) / 2 - first) * scale
    start = min(max(0, ceil(middle - pixels / 2 - 0.5 - 1e-6)), side_px - pixels)  # a half is rounded down, as there
    return slice(start, start + pixels)
