"""How many frames a file holds, and whether it goes on after its end, for the formats whose header Pillow reads."""

from __future__ import annotations

import struct

# A file of so many pages is no product photo; the count stops there.
_MOST_PAGES = 100_000


def tiff_frames(data: bytes) -> int:
    """Count the directories of a TIFF without reading what they hold. Source: TIFF 6.0, section 2; BigTIFF as libtiff."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\x00", b"\x00+")
    pointer, count, entry_bytes, first = ("Q", "Q", 20, 8) if is_big else ("I", "H", 12, 4)
    seen: set[int] = set()
    try:
        (place,) = struct.unpack_from(order + pointer, data, first)
        while place and place not in seen and len(seen) < _MOST_PAGES:
            (entries,) = struct.unpack_from(order + count, data, place)
            seen.add(place)
            (place,) = struct.unpack_from(order + pointer, data, place + struct.calcsize(count) + entry_bytes * entries)
    except struct.error:  # the last link leads nowhere
        pass
    return max(len(seen), 1)


def goes_on(name: str, data: bytes) -> bool:
    """Whether bytes follow the end that a BMP or AVIF declares; a TIFF declares none."""
    end = {"BMP": _bmp_end, "AVIF": _boxes_end}.get(name)
    try:
        return end is not None and end(data) < len(data)
    except (struct.error, ValueError):
        return False


def _bmp_end(data: bytes) -> int:
    """Return where the file or its pixels end, whichever is later: many writers get the first of the two wrong.

    Source: Microsoft, BITMAPFILEHEADER and BITMAPINFOHEADER.
    """
    declared, pixels, header_bytes = struct.unpack_from("<I4xII", data, 2)
    if header_bytes < 40:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        return int(max(declared, pixels + (width * bits + 31) // 32 * 4 * height))
    width, height, _, bits, compression, size = struct.unpack_from("<iiHHII", data, 18)
    uncompressed = (abs(width) * bits + 31) // 32 * 4 * abs(height)
    return int(max(declared, pixels + (size if compression in (1, 2) else uncompressed)))


def _boxes_end(data: bytes) -> int:
    """Return where the boxes of an ISO media file end. Source: ISO/IEC 14496-12, 4.2."""
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, place + 8)
        elif size == 0 and kind == b"mdat":
            return len(data)
        if size < 8 or not kind.isalnum() or place + size > len(data):
            return place
        place += size
    return place
