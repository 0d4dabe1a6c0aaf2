"""Find bands of one color along the sides of a picture: letterboxes, and frames drawn or left around a photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Levels by which pixels of a band may differ from its color (noise of JPEG), and by which the photo behind it must.
_SAME, _OTHER = 10, 16
# Share of a line that may stray from the band's color. Share of the lines across that must leave it within the edge, which
# JPEG blurs by a block: a product on a plain background begins with its topmost tip, a photo with all its width.
# Source: docs/experiments.md, bands.
_STRAY, _LEAVE, _EDGE_PX = 0.02, 0.9, 16
# A color from which on a band is the white sheet that product photos are put on; and the share of a side up to which bands all
# around are a frame: beyond, they are the background of a product that is a box.
_WHITE, _FRAME = 240, 1 / 8


def inside_bands(pixels: NDArray[np.uint8]) -> float:
    """Return the share of the area of a picture, uint8 (h, w, 3), that no bands take; 1 without any.

    Bands count in pairs of opposite sides that have one color, not white, and end in a straight edge across.
    """
    turned = pixels.transpose(1, 0, 2)
    (top, bottom), (left, right) = _bands(pixels), _bands(turned)
    height, width = pixels.shape[:2]
    rows = _edged(pixels[:, left : width - right], top, bottom)
    columns = _edged(turned[:, top : height - bottom], left, right)
    if rows and columns and max(top / height, bottom / height, left / width, right / width) > _FRAME:
        return 1.0
    return float((1 - (top + bottom) / height * rows) * (1 - (left + right) / width * columns))


def _bands(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """Count the lines of one color from the first on and from the last back; 0, 0 where they are no pair."""
    first, last = _color(pixels[0]), _color(pixels[-1])
    if np.abs(first - last).max() > _OTHER or min(first.min(), last.min()) >= _WHITE:
        return 0, 0
    before, after = _plain_lines(pixels, first), _plain_lines(pixels[::-1], last)
    return (0, 0) if len(pixels) in (before, after) or not before or not after else (before, after)


def _color(line: NDArray[np.uint8]) -> NDArray[np.int16]:
    return np.asarray(np.median(line, axis=0), np.int16)


def _plain_lines(pixels: NDArray[np.uint8], color: NDArray[np.int16]) -> int:
    for count, line in enumerate(pixels):
        if _differ(line, color, _SAME).mean() > _STRAY:
            return count
    return len(pixels)


def _edged(pixels: NDArray[np.uint8], before: int, after: int) -> bool:
    """Whether what lies between two bands begins and ends all across."""
    if not before or not after or not pixels.shape[1]:
        return False
    edge = max(1, min(_EDGE_PX, len(pixels) // 8))
    return all(
        _differ(lines[depth : depth + edge], _color(lines[0]), _OTHER).any(axis=0).mean() >= _LEAVE
        for lines, depth in ((pixels, before), (pixels[::-1], after))
    )


def _differ(pixels: NDArray[np.uint8], color: NDArray[np.int16], levels: int) -> NDArray[np.bool_]:
    """Say which pixels (..., 3) differ from a color by more than so many levels."""
    return np.asarray((np.abs(pixels - color) > levels).any(axis=-1))
