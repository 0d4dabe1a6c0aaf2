"""Hash pictures by what is seen on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIDE_PX = 32
_LOW_FREQUENCIES = 8


def perceptual_hash(pixels: NDArray[np.uint8]) -> int:
    """Compute the 64-bit perceptual hash of a picture, uint8 (h, w, 3), as an unsigned integer.

    Bit for bit that of `imagehash.phash`: luma shrunk to 32 x 32, two-dimensional cosine transform, the 8 x 8 lowest
    frequencies compared with their median, first row first, most significant bit first.
    Source: Krawetz 2011, "Looks Like It"; imagehash 4.3.2, `phash`.
    """
    small = Image.fromarray(pixels).convert("L").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.LANCZOS)
    frequencies = fft.dct(fft.dct(np.asarray(small, dtype=np.float64), axis=0), axis=1)
    low = frequencies[:_LOW_FREQUENCIES, :_LOW_FREQUENCIES]
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")
