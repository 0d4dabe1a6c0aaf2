"""Shrink or enlarge pixels by an antialiased bicubic filter, the one that the packaged weights were trained with.

cykooz-resizer (fast_image_resize, in Rust) needs a quarter of Pillow's time; both round to 8 bits between the two passes
and lie equally far from the exact filter (docs/experiments.md, resize). Where it has no wheel, Pillow does the work.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray
from PIL import Image

try:
    import cykooz_resizer as cykooz
except ImportError:
    cykooz = None

Box = tuple[float, float, float, float]
_of_thread = threading.local()


def resized(pixels: NDArray[np.uint8], box: Box, width: int, height: int) -> NDArray[np.uint8]:
    """Resize a part of a picture, uint8 (h, w, 3), to uint8 (height, width, 3).

    box: left, top, right, bottom in pixels, fractions allowed. Safe to call from many threads.
    """
    if cykooz is None:
        return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, box=box))
    left, top, right, bottom = box
    # Catmull-Rom is the cubic with a = -1/2, Pillow's BICUBIC. Source: Keys 1981, equation 4.
    options = cykooz.ResizeOptions(
        resize_alg=cykooz.ResizeAlg.convolution(cykooz.FilterType.catmull_rom),
        crop_box=cykooz.CropBox(left, top, right - left, bottom - top),
    )
    source = cykooz.ImageData(pixels.shape[1], pixels.shape[0], cykooz.PixelType.U8x3, pixels.tobytes())
    target = cykooz.ImageData(width, height, cykooz.PixelType.U8x3)
    _resizer().resize(source, target, options)
    return np.frombuffer(target.get_buffer(), np.uint8).reshape(height, width, 3).copy()


def _resizer() -> cykooz.Resizer:
    """Return this thread's resizer: it keeps buffers between calls."""
    if not hasattr(_of_thread, "resizer"):
        _of_thread.resizer = cykooz.Resizer()
    return _of_thread.resizer
