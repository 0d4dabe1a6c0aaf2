"""A catalog's photos as a browser shows them."""

from __future__ import annotations

import io

from PIL import Image

from shelfwise.images.decode import decode
from shelfwise.images.sniff import sniff

SIDE_PX = 960
_QUALITY = 88
# Formats that are sent as they are, where they are no larger than the page shows them.
_SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_SMALL_BYTES = 400_000


def shown(data: bytes, side_px: int = SIDE_PX) -> tuple[bytes, str]:
    """Return a photo's bytes and media type: as stored where any browser shows that, else shrunk to a JPEG.

    Raises ImageError for a picture that cannot be decoded.
    """
    media = _SHOWN.get(sniff(data) or "")
    if media and side_px >= SIDE_PX and len(data) <= _SMALL_BYTES:
        return data, media
    picture = Image.fromarray(decode(data, minimum_side_px=side_px).pixels)
    picture.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue(), "image/jpeg"
