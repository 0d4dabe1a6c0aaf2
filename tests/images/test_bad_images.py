"""Every row of the table of bad pictures, in its order: what becomes of it, and in which words."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

import trapped_worker
from drawn_files import chunk, drawn, encoded, encodings, exif, image, jpeg, png, text_bomb
from shelfwise.catalog import Catalog
from shelfwise.cli import main
from shelfwise.engines.decoders import Decoders
from shelfwise.errors import ImageError
from shelfwise.images.decode import IMPORT_LIMITS, REFUSALS, SERVER_LIMITS, Limits, Picture, decode
from shelfwise.images.notes import DECODER_NOTES

DOCS = Path(__file__).parents[2] / "docs" / "reliability.md"
PNG, JPEG = encodings()["png"], encodings()["jpeg"]
NO_MARKS = encoded(image(), "JPEG")
RED = Image.new("RGB", (96, 64), "red")


def zipped() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("run.me", "x" * 100)
    return archive.getvalue()


def rows(pixels: np.ndarray) -> bytes:
    return b"".join(b"\x00" + row.tobytes() for row in pixels)


def half_clear(mode: str) -> Image.Image:
    picture = image().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture.convert(mode)


def animated(kind: str, frames: int, **options: object) -> bytes:
    others = [Image.new("RGB", (96, 64), (number * 9, 0, 0)) for number in range(1, frames)]
    return encoded(image(), kind, save_all=True, append_images=others, **options)


GREY16 = np.linspace(0, 65535, 64 * 32).reshape(32, 64).astype(np.uint16)
PROFILE = b"nonsense" * 1000
BROKEN_EXIF = b"Exif\x00\x00II*\x00\xff\xff\xff\xff"

REFUSED: dict[str, tuple[bytes, str, str]] = {
    "0 bytes": (b"", "img_empty", r"the file is empty"),
    "1 byte": (b"\xff", "img_empty", r"the file is one byte long"),
    "an HTML page": (
        b"<!doctype html><p>404", "img_format", r"looks like HTML page \(starts `<!doctype html><`\), not an image",
    ),
    "JSON": (b'{"error": 404}', "img_format", r"looks like JSON \(starts `{\"error\": 404}`\), not an image"),
    "text": (b"not found\n", "img_format", r"looks like text \(starts `not found`\), not an image"),
    "text that steers a terminal": (
        "a\u009b31mb".encode(), "img_format", r"looks like text \(starts `a\?31mb`\), not an image",
    ),
    "PDF": (b"%PDF-1.7", "img_format", r"looks like PDF document, which is not accepted; accepted: JPEG, PNG, .*AVIF"),
    "SVG": (b"<svg width='1'/>", "img_format", r"looks like SVG drawing .*: convert it to PNG first"),
    "EPS": (b"%!PS-Adobe-3.0", "img_format", r"looks like PostScript file, which is not accepted; accepted: JPEG, .*"),
    "HEIC": (
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "img_format", r"looks like HEIC picture.*: convert it to JPEG.*",
    ),
    "FITS": (b"SIMPLE  =      T", "img_format", r"looks like FITS picture, which is not accepted; accepted: JPEG, PNG, .*"),
    "PSD": (b"8BPS\x00\x01", "img_format", r"looks like Photoshop file, which is not accepted; accepted: .*"),
    "ICO": (encoded(image(16, 16), "ICO"), "img_format", r"looks like Windows icon, which is not accepted; accepted: .*"),
    "a truncated PNG": (
        PNG[:-100], "img_truncated", rf"ends early, {len(PNG) - 100} bytes of {len(PNG)}",
    ),
    "a truncated JPEG": (JPEG[:-100], "img_truncated", rf"ends early, after {len(JPEG) - 100} bytes .*"),
    "a truncated WebP": (
        encodings()["webp"][:-9], "img_truncated",
        rf"ends early, {len(encodings()['webp']) - 9} bytes of {len(encodings()['webp'])}",
    ),
    "a truncated AVIF": (encodings()["avif"][:-100], "img_truncated", r"ends early, after \d+ bytes \(.*\)"),
    "a truncated BMP": (encodings()["bmp"][:-100], "img_truncated", r"ends early, after \d+ bytes \(.*\)"),
    "damaged data that raises": (
        PNG.replace(b"IDATx", b"IDATy"), "img_corrupt", r"the checksum of its IDAT chunk is wrong",
    ),
    "too many bytes": (bytes(10 * 2**20 + 1), "img_too_large", r"10,485,761 bytes, limit 10,485,760"),
    "too many pixels": (png(13_377, 13_377, b""), "img_too_large", r"13377x13377 = 179 MP, limit 25 MP"),
    "a side too long": (png(16_385, 400, b""), "img_shape", r"16385x400: a side of 16385 pixels, limit 16384"),
    "too long for its width": (png(1, 51, b""), "img_shape", r"1x51: more than 50 times as long as wide"),
    "fully transparent": (
        encoded(Image.new("RGBA", (8, 8)), "PNG"), "img_transparent", r"every pixel is fully transparent",
    ),
    "float TIFF": (
        encoded(Image.new("F", (8, 8)), "TIFF"), "img_depth", r"floating-point samples have no defined range: save as .*",
    ),
    "32-bit integer TIFF": (
        encoded(Image.new("I", (8, 8)), "TIFF"), "img_depth", r"32-bit integer samples have no defined range: save as .*",
    ),
}  # fmt: skip

# name: file, notes, frames
ACCEPTED: dict[str, tuple[bytes, set[str], int]] = {
    "PNG without its last 12 bytes": (PNG[:-12], {"img_no_end"}, 1),
    "GIF without its last 2 bytes": (encodings()["gif"][:-2], {"img_no_end"}, 1),
    "1x1": (encoded(Image.new("RGB", (1, 1)), "PNG"), {"img_blank"}, 1),
    "all one color": (encoded(RED, "JPEG"), {"img_blank"}, 1),
    "PNG with alpha": (encoded(half_clear("RGBA"), "PNG"), {"alpha_white"}, 1),
    "WebP with alpha": (encoded(half_clear("RGBA"), "WEBP"), {"alpha_white"}, 1),
    "palette with tRNS": (encodings()["palette png"], {"alpha_white"}, 1),
    "grey with alpha": (encoded(half_clear("LA"), "PNG"), {"alpha_white"}, 1),
    "16-bit grey PNG": (encoded(Image.fromarray(GREY16), "PNG"), {"depth16"}, 1),
    "16-bit grey TIFF": (encoded(Image.fromarray(GREY16), "TIFF"), {"depth16"}, 1),
    "16-bit RGB": (png(2, 2, rows(np.arange(12).reshape(2, 6).astype(">u2") * 5000), depth=16), {"depth16"}, 1),
    "CMYK, inverted as by Adobe": (encodings()["cmyk jpeg"], {"cmyk"}, 1),
    "1-bit": (encoded(image().convert("1"), "PNG"), set(), 1),
    "grey": (encoded(image().convert("L"), "JPEG"), set(), 1),
    **{
        f"EXIF orientation {turn}": (encoded(image(), "JPEG", exif=exif(turn)), {"exif_rot"}, 1)
        for turn in range(2, 9)
    },
    "broken EXIF": (encoded(image(), "JPEG", exif=BROKEN_EXIF), set(), 1),
    "huge EXIF": (encoded(image(), "JPEG", exif=BROKEN_EXIF + bytes(65_000)), set(), 1),
    "ICC profile of nonsense": (encoded(image(), "JPEG", icc_profile=PROFILE), set(), 1),
    "ICC bomb": (
        png(8, 8, rows(drawn(8, 8)), extra=chunk(b"iCCP", b"x\x00\x00" + b"\x78\x9c" + bytes(100))), set(), 1,
    ),
    "text bomb": (text_bomb(), set(), 1),
    "animated GIF": (encodings()["animated gif"], {"first_frame"}, 3),
    "animated WebP": (animated("WEBP", 5), {"first_frame"}, 5),
    "APNG": (animated("PNG", 4), {"first_frame"}, 4),
    "TIFF of several pages": (animated("TIFF", 7), {"first_frame"}, 7),
    "BigTIFF of several pages": (animated("TIFF", 3, big_tiff=True), {"first_frame"}, 3),
    "MPO": (animated("MPO", 3), {"first_frame"}, 3),
    "AVIF sequence": (animated("AVIF", 3, speed=10), {"first_frame"}, 3),
    **{
        f"{name} with an archive behind it": (data + zipped(), {"trailing_bytes"}, 1)
        for name, data in {"jpeg": NO_MARKS, **{n: encodings()[n] for n in ("png", "gif", "webp", "bmp", "avif")}}.items()
    },
}  # fmt: skip


# The rows of the table in docs/reliability.md, and which of the files above and below stand for each.
ROWS = {
    "0 or 1 byte": ["0 bytes", "1 byte"],
    "HTML, JSON, text, PDF, SVG, EPS, HEIC under a picture's name": [
        "an HTML page", "JSON", "text", "text that steers a terminal", "PDF", "SVG", "EPS", "HEIC",
    ],
    "a format that is not accepted (FITS, PSD, ICO ...)": ["FITS", "PSD", "ICO"],
    "truncated": [name for name in REFUSED if "truncated" in name],
    "only the end marker is missing": ["PNG without its last 12 bytes", "GIF without its last 2 bytes"],
    "damaged data that raises": ["damaged data that raises"],
    "damaged data that decodes": [],
    "ending differs from content": [],
    "over the limit of bytes, pixels, side or aspect": [
        "too many bytes", "too many pixels", "a side too long", "too long for its width",
    ],
    "decoder over time, over memory, dead": ["over time", "over memory", "died"],
    "all one color": ["1x1", "all one color"],
    "transparency": ["PNG with alpha", "WebP with alpha", "palette with tRNS", "grey with alpha"],
    "fully transparent": ["fully transparent"],
    "16 bits a sample": ["16-bit grey PNG", "16-bit grey TIFF", "16-bit RGB"],
    "floating point or 32-bit samples": ["float TIFF", "32-bit integer TIFF"],
    "CMYK": ["CMYK, inverted as by Adobe"],
    "EXIF orientation 2 to 8": [f"EXIF orientation {turn}" for turn in range(2, 9)],
    "broken or huge metadata": ["broken EXIF", "huge EXIF", "ICC profile of nonsense", "ICC bomb", "text bomb"],
    "animation, several pages": [name for name, (_, notes, _) in ACCEPTED.items() if notes == {"first_frame"}],
    "bytes after the end": [name for name in ACCEPTED if "archive behind" in name],
}  # fmt: skip


def refusal(data: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(data, limits=SERVER_LIMITS)
    return caught.value


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_in_plain_words(name: str) -> None:
    data, code, words = REFUSED[name]
    error = refusal(data)
    assert error.code == code
    assert re.fullmatch(words, error.detail), error.detail


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_can_be_used_is_used_and_its_oddity_noted(name: str) -> None:
    data, notes, frames = ACCEPTED[name]
    picture = decode(data, limits=SERVER_LIMITS)
    assert (set(picture.notes), picture.frames) == (notes, frames)
    assert len(picture.notes) == len(notes)


WORKER = {
    "over time": ("sleep", "img_timeout", "not decoded within 0.5 s; the worker was replaced"),
    "over memory": ("swell", "img_memory", "the decoder ran out of memory; the worker was replaced"),
    "died": ("segv", "img_decoder_crash", "the decoder died (SIGSEGV) on this picture; the worker was replaced"),
}


def test_a_decoder_over_time_over_memory_or_dead_is_replaced() -> None:
    with Decoders(1, command=trapped_worker.COMMAND) as decoders:
        for trap, code, words in WORKER.values():
            limits = Limits(10**6, 10**6, seconds=0.5) if trap == "sleep" else IMPORT_LIMITS
            with pytest.raises(ImageError) as caught:
                decoders.examine(JPEG + b"TRAP:" + trap.encode(), limits)
            assert (caught.value.code, caught.value.detail) == (code, words)
            assert decoders.examine(JPEG).width == 96


def test_every_code_has_a_row() -> None:
    assert {code for _, code, _ in REFUSED.values()} | {code for _, code, _ in WORKER.values()} == set(REFUSALS)
    assert set().union(*(notes for _, notes, _ in ACCEPTED.values())) == set(DECODER_NOTES)


def test_every_row_of_the_table_is_here_in_its_order_with_its_codes() -> None:
    told = DOCS.read_text().partition("### Pictures")[2].partition("### ")[0]
    cells = [line.strip("| ").split(" | ") for line in told.splitlines() if line.startswith("| ")][1:]
    assert list(ROWS) == [row for row, *_ in cells]
    codes = {name: {code} for name, (_, code, _) in (REFUSED | WORKER).items()} | {
        name: notes for name, (_, notes, _) in ACCEPTED.items()
    }
    for row, outcome, *_ in cells:
        said = set(re.findall(r"`((?!verify|frames)\w+)`", outcome))
        assert said == set().union(*(codes[name] for name in ROWS[row])) or not ROWS[row], row
    beside = {"1-bit", "grey"}  # accepted as any other: no row
    assert set().union(*ROWS.values()) | beside == codes.keys()


def test_an_ending_that_differs_is_noted_and_damage_that_decodes_is_named_by_verify(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two rows that no decoder decides: the same bytes under two names, then one bit flipped where they lie."""
    whole = encodings()["bmp"]
    for name in ("fits.bmp", "differs.jpg"):
        (tmp_path / "shop" / "shelf").mkdir(parents=True, exist_ok=True)
        (tmp_path / "shop" / "shelf" / name).write_bytes(whole)
    catalog = str(tmp_path / "shop.catalog")

    def end_of(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        return int(end.value.code or 0), capsys.readouterr().out

    code, out = end_of("ingest", "folder", str(tmp_path / "shop"), "--to", catalog, "--in-place")
    assert (code, "accepted  img_ext 1: another format than its name says, treated as what it is" in out) == (0, True)
    notes = Catalog(catalog).images(["image_id", "notes"]).to_pylist()
    assert {row["image_id"]: row["notes"] for row in notes} == {
        "shelf/differs.jpg#0": ["img_ext"], "shelf/fits.bmp#0": [],
    }  # fmt: skip
    assert end_of("verify", catalog)[0] == 0
    damaged = bytearray(whole)
    damaged[-1000] ^= 0x40
    (tmp_path / "shop" / "shelf" / "fits.bmp").write_bytes(damaged)
    code, out = end_of("verify", catalog)
    assert (code, "hash_mismatch  shelf/fits.bmp#0" in out, "1 differ" in out) == (1, True, True)


def test_damage_that_decodes_is_seen_by_the_digest_alone() -> None:
    whole, damaged = encodings()["bmp"], bytearray(encodings()["bmp"])
    damaged[-1000] ^= 0x40
    one, other = decode(whole), decode(bytes(damaged))
    assert one.notes == other.notes == () and (one.pixels != other.pixels).any()
    assert hashlib.sha256(whole).digest() != hashlib.sha256(damaged).digest()


def test_nothing_is_repaired() -> None:
    cut = jpeg(drawn(200, 200))
    cut = cut[: len(cut) // 2]
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    assert refusal(cut).code == "img_truncated"


@pytest.mark.parametrize("name", ["animated GIF", "animated WebP", "APNG", "TIFF of several pages", "MPO"])
def test_frames_are_those_that_pillow_counts_and_the_first_is_used(name: str) -> None:
    data, _, frames = ACCEPTED[name]
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.n_frames == frames
    assert np.abs(decode(data).pixels.astype(int) - drawn()).mean() < 12


def test_a_loop_of_pages_is_counted_once() -> None:
    data = bytearray(encoded(image(8, 8), "TIFF"))
    first = int.from_bytes(data[4:8], "little")
    link = first + 2 + 12 * int.from_bytes(data[first : first + 2], "little")
    data[link : link + 4] = first.to_bytes(4, "little")
    assert decode(bytes(data)).frames == 1


def odd_bmps() -> dict[str, bytes]:
    whole = encodings()["bmp"]
    return {
        "a declared length of 0": whole[:2] + bytes(4) + whole[6:],
        "a declared length that is too short": whole[:2] + (54).to_bytes(4, "little") + whole[6:],
        "rows from the top down": whole[:22] + (-64).to_bytes(4, "little", signed=True) + whole[26:],
        "a palette": encoded(image().quantize(16), "BMP"),
        "one bit": encoded(image().convert("1"), "BMP"),
    }


@pytest.mark.parametrize("name", odd_bmps())
def test_a_bmp_that_is_odd_has_no_bytes_too_many_until_there_are_some(name: str) -> None:
    data = odd_bmps()[name]
    assert "trailing_bytes" not in decode(data).notes
    assert "trailing_bytes" in decode(data + zipped()).notes


def test_pixels_of_a_tall_picture_are_put_together_in_order() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2500, 1500, 3), dtype=np.uint8)
    picture: Picture = decode(encoded(Image.fromarray(pixels), "PNG", compress_level=1))
    np.testing.assert_array_equal(picture.pixels, pixels)
