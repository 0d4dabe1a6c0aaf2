"""Small photos that live inside the page."""

from __future__ import annotations

import io
from base64 import b64encode
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE_PX = 160
QUALITY = 78


def thumbnail(pixels: NDArray[np.uint8], side_px: int = SIDE_PX) -> str:
    """Shrink a picture (h, w, 3) to fit a square and return it as a JPEG data URI; small ones keep their size."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + b64encode(stream.getvalue()).decode("ascii")
