"""Sixteen drawn pictures in several encodings: a bundle answers them as it did when it was made, or refuses to load."""

from __future__ import annotations

import io

from PIL import Image

from shelfwise.images.draw import KINDS, draw_product, encode_jpeg

_SIDE_PX = 320


def golden_pictures() -> list[bytes]:
    """Draw one JPEG per kind of product and four pictures that take the slow ways of decoding."""
    drawn = [draw_product(kind, seed=16, side_px=_SIDE_PX) for kind in KINDS]
    plain = [encode_jpeg(pixels) for pixels in drawn]
    first = Image.fromarray(drawn[0])
    transparent = first.copy()
    transparent.putalpha(first.convert("L").point(lambda level: 255 - level // 2))
    turned = Image.Exif()
    turned[0x0112] = 6  # the EXIF tag for orientation: turn by a quarter
    return [
        *plain[:12],
        _encoded(transparent, "PNG"),
        _encoded(Image.fromarray(drawn[1]).quantize(64), "PNG"),
        _encoded(Image.fromarray(drawn[2]).convert("CMYK"), "JPEG", quality=90),
        _encoded(Image.fromarray(drawn[3][:, :240]), "JPEG", quality=90, exif=turned),
    ]


def _encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()
