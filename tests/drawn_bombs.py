"""Picture files that declare, or unpack to, far more than they weigh."""

from __future__ import annotations

import struct
import zlib

from PIL import Image

from drawn_files import chunk, drawn, encoded, image, jpeg, png


def jpeg_header(width: int, height: int) -> bytes:
    whole = jpeg(drawn(16, 16))
    place = whole.index(b"\xff\xc0") + 5
    return whole[:place] + struct.pack(">HH", height, width) + whole[place + 4 :]


def bmp_header(width: int, height: int) -> bytes:
    whole = encoded(image(4, 4), "BMP")
    return whole[:18] + struct.pack("<ii", width, height) + whole[26:]


def tiff_header(width: int, height: int) -> bytes:
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (278, 4, height)]
    entries += [(279, 4, 100)]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(104)


def vp8x_header(width: int, height: int) -> bytes:
    canvas = b"\x10\x00\x00\x00" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + canvas


BOMBS = {
    "png": png(60_000, 60_000, b"\x00"),
    "png at Pillow's limit": png(13_377, 13_377, b"\x00"),
    "png at Pillow's warning": png(9_000, 10_000, b"\x00"),
    "jpeg": jpeg_header(13_377, 13_377),
    "gif": b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b";",
    "gif frame": b"GIF89a" + struct.pack("<HHBBBBHHHHBH", 9, 9, 0, 0, 0, 0x2C, 0, 0, 65_535, 65_535, 0, 2),
    "webp": vp8x_header(16_383, 16_383),
    "bmp": bmp_header(30_000, 30_000),
    "bmp at Pillow's warning": bmp_header(9_000, 10_000),
    "tiff": tiff_header(30_000, 30_000),
    "tiff at Pillow's warning": tiff_header(9_000, 10_000),
}  # fmt: skip


def flat_png(width: int, height: int) -> bytes:
    """A PNG of one color that really holds all its rows, made without holding them."""
    packer, row = zlib.compressobj(9), b"\x00" + b"\x50\x90\xd0" * width
    rows = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    whole = png(width, height, b"")
    return whole.replace(chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", rows))


def profile_bomb() -> bytes:
    """A color profile of 200 MB, packed, in a good PNG."""
    profile = chunk(b"iCCP", b"x\x00\x00" + zlib.compress(bytes(200 * 2**20)))
    return png(8, 8, b"".join(b"\x00" + row.tobytes() for row in drawn(8, 8)), extra=profile)


def many_pages(pages: int) -> bytes:
    """A TIFF whose first directory is followed by copies of it."""
    whole = encoded(image(8, 8), "TIFF")
    (first,) = struct.unpack_from("<I", whole, 4)
    (entries,) = struct.unpack_from("<H", whole, first)
    directory = whole[first : first + 2 + 12 * entries]
    size, start = len(directory) + 4, len(whole)
    links = [start + size * number for number in range(pages - 1)]
    whole = whole[: first + len(directory)] + struct.pack("<I", links[0]) + whole[first + size :]
    return whole + b"".join(directory + struct.pack("<I", link) for link in [*links[1:], 0])


def many_frames(frames: int) -> bytes:
    others = [Image.new("L", (8, 8), number % 256) for number in range(1, frames)]
    return encoded(Image.new("L", (8, 8)), "GIF", save_all=True, append_images=others)
