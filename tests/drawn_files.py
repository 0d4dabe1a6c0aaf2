"""Picture files of every kind, drawn and encoded by code."""

from __future__ import annotations

import functools
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image, PngImagePlugin

GROCERY = Path(os.environ.get("SHELFWISE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "grocery"


def drawn(width: int = 96, height: int = 64, seed: int = 0) -> np.ndarray:
    """A lopsided picture: gradients, a block, a disc, a little noise; no two of its orientations look alike."""
    v, u = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pixels = np.stack([255 * u, 255 * v, 255 * (1 - u) * v], axis=-1)
    pixels[: height // 3, : width // 4] = (220, 40, 60)
    pixels[np.hypot(u - 0.7, v - 0.3) < 0.2] = (30, 60, 200)
    pixels += np.random.default_rng(seed).normal(0, 4, pixels.shape)
    return pixels.clip(0, 255).astype(np.uint8)


def image(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    return Image.fromarray(drawn(width, height, seed))


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def jpeg(pixels: np.ndarray, quality: int = 90) -> bytes:
    return simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, colorsubsampling="420")


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[274] = orientation
    return block


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(width: int, height: int, rows: bytes, *, depth: int = 8, color: int = 2, extra: bytes = b"") -> bytes:
    """A PNG written by hand; rows: filter bytes and samples."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """80 compressed text chunks of 1 MB each, in a good PNG."""
    bomb = chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(2**20)))
    rows = b"".join(b"\x00" + row.tobytes() for row in drawn(8, 8))
    return png(8, 8, rows, extra=bomb * 80)


@functools.cache
def encodings() -> dict[str, bytes]:
    picture = image()
    grey16 = Image.fromarray(np.linspace(0, 65535, 96 * 64).reshape(64, 96).astype(np.uint16))
    frames = [image(seed=1), image(seed=2)]
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a picture")
    return {
        "jpeg": encoded(picture, "JPEG", quality=90, exif=exif(6)),
        "progressive": encoded(picture, "JPEG", progressive=True),
        "grey jpeg": encoded(picture.convert("L"), "JPEG"),
        "cmyk jpeg": encoded(picture.convert("CMYK"), "JPEG"),
        "png": encoded(picture, "PNG", pnginfo=info),
        "palette png": encoded(picture.quantize(32), "PNG", transparency=3),
        "16-bit png": encoded(grey16, "PNG"),
        "webp": encoded(picture, "WEBP"),
        "lossless webp": encoded(picture, "WEBP", lossless=True),
        "gif": encoded(picture, "GIF"),
        "animated gif": encoded(picture, "GIF", save_all=True, append_images=frames),
        "bmp": encoded(picture, "BMP"),
        "tiff": encoded(picture, "TIFF"),
        "lzw tiff": encoded(picture, "TIFF", compression="tiff_lzw"),
        "avif": encoded(picture, "AVIF", speed=10),
    }
