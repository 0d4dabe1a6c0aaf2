"""Decode a picture of unknown origin into upright 8-bit RGB, or say why not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from shelfwise.errors import ImageError
from shelfwise.images import pillow
from shelfwise.images.extent import goes_on, tiff_frames
from shelfwise.images.layout import Layout, read_layout
from shelfwise.images.orientation import UPRIGHT, turned_upright
from shelfwise.images.sniff import sniff

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a picture may be at most: bytes of the file, pixels, longer side, and longer over shorter side.

    seconds: what decoding may take. Only a process that can be ended keeps to that: `engines.decoders`.
    """

    size_bytes: int
    pixels: int
    side_px: int = 16_384
    aspect: int = 50
    seconds: float = 10


IMPORT_LIMITS = Limits(size_bytes=50 * 2**20, pixels=50_000_000)
SERVER_LIMITS = Limits(size_bytes=10 * 2**20, pixels=25_000_000, seconds=5)

# Codes of what was done or seen, and of why a picture cannot be used; the last two come from `engines.decoders`.
REFUSALS = (
    "img_empty", "img_format", "img_truncated", "img_corrupt", "img_too_large", "img_shape", "img_transparent", "img_depth",
    "img_memory", "img_timeout", "img_decoder_crash",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture.

    pixels: uint8 (h, w, 3), RGB, contiguous, upright. width, height: of the stored picture, before its orientation was
    applied and at full scale. format, mode: as Pillow names them. notes: some of DECODER_NOTES. frames: how many the file
    declares, of which the first is here.
    """

    pixels: Pixels
    width: int
    height: int
    format: str
    mode: str
    notes: tuple[str, ...]
    frames: int = 1


def decode(data: bytes, *, minimum_side_px: int | None = None, limits: Limits = IMPORT_LIMITS) -> Picture:
    """Decode the first frame of a JPEG, PNG, WEBP, GIF, BMP, TIFF or AVIF file.

    The EXIF orientation is applied, transparency put on white, more than 8 bits scaled down, color profiles dropped.
    `minimum_side_px` lets a JPEG be decoded at half its size or less as long as both sides stay at least that.
    Limits are checked against the header, before pixels are allocated. Safe to call from many threads.
    Raises ImageError with one of REFUSALS, and nothing else.
    """
    try:
        return _decode(data, minimum_side_px, limits)
    except ImageError:
        raise
    except Exception as error:
        raise _image_error(error, len(data)) from error


def _decode(data: bytes, minimum_side_px: int | None, limits: Limits) -> Picture:
    check_bytes(data, limits)
    name = sniff(data)
    layout = read_layout(name, data)
    if layout is not None:
        _check_size(layout.width, layout.height, limits)
        picture = _decode_plain_jpeg(layout, minimum_side_px) if layout.simple else None
        if picture is not None:
            return picture
    with pillow.quiet():
        return _decode_by_pillow(name, data, layout, limits)


def check_bytes(data: bytes, limits: Limits) -> None:
    """Raise ImageError `img_too_large` for a file of too many bytes."""
    if len(data) > limits.size_bytes:
        raise ImageError("img_too_large", f"{len(data):,} bytes, limit {limits.size_bytes:,}")


def _check_size(width: int, height: int, limits: Limits) -> None:
    said = f"{width}x{height}"
    if width < 1 or height < 1:
        raise ImageError("img_corrupt", f"{said} pixels: a side is missing")
    if width * height > limits.pixels:
        raise ImageError("img_too_large", f"{said} = {width * height / 1e6:.0f} MP, limit {limits.pixels / 1e6:.0f} MP")
    longer, shorter = max(width, height), min(width, height)
    if longer > limits.side_px:
        raise ImageError("img_shape", f"{said}: a side of {longer} pixels, limit {limits.side_px}")
    if longer > limits.aspect * shorter:
        raise ImageError("img_shape", f"{said}: more than {limits.aspect} times as long as wide")


# What libjpeg says when pixels are missing or wrong; its other complaints (an unknown JFIF revision, an odd
# subsampling) leave the pixels whole, and Pillow decodes those files. Source: libjpeg-turbo, jerror.h.
_JPEG_DAMAGE = ("Premature end", "Corrupt JPEG", "Inconsistent progression")


def _decode_plain_jpeg(layout: Layout, minimum_side_px: int | None) -> Picture | None:
    """Decode a JPEG of 8 bits and one or three components; None where libjpeg wants Pillow's patience."""
    # Scales between 1/2 and 1 are slower than decoding whole, so less than twice the side is decoded whole.
    reduced = minimum_side_px is not None and min(layout.width, layout.height) >= 2 * minimum_side_px
    least = minimum_side_px if reduced else 0
    try:
        pixels = simplejpeg.decode_jpeg(
            layout.data, "RGB", min_height=least, min_width=least, min_factor=2 if reduced else 1, strict=True
        )
    except ValueError as error:
        if str(error).startswith(_JPEG_DAMAGE):
            raise _image_error(error, len(layout.data)) from error
        return None
    mode = "L" if layout.components == 1 else "RGB"
    return _picture(cast("Pixels", pixels), layout, layout.orientation, "JPEG", mode, ())


def _decode_by_pillow(name: str, data: bytes, layout: Layout | None, limits: Limits) -> Picture:
    with pillow.open_header(data if layout is None else layout.data, name) as image:
        width, height = pillow.stored_size(image)
        _check_size(width, height, limits)
        if layout is None:
            frames = tiff_frames(data) if name == "TIFF" else pillow.stored_frames(image)
            trailing = goes_on(name, data)
            layout = Layout(width, height, data, frames=frames, trailing=trailing, depth=pillow.stored_depth(image))
        orientation = layout.orientation
        if orientation == UPRIGHT:
            orientation = pillow.stored_orientation(image)
        mode = image.mode
        pixels, notes = pillow.to_rgb(image, layout.depth)
    return _picture(pixels, layout, orientation, name, mode, notes, is_upright=name == "TIFF")


def _picture(
    pixels: Pixels,
    layout: Layout,
    orientation: int,
    name: str,
    mode: str,
    conversions: tuple[str, ...],
    *,
    is_upright: bool = False,
) -> Picture:
    if not is_upright:
        pixels = turned_upright(pixels, orientation)
    seen = {
        "exif_rot": orientation != UPRIGHT,
        "first_frame": layout.frames > 1,
        "img_no_end": not layout.ends,
        "img_blank": _is_blank(pixels),
        "trailing_bytes": layout.trailing,
    }
    notes = conversions + tuple(code for code, applies in seen.items() if applies)
    return Picture(pixels, layout.width, layout.height, name, mode, notes, layout.frames)


def _is_blank(pixels: Pixels) -> bool:
    """Whether all pixels are of one color; nearly every picture is told by its middle row."""
    first = pixels[0, 0]
    return bool((pixels[len(pixels) // 2] == first).all()) and all((row == first).all() for row in pixels)


def _image_error(error: Exception, size_bytes: int) -> ImageError:
    """Give an error of a decoder its code, keeping its words."""
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, Image.DecompressionBombError):
        declared = re.search(r"\d+", said)
        megapixels = f"{int(declared[0]) / 1e6:.0f} MP" if declared else "many pixels"
        return ImageError("img_too_large", f"{megapixels} declared, over every limit")
    if isinstance(error, MemoryError) or re.search(
        r"(out of|insufficient) memory|cannot allocate", said, re.IGNORECASE
    ):
        return ImageError("img_memory", "the decoder ran out of memory")
    if isinstance(error, UnidentifiedImageError):
        return ImageError("img_corrupt", "its header cannot be read")
    if re.search(r"truncated|premature end|unexpected end|incomplete|not enough", said, re.IGNORECASE):
        return ImageError("img_truncated", f"ends early, after {size_bytes} bytes ({said})")
    return ImageError("img_corrupt", said)
