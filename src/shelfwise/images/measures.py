"""Measure how good a photo is, and how its colors are spread: one decode, shrunk to a fixed size, a few numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shelfwise.images.bands import inside_bands
from shelfwise.images.decode import IMPORT_LIMITS, Limits, decode
from shelfwise.images.resize import resized
from shelfwise.images.sharpness import sharpness

SIDE_PX = 256
BINS = 16
# What a measure says, in the order of the values; the least good photo has the least value. In [0, 1] but for `side_px`.
MEASURES = {
    "sharpness": "how sharp its strongest edges are: 1 for a step, 0 for none",
    "light": "luma that all but its lightest hundredth stay below",
    "unclipped": "share of its area, a white background aside, that is not overexposed to white",
    "information": "entropy of its luma, as a share of the 8 bits that it could be",
    "proportion": "shorter over longer side",
    "side_px": "shorter side of the stored picture, in pixels",
    "inside": "share of its area that no band of one color along its sides takes",
    "contrast": "standard deviation of the channel that varies most, as a share of the most that it could be",
    "variety": "share of its pixels outside the 17 neighboring levels of luma that hold most of them",
}
NAMES = tuple(MEASURES)
# Histograms of luma, red, green and blue, each of sum 1, behind the measures.
HISTOGRAMS = {
    channel: slice(len(NAMES) + BINS * place, len(NAMES) + BINS * (place + 1))
    for place, channel in enumerate(("grey", "red", "green", "blue"))
}
WIDTH = len(NAMES) + BINS * len(HISTOGRAMS)
_LEVELS_ALIKE = 17
# Luma from which on a pixel holds no more detail, and the least share of the area that is judged: of an all but white picture,
# nothing can be said. Source: docs/experiments.md, brightness.
_CLIPPED, _LEAST_AREA = 250, 0.02


def measure(data: bytes, limits: Limits = IMPORT_LIMITS) -> NDArray[np.float32]:
    """Decode a picture and measure it: (WIDTH,), the values of NAMES, then the HISTOGRAMS.

    Safe to call from many threads. Raises ImageError like `decode`.
    """
    picture = decode(data, minimum_side_px=SIDE_PX, limits=limits)
    return measured(picture.pixels, picture.width, picture.height)


def measured(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float32]:
    """Measure pixels, uint8 (h, w, 3), of a picture that is stored with so many pixels: (WIDTH,)."""
    small = _shrunk(pixels)
    image = Image.fromarray(small)
    luma = image.convert("L")
    levels = np.array([luma.histogram(), *np.reshape(image.histogram(), (3, 256))], np.float64) / (
        luma.width * luma.height
    )
    grey = np.asarray(luma)
    values = (
        sharpness(grey),
        _quantile(levels[0], 0.99),
        _unclipped(grey),
        _entropy_bits(levels[0]) / 8,
        min(width, height) / max(width, height),
        min(width, height),
        inside_bands(small),
        _widest_spread(levels[1:]),
        1 - np.convolve(levels[0], np.ones(_LEVELS_ALIKE), "same").max(),
    )
    return np.concatenate((values, levels.reshape(-1, 256 // BINS).sum(axis=1))).astype(np.float32)


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink to SIDE_PX on the longer side; what is smaller stays as it is."""
    height, width = pixels.shape[:2]
    scale = SIDE_PX / max(height, width)
    if scale >= 1:
        return pixels
    return resized(pixels, (0, 0, width, height), max(1, round(width * scale)), max(1, round(height * scale)))


def _quantile(levels: NDArray[np.float64], share: float) -> float:
    """Return the level, in [0, 1], below or at which lies a share of the pixels."""
    return int(np.searchsorted(np.cumsum(levels), share - 1e-9)) / 255


def _unclipped(grey: NDArray[np.uint8]) -> float:
    """Set aside the white that can be seen from a side of the picture, along a row or a column; judge what is left."""
    white = grey >= _CLIPPED
    if not white.any():
        return 1.0
    background = _seen_from_the_ends(white) | _seen_from_the_ends(white.T).T
    left = max(int(np.count_nonzero(~background)), _LEAST_AREA * white.size)
    return 1 - int(np.count_nonzero(white & ~background)) / left


def _seen_from_the_ends(white: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which pixels lie in the white at the beginning or the end of their row."""
    width = white.shape[1]
    whole = white.all(axis=1)
    leading = np.where(whole, width, white.argmin(axis=1))[:, None]
    trailing = white[:, ::-1].argmin(axis=1)[:, None]
    column = np.arange(width)
    return np.asarray((column < leading) | (column >= width - trailing))


def _entropy_bits(levels: NDArray[np.float64]) -> float:
    """Source: Shannon 1948, section 6."""
    present = levels[levels > 0]
    return float(-(present * np.log2(present)).sum())


def _widest_spread(levels: NDArray[np.float64]) -> float:
    """Return the largest standard deviation of a channel over 127.5, which half black, half white has."""
    scale = np.arange(256)
    mean = levels @ scale
    return math.sqrt(max(0.0, float((levels @ scale**2 - mean**2).max()))) / 127.5
