"""Tell from the first bytes what a file is, whatever its name says."""

from __future__ import annotations

from shelfwise.errors import ImageError

ACCEPTED = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

_PICTURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
}
_OTHERS = {
    b"%PDF-": "PDF document",
    b"%!PS": "PostScript file",
    b"\xc5\xd0\xd3\xc6": "EPS drawing",
    b"PK\x03\x04": "ZIP archive",
    b"\x1f\x8b": "gzip archive",
    b"8BPS": "Photoshop file",
    b"\x00\x00\x01\x00": "Windows icon",
    b"SIMPLE  =": "FITS picture",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "JPEG 2000 picture",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL picture",
    b"\xff\x0a": "JPEG XL picture",
}
_MARKUP = {
    b"<!doctype html": "HTML page",
    b"<html": "HTML page",
    b"<head": "HTML page",
    b"<body": "HTML page",
    b"<script": "HTML page",
    b"<svg": "SVG drawing",
}
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}


def sniff(data: bytes) -> str:
    """Return one of ACCEPTED.

    Raises ImageError: `img_empty`, `img_truncated` (a stump of a signature) or `img_format`, which says what the file
    looks like instead.
    """
    if len(data) <= 1:
        raise ImageError("img_empty", "the file is empty" if not data else "the file is one byte long")
    for signature, name in _PICTURES.items():
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    brands = _brands(data)
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if any(signature.startswith(data) for signature in (*_PICTURES, b"RIFF")):
        raise ImageError("img_truncated", f"ends early, after {len(data)} bytes")
    if brands & _HEIC_BRANDS:
        raise ImageError("img_format", "looks like HEIC picture, which is not accepted: convert it to JPEG first")
    raise ImageError("img_format", _description(data))


def _brands(data: bytes) -> set[bytes]:
    """Brands of an ISO media file: the major one and the compatible ones."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), 256)
    return {data[8:12], *(data[place : place + 4] for place in range(16, end, 4))}


def _description(data: bytes) -> str:
    accepted = f"accepted: {', '.join(ACCEPTED)}"
    for signature, name in _OTHERS.items():
        if data.startswith(signature):
            return f"looks like {name}, which is not accepted; {accepted}"
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    for tag, name in _MARKUP.items():
        if start.lower().startswith(tag) or (start.startswith((b"<?xml", b"<!")) and tag in start.lower()):
            advice = ": convert it to PNG first" if name == "SVG drawing" else ", not an image"
            return f"looks like {name} (starts {_quoted(start)}){advice}"
    if start[:1] in (b"{", b"["):
        return f"looks like JSON (starts {_quoted(start)}), not an image"
    if start and all(byte >= 0x20 or byte in b"\t\n\r\f" for byte in start):
        return f"looks like text (starts {_quoted(start)}), not an image"
    return f"starts with the bytes {data[:8].hex(' ')}, which no accepted format does; {accepted}"


def _quoted(start: bytes) -> str:
    line = start[:16].decode("utf-8", "replace").splitlines()[0]
    return f"`{''.join(letter if letter.isprintable() else '?' for letter in line)}`"
