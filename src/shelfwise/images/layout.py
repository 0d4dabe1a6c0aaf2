"""Read what a picture file declares, before any pixel of it is decoded."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from shelfwise.errors import ImageError
from shelfwise.images.orientation import UPRIGHT, exif_orientation


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file declares.

    width, height: of the stored picture, in pixels. data: the bytes to decode. ends: whether the end marker is there.
    trailing: whether bytes follow it. depth: bits per sample. simple: a JPEG of 8 bits with one or three components.
    """

    width: int
    height: int
    data: bytes
    orientation: int = UPRIGHT
    frames: int = 1
    ends: bool = True
    trailing: bool = False
    depth: int = 8
    components: int = 3
    simple: bool = False


def read_layout(name: str, data: bytes) -> Layout | None:
    """Read the layout of a JPEG, PNG, GIF or WEBP file; None for the formats whose header Pillow reads without risk.

    Raises ImageError `img_truncated` or `img_corrupt`.
    """
    reader = {"JPEG": _jpeg, "PNG": _png, "GIF": _gif, "WEBP": _webp}.get(name)
    if reader is None:
        return None
    try:
        return reader(data)
    except (IndexError, struct.error):
        raise ImageError("img_truncated", f"ends early, within its header, after {len(data)} bytes") from None


def ends_early(data: bytes, expected: int) -> ImageError:
    """Describe a file that stops before the length that it declares."""
    return ImageError("img_truncated", f"ends early, {len(data)} bytes of {expected}")


_JPEG_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_JPEG_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}


def _jpeg(data: bytes) -> Layout:
    """Walk the markers up to the first scan. Source: ITU-T T.81, annex B; MPF: CIPA DC-007."""
    place, orientation, frames = 2, UPRIGHT, 1
    width = height = depth = marker = components = frame_header = 0
    while marker != 0xDA:
        place = data.find(b"\xff", place)
        if place < 0:
            raise ImageError("img_truncated", f"ends early, after {len(data)} bytes, before its first scan")
        marker = data[place + 1]
        if marker in (0x00, 0xFF) or marker in _JPEG_WITHOUT_LENGTH:
            place += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            raise ImageError("img_corrupt", "ends before its first scan")
        (length,) = struct.unpack_from(">H", data, place + 2)
        segment = data[place + 4 : place + 2 + length]
        if marker in _JPEG_FRAME_HEADERS and not frame_header:
            frame_header = marker
            depth, height, width, components = struct.unpack_from(">BHHB", segment)
        elif marker == 0xE1 and segment.startswith(b"Exif\x00\x00") and orientation == UPRIGHT:
            orientation = exif_orientation(segment)
        elif marker == 0xE2 and segment.startswith(b"MPF\x00"):
            frames = _mpf_pictures(segment[4:])
        place += 2 + length
    end = data.find(b"\xff\xd9", place) + 2
    simple = frame_header in _JPEG_HUFFMAN_FRAMES and depth == 8 and components in (1, 3)
    trailing = frames == 1 and 1 < end < len(data)
    return Layout(
        width, height, data, orientation, frames,
        ends=end > 1, trailing=trailing, depth=depth, components=components, simple=simple,
    )  # fmt: skip


_MPF_NUMBER_OF_IMAGES = 0xB001


def _mpf_pictures(block: bytes) -> int:
    """Read how many pictures a multi-picture file holds; 2 where it does not say. Source: CIPA DC-007, 5.2.3."""
    order = "<" if block[:2] == b"II" else ">"
    try:
        (directory,) = struct.unpack_from(f"{order}I", block, 4)
        (entries,) = struct.unpack_from(f"{order}H", block, directory)
        for place in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHII", block, place)
            if tag == _MPF_NUMBER_OF_IMAGES:
                return int(value)
    except struct.error:
        pass
    return 2


_PNG_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"


def _png(data: bytes) -> Layout:
    """Keep the chunks that make pixels, so that no metadata can matter. Source: PNG 3rd edition, 5 and 11."""
    width, height, depth = struct.unpack_from(">IIB", data, 16)
    place, orientation, frames, ends, kept = 8, UPRIGHT, 1, False, [data[:8]]
    while place + 8 <= len(data) and not ends:
        length, kind = struct.unpack_from(">I4s", data, place)
        following = place + 12 + length
        ends = kind == b"IEND"
        if kind in _PNG_PIXEL_CHUNKS:
            if following > len(data):
                raise ends_early(data, following + len(_PNG_END))
            kept.append(_checked(data[place:following], kind))
        elif kind == b"eXIf":
            orientation = exif_orientation(data[place + 8 : following - 4])
        elif kind == b"acTL":
            (frames,) = struct.unpack_from(">I", data, place + 8)
        place = following
    essential = b"".join((*kept, _PNG_END))
    return Layout(
        width, height, essential, orientation, frames, ends and place <= len(data), ends and place < len(data), depth
    )


def _checked(chunk: bytes, kind: bytes) -> bytes:
    """Compare a chunk with its checksum, which Pillow does not do for pixels."""
    if zlib.crc32(memoryview(chunk)[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        raise ImageError("img_corrupt", f"the checksum of its {kind.decode()} chunk is wrong")
    return chunk


def _gif(data: bytes) -> Layout:
    """Walk the blocks and count the frames. Source: GIF89a specification, appendix A."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    place, frames, ends = 13 + _color_table_bytes(flags), 0, False
    while place < len(data) and not ends:
        kind = data[place]
        if kind == 0x2C and place + 10 < len(data):
            frames += 1
            place = _after_sub_blocks(data, place + 11 + _color_table_bytes(data[place + 9]))
        elif kind == 0x21:
            place = _after_sub_blocks(data, place + 2)
        else:
            ends = kind == 0x3B
            break
    return Layout(width, height, data, frames=max(frames, 1), ends=ends, trailing=ends and place + 1 < len(data))


def _color_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, place: int) -> int:
    while place < len(data) and data[place]:
        place += 1 + data[place]
    return place + 1


def _webp(data: bytes) -> Layout:
    """Read the canvas from the first chunk. Source: RFC 9649, sections 2.5 to 2.7 and 3.4; RFC 6386, 9.1."""
    (size,) = struct.unpack_from("<I", data, 4)
    expected = 8 + size
    kind = data[12:16]
    frames = 1
    if kind == b"VP8X":
        frames = _webp_frames(data[:expected]) if data[20] & 0x02 else 1
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise ImageError("img_corrupt", f"starts with the unknown chunk {kind!r}")
    if expected > len(data):
        raise ends_early(data, expected)
    return Layout(width, height, data, frames=frames, trailing=expected + (size & 1) < len(data))


def _webp_frames(data: bytes) -> int:
    """Count the frames of an animation. Source: RFC 9649, section 2.7.1.2."""
    place, frames = 12, 0
    while place + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, place)
        frames += kind == b"ANMF"
        place += 8 + size + (size & 1)
    return max(frames, 1)
