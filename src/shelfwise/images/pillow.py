"""Decode what Pillow opens into 8-bit RGB, with every conversion that it took noted."""

from __future__ import annotations

import io
import re
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import AvifImagePlugin, Image, ImageFile, TiffImagePlugin, WebPImagePlugin

from shelfwise.errors import ImageError
from shelfwise.images.orientation import UPRIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Pillow registers these three formats only when their modules are imported.
REGISTERED = (AvifImagePlugin.AvifImageFile, TiffImagePlugin.TiffImageFile, WebPImagePlugin.WebPImageFile)

_CONVERTIBLE = {"1", "L", "P", "RGB", "RGBX", "YCbCr", "HSV", "CMYK", "LA", "PA", "La", "RGBA", "RGBa"}
_ALPHA = {"LA", "PA", "La", "RGBA", "RGBa"}
_STRIP_PIXELS = 2**20
_WITHOUT_RANGE = {"I": "32-bit integer", "F": "floating-point"}

_quiet_lock = threading.Lock()
_quiet_inside = 0
_QUIET_RULE = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's own warnings off while any thread is inside; every other warning passes.

    `warnings.catch_warnings` would restore the filters of one thread over those of another.
    """
    global _quiet_inside
    filters = cast("list[Any]", warnings.filters)
    with _quiet_lock:
        _quiet_inside += 1
        if _QUIET_RULE not in filters:
            filters.insert(0, _QUIET_RULE)
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_inside -= 1
            if not _quiet_inside and _QUIET_RULE in warnings.filters:
                cast("list[Any]", warnings.filters).remove(_QUIET_RULE)


def open_header(data: bytes, name: str) -> ImageFile.ImageFile:
    """Open a file of one format without decoding its pixels; raises whatever Pillow raises."""
    return Image.open(io.BytesIO(data), formats=[name])


def stored_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Return width and height as stored: Pillow gives those of a TIFF as shown."""
    width, height = image.size
    turned = image.format == "TIFF" and _tiff_tag(image, 274, UPRIGHT) in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def stored_orientation(image: ImageFile.ImageFile) -> int:
    """Read the EXIF orientation, 1 to 8; metadata that cannot be read counts as upright."""
    try:
        orientation = image.getexif().get(274, UPRIGHT)
    except Exception:
        return UPRIGHT
    return orientation if orientation in range(1, 9) else UPRIGHT


def stored_frames(image: ImageFile.ImageFile) -> int:
    """Return the number of frames that the header declares."""
    return int(getattr(image, "n_frames", 1))


def stored_depth(image: ImageFile.ImageFile) -> int:
    """Return the bits per sample of a TIFF, 8 for any other format."""
    if image.format != "TIFF":
        return 8
    bits = _tiff_tag(image, 258, (1,))
    return int(max(bits)) if isinstance(bits, tuple) else int(bits)


def _tiff_tag(image: ImageFile.ImageFile, tag: int, default: Any) -> Any:
    return cast("TiffImagePlugin.TiffImageFile", image).tag_v2.get(tag, default)


def to_rgb(image: Image.Image, depth: int) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Decode to uint8 (h, w, 3) and the notes of what was converted: `depth16`, `cmyk`, `alpha_white`.

    depth: bits per sample of the file. 16-bit samples keep their high byte, as Pillow does for color; transparency is
    put on white; color profiles are dropped. Raises ImageError `img_depth`, `img_format` or `img_transparent`, and
    whatever Pillow raises.
    """
    if image.mode in _WITHOUT_RANGE:
        raise ImageError(
            "img_depth", f"{_WITHOUT_RANGE[image.mode]} samples have no defined range: save as 8 or 16 bit"
        )
    image.load()
    notes: tuple[str, ...] = ("depth16",) if depth > 8 else ()
    if image.mode.startswith("I;16"):
        image = _eight_bit(image, depth)
    if image.mode not in _CONVERTIBLE:
        raise ImageError("img_format", f"colors of the mode {image.mode} are not accepted: save as RGB")
    if image.mode == "CMYK":
        notes += ("cmyk",)
    if image.mode in _ALPHA or "transparency" in image.info:
        image, translucent = _on_white(image)
        notes += ("alpha_white",) if translucent else ()
    return _rgb_pixels(image), notes


def _rgb_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Convert in strips: on the way from a picture to an array Pillow holds three copies of what it converts."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = image if rows >= height else image.crop((0, top, width, bottom))
        pixels[top:bottom] = np.asarray(strip.convert("RGB"))
    return pixels


def _eight_bit(image: Image.Image, depth: int) -> Image.Image:
    """Scale 9- to 16-bit grey to 8 bits; the one grey value that stands for transparency becomes an alpha channel."""
    samples = np.asarray(image).astype(np.uint16)
    grey = Image.fromarray((samples >> max(depth - 8, 0)).clip(0, 255).astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey = Image.merge("LA", (grey, Image.fromarray(np.where(samples == clear, 0, 255).astype(np.uint8))))
    return grey


def _on_white(image: Image.Image) -> tuple[Image.Image, bool]:
    """Put a picture with transparency on white; False where every pixel was opaque."""
    if image.mode in ("La", "RGBa"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    image = image.convert("RGBA")
    alpha = image.getchannel("A")
    lowest, highest = cast("tuple[int, int]", alpha.getextrema())
    if highest == 0:
        raise ImageError("img_transparent", "every pixel is fully transparent")
    if lowest == 255:
        return image.convert("RGB"), False
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=alpha)
    return white, True
