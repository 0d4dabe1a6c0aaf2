"""Draw product photos that need no download: for the demo, the tests, and for calibration."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from shelfwise.errors import OptionError
from shelfwise.images.drawn import fashion, food, home
from shelfwise.images.drawn.sheet import Color, Sheet, tinted

Pixels = NDArray[np.uint8]
Painter = Callable[[Sheet, np.random.Generator, Color], None]

_PAINTERS: dict[str, Painter] = {
    "mug": home.mug,
    "plate": home.plate,
    "table-lamp": home.table_lamp,
    "pendant-lamp": home.pendant_lamp,
    "t-shirt": fashion.t_shirt,
    "shirt": fashion.shirt,
    "boot": fashion.boot,
    "sneaker": fashion.sneaker,
    "apple": food.apple,
    "banana": food.banana,
    "bottle": food.bottle,
    "carton": food.carton,
}
KINDS: tuple[str, ...] = tuple(_PAINTERS)
# For each kind, the names from the top shelf down to its own.
DRAWN_TREE: dict[str, tuple[str, str, str]] = {
    "mug": ("Home", "Kitchen", "Mug"),
    "plate": ("Home", "Kitchen", "Plate"),
    "table-lamp": ("Home", "Lighting", "Table lamp"),
    "pendant-lamp": ("Home", "Lighting", "Pendant lamp"),
    "t-shirt": ("Fashion", "Tops", "T-shirt"),
    "shirt": ("Fashion", "Tops", "Shirt"),
    "boot": ("Fashion", "Shoes", "Boot"),
    "sneaker": ("Fashion", "Shoes", "Sneaker"),
    "apple": ("Food", "Fruit", "Apple"),
    "banana": ("Food", "Fruit", "Banana"),
    "bottle": ("Food", "Drinks", "Bottle"),
    "carton": ("Food", "Drinks", "Carton"),
}

_COLORS: tuple[Color, ...] = (
    (201, 74, 62), (226, 142, 62), (232, 196, 92), (118, 156, 98), (52, 116, 110), (72, 128, 178), (44, 66, 112),
    (122, 92, 152), (204, 122, 150), (122, 84, 62), (226, 218, 204), (156, 160, 166), (66, 68, 74), (170, 196, 200),
)  # fmt: skip
_BACKDROPS: tuple[Color, ...] = (
    (250, 250, 248), (252, 252, 252), (244, 243, 240), (238, 232, 222), (222, 230, 236), (226, 234, 224),
    (240, 224, 220), (214, 210, 206), (196, 206, 214), (206, 184, 158),
)  # fmt: skip
_SUPERSAMPLING = 3
# Spread of the angle, in degrees: what lies flat is turned more than what stands or hangs.
_TURN_DEGREES = {"plate": 8.0, "t-shirt": 7.0, "shirt": 7.0, "apple": 8.0, "banana": 12.0, "sneaker": 5.0, "boot": 4.0}


def draw_product(kind: str, seed: int, side_px: int = 224) -> Pixels:
    """Draw a product of one of KINDS, uint8 (side, side, 3); the same for the same arguments.

    The seed decides colors, proportions, pattern, pose, backdrop, light and grain. Raises OptionError for another kind.
    """
    if kind not in _PAINTERS:
        raise OptionError(f"no drawing of {kind!r}: choose from {', '.join(KINDS)}")
    rng = np.random.default_rng([zlib.crc32(kind.encode()), seed])
    sheet = Sheet(side_px * _SUPERSAMPLING)
    _PAINTERS[kind](sheet, rng, _COLORS[int(rng.integers(len(_COLORS)))])
    posed = _posed(sheet.image, rng, _TURN_DEGREES.get(kind, 2.0), hanging=kind == "pendant-lamp")
    return _photographed(posed.resize((side_px, side_px), Image.Resampling.BOX), rng)


def _posed(product: Image.Image, rng: np.random.Generator, turn_degrees: float, *, hanging: bool) -> Image.Image:
    """Turn, scale, shift and perhaps mirror the product within its sheet."""
    side = product.width
    turn = np.radians(rng.normal(0, turn_degrees))
    scale, mirror = rng.uniform(0.78, 1.08), rng.choice((-1, 1))
    shift_x, shift_y = rng.uniform(-0.06, 0.06, 2) * side
    if hanging:
        shift_y = min(shift_y, 0) - (1 - scale) * 0.3 * side
    cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
    middle = side / 2
    across = (mirror * cos, mirror * sin, middle - mirror * (cos * (middle + shift_x) + sin * (middle + shift_y)))
    along = (-sin, cos, middle + sin * (middle + shift_x) - cos * (middle + shift_y))
    matrix = tuple(float(number) for number in (*across, *along))
    return product.transform(product.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _photographed(product: Image.Image, rng: np.random.Generator) -> Pixels:
    """Put the product before a backdrop with its shadow, light it from one side, and add grain."""
    side = product.width
    scene = _backdrop(side, rng)
    outline = product.getchannel("A")
    opaque = outline.point([0] * 200 + [255] * 56)
    for blur, strength, drop in ((0.05, 0.3, 0.03), (0.012, 0.22, 0.008)):
        shadow = Image.new("L", opaque.size)
        shadow.paste(opaque, (round(drop * 0.6 * side), round(drop * side)))
        shadow = shadow.filter(ImageFilter.GaussianBlur(blur * side)).point([round(strength * v) for v in range(256)])
        scene.paste(Image.new("RGB", scene.size, (46, 40, 44)), mask=shadow)
    scene.paste(product, mask=outline)
    v, u = np.mgrid[-0.5 : 0.5 : side * 1j, -0.5 : 0.5 : side * 1j]
    towards = rng.uniform(0, 2 * np.pi)
    light = rng.uniform(0.9, 1.04) + rng.uniform(0.0, 0.16) * (u * np.cos(towards) + v * np.sin(towards))
    warmth = 1 + rng.normal(0, 0.02) * np.array([1.0, 0.0, -1.0])
    grain = rng.normal(0, rng.uniform(0.5, 3.0), (side, side, 1))
    pixels = np.asarray(scene) * light[..., None] * warmth + grain
    return np.asarray(pixels.round().clip(0, 255), dtype=np.uint8)


def _backdrop(side: int, rng: np.random.Generator) -> Image.Image:
    """Make a studio sweep, or a wall above a table."""
    wall = np.array(_BACKDROPS[int(rng.integers(len(_BACKDROPS)))], dtype=np.float64)
    height = np.linspace(0, 1, side)[:, None, None]
    scene = wall * (1.02 - rng.uniform(0.0, 0.08) * height)
    if rng.random() < 0.35:
        horizon, softness = rng.uniform(0.6, 0.78), rng.uniform(0.004, 0.03)
        table = np.array(tinted(_BACKDROPS[int(rng.integers(len(_BACKDROPS)))], rng.uniform(0.78, 0.95)))
        below = 1 / (1 + np.exp(-((height - horizon) / softness).clip(-50, 50)))
        scene = scene * (1 - below) + table * below
    return Image.fromarray(np.broadcast_to(scene.clip(0, 255), (side, side, 3)).astype(np.uint8))


def draw_placeholder(side_px: int = 224) -> Pixels:
    """Draw the grey card that a shop shows where a photo is missing, uint8 (side, side, 3)."""
    side = side_px * _SUPERSAMPLING
    card, line = (236, 237, 239), (164, 168, 174)
    image = Image.new("RGB", (side, side), card)
    pen, width = ImageDraw.Draw(image), max(1, side // 60)

    def scaled(*places: float) -> list[float]:
        return [place * side for place in places]

    pen.rounded_rectangle(scaled(0.28, 0.28, 0.72, 0.6), 0.04 * side, outline=line, width=width)
    pen.polygon(scaled(0.41, 0.285, 0.45, 0.22, 0.55, 0.22, 0.59, 0.285), fill=line)
    pen.ellipse(scaled(0.4, 0.34, 0.6, 0.54), outline=line, width=width)
    pen.ellipse(scaled(0.645, 0.32, 0.68, 0.355), fill=line)
    pen.line(scaled(0.26, 0.64, 0.74, 0.2), fill=card, width=3 * width)
    pen.line(scaled(0.26, 0.64, 0.74, 0.2), fill=line, width=width)
    font = ImageFont.load_default(side * 0.062)
    pen.text((side / 2, side * 0.75), "image not available", fill=line, font=font, anchor="mm")
    return np.array(image.resize((side_px, side_px), Image.Resampling.BOX))


def encode_jpeg(pixels: Pixels, quality: int = 88) -> bytes:
    """Encode pixels, uint8 (h, w, 3), as a JPEG file with 4:2:0 color."""
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, colorsubsampling="420"))


def encode_png(pixels: Pixels) -> bytes:
    """Encode pixels, uint8 (h, w, 3), as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
