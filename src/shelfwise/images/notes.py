"""What may be noted of a picture that was accepted, in plain words."""

from __future__ import annotations

# Noted by the decoder.
DECODER_NOTES = {
    "depth16": "more than 8 bits a sample, scaled down to 8",
    "cmyk": "CMYK, converted to RGB",
    "alpha_white": "transparency, put on white",
    "exif_rot": "turned upright as its EXIF data says",
    "first_frame": "several frames or pages, the first one used",
    "img_no_end": "only the end marker is missing, the pixels are complete",
    "img_blank": "one color all over, carries no information",
    "trailing_bytes": "bytes after its end, ignored",
}
# Noted when it is brought into a catalog.
NOTES = DECODER_NOTES | {
    "img_ext": "another format than its name says, treated as what it is",
    "label_conflict": "the same picture stands under several categories",
}
