"""A transparent sheet to draw one product on, with shading that makes flat shapes look lit from the upper left."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Point = tuple[float, float]
Color = tuple[int, int, int]
Shade = Literal["plain", "flat", "round", "ball", "cloth"]
Field = NDArray[np.float32]

WHITE: Color = (255, 255, 255)
CREAM: Color = (247, 240, 226)
INK: Color = (52, 48, 46)
BRASS: Color = (199, 160, 92)
WOOD: Color = (176, 130, 86)
ACCENTS: tuple[Color, ...] = (
    (217, 93, 57), (240, 180, 41), (58, 125, 108), (44, 82, 130), (146, 84, 140), (196, 69, 105), (120, 144, 72),
)  # fmt: skip

# Brightness over a shape's bounding box: u to the right, v down, both from 0 to 1.
_SHADES: dict[str, Callable[[Field, Field], Field]] = {
    "flat": lambda u, v: 1.07 - 0.13 * v - 0.05 * u,
    "round": lambda u, v: 1.16 - 1.25 * (u - 0.3) ** 2 - 0.06 * v,
    "ball": lambda u, v: 1.24 - 0.62 * np.hypot(u - 0.34, v - 0.3) ** 1.4,
    "cloth": lambda u, v: 1.05 - 0.1 * v + 0.045 * np.sin(9 * u + 3 * v) * (0.3 + v),
}


def tinted(color: Color, brightness: float) -> Color:
    """Darken a color (below 1) or lead it towards white (above 1)."""
    towards = 255 if brightness > 1 else 0
    amount = min(abs(brightness - 1), 1)
    red, green, blue = (round(part + (towards - part) * amount) for part in color)
    return red, green, blue


def accent_color(rng: np.random.Generator) -> Color:
    """Choose a strong color for prints, labels and rims."""
    return ACCENTS[int(rng.integers(len(ACCENTS)))]


def curve(points: Sequence[Point], steps: int = 10) -> list[Point]:
    """Lay a closed smooth curve through points. Source: Catmull & Rom 1974, uniform, tension 1/2."""
    knots = np.array(points, dtype=np.float64)
    before, start, end, after = (np.roll(knots, shift, axis=0)[:, None, :] for shift in (1, 0, -1, -2))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    places = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    return [(float(x), float(y)) for x, y in places.reshape(-1, 2)]


def oval(x: float, y: float, width: float, height: float, start: float = 0, stop: float = 360) -> list[Point]:
    """List points of an ellipse around (x, y), or of a part of it in degrees clockwise from the right."""
    turns = np.radians(np.linspace(start, stop, 49))
    return [(x + width / 2 * math.cos(turn), y + height / 2 * math.sin(turn)) for turn in turns]


def box(left: float, top: float, right: float, bottom: float, radius: float = 0.0) -> list[Point]:
    """List the corners of a rectangle, rounded."""
    if not radius:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    centers = ((right, bottom, 0), (left, bottom, 90), (left, top, 180), (right, top, 270))
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    points: list[Point] = []
    for x, y, turn in centers:
        inner = (x + math.copysign(radius, middle_x - x), y + math.copysign(radius, middle_y - y))
        points += oval(*inner, 2 * radius, 2 * radius, turn, turn + 90)[::6]
    return points


def mirrored(half: Sequence[Point], axis: float = 0.5) -> list[Point]:
    """Complete a right half, from top to bottom, given as (distance from the axis, y)."""
    return [(axis + x, y) for x, y in half] + [(axis - x, y) for x, y in reversed(half)]


class Sheet:
    """Shapes in the unit square (x right, y down), painted one over another."""

    def __init__(self, side_px: int) -> None:
        self.side_px = side_px
        self.image = Image.new("RGBA", (side_px, side_px))

    def shape(
        self,
        points: Sequence[Point],
        color: Color,
        shade: Shade = "flat",
        *,
        inside: bool = False,
        opacity: float = 1.0,
        blur: float = 0.0,
    ) -> None:
        """Fill a polygon; `inside` keeps it within what is painted already, `blur` (of the side) softens its edge."""
        pixels = [(x * self.side_px, y * self.side_px) for x, y in points]
        margin = 2 + 3 * blur * self.side_px
        left, top = (max(0, math.floor(min(p[axis] for p in pixels) - margin)) for axis in (0, 1))
        right, bottom = (min(self.side_px, math.ceil(max(p[axis] for p in pixels) + margin)) for axis in (0, 1))
        if right <= left or bottom <= top:
            return
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in pixels], fill=round(255 * opacity))
        if blur:
            mask = mask.filter(ImageFilter.GaussianBlur(blur * self.side_px))
        if inside:
            mask = ImageChops.darker(mask, self.image.crop((left, top, right, bottom)).getchannel("A"))
        patch = _shaded(color, shade, right - left, bottom - top)
        patch.putalpha(mask)
        self.image.alpha_composite(patch, (left, top))

    def stroke(self, points: Sequence[Point], width: float, color: Color, *, inside: bool = False) -> None:
        """Draw a line of a width (of the side) through points, with round ends."""
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            across, along = (y0 - y1) / length * width / 2, (x1 - x0) / length * width / 2
            sides = [(x0 + across, y0 + along), (x1 + across, y1 + along), (x1 - across, y1 - along)]
            self.shape([*sides, (x0 - across, y0 - along)], color, "plain", inside=inside)
        for x, y in points:
            self.shape(oval(x, y, width, width), color, "plain", inside=inside)


def _shaded(color: Color, shade: Shade, width: int, height: int) -> Image.Image:
    """Paint a color under a shade: darker below brightness 1, towards white above it."""
    if shade == "plain":
        return Image.new("RGB", (width, height), color)
    u = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    v = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    brightness = _SHADES[shade](u, v)[..., None]
    base = np.array(color, dtype=np.float32)
    lit = np.where(brightness > 1, base + (255 - base) * (brightness - 1), base * brightness)
    return Image.fromarray(lit.clip(0, 255).astype(np.uint8))
