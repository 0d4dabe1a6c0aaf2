"""Draw things for the home: mug, plate, table lamp, pendant lamp."""

from __future__ import annotations

import math

import numpy as np

from shelfwise.images.drawn.sheet import (
    BRASS,
    CREAM,
    INK,
    WHITE,
    WOOD,
    Color,
    Sheet,
    accent_color,
    box,
    curve,
    mirrored,
    oval,
    tinted,
)

_GLOW: Color = (255, 226, 150)


def mug(sheet: Sheet, rng: np.random.Generator, color: Color) -> None:
    """Paint a mug with its handle on the right."""
    half, top, bottom = rng.uniform(0.17, 0.22), rng.uniform(0.27, 0.36), 0.76
    foot, middle = half * rng.uniform(0.75, 1.0), 0.45
    loop = oval(middle + half - 0.01, (top + bottom) / 2 + 0.01, rng.uniform(0.2, 0.28), (bottom - top) * 0.6, -95, 95)
    sheet.stroke(loop, 0.046, tinted(color, 0.8))
    sheet.stroke([(x - 0.006, y - 0.006) for x, y in loop], 0.026, tinted(color, 1.08))
    wall = [(middle + half, top), *oval(middle, bottom, 2 * foot, 0.09, 0, 180), (middle - half, top)]
    sheet.shape(wall, color, "round")
    accent = accent_color(rng)
    pattern = rng.integers(4)
    if pattern == 0:
        for y in np.linspace(top + 0.14, bottom - 0.1, int(rng.integers(2, 4))):
            band = oval(middle, y, 2 * half, 0.08, 0, 180) + oval(middle, y + 0.04, 2 * half, 0.08, 180, 0)
            sheet.shape(band, accent, "round", inside=True)
    elif pattern == 1:
        for x, y in rng.uniform((middle - half, top + 0.06), (middle + half, bottom), (14, 2)):
            sheet.shape(oval(x, y, 0.045, 0.045), accent, inside=True)
    elif pattern == 2:
        sheet.shape(oval(middle - 0.01, (top + bottom) / 2 + 0.03, 0.17, 0.17), accent, "flat", inside=True)
        sheet.shape(oval(middle - 0.01, (top + bottom) / 2 + 0.03, 0.1, 0.1), tinted(accent, 1.6), "flat", inside=True)
    sheet.shape(oval(middle, top, 2 * half, 0.1), tinted(color, 1.3), "flat")
    sheet.shape(oval(middle, top + 0.005, 2 * half - 0.035, 0.078), tinted(color, 0.62), "flat")
    if rng.random() < 0.5:
        sheet.shape(oval(middle, top + 0.014, 2 * half - 0.06, 0.056), (92, 58, 38), "flat")


def plate(sheet: Sheet, rng: np.random.Generator, color: Color) -> None:
    """Paint a plate, seen from above or from the side."""
    width, tilt = rng.uniform(0.72, 0.84), rng.uniform(0.42, 1.0)
    accent = accent_color(rng)
    glaze = color if rng.random() < 0.6 else CREAM

    def disc(size: float, shade_color: Color, lift: float = 0.0) -> None:
        sheet.shape(oval(0.5, 0.5 + lift, width * size, width * size * tilt), shade_color, "flat")

    disc(1.0, tinted(glaze, 0.8), 0.02 * (1.3 - tilt))
    disc(1.0, glaze)
    if rng.random() < 0.7:
        disc(0.95, accent)
        disc(0.95 - rng.uniform(0.03, 0.1), glaze)
    if rng.random() < 0.4:
        for turn in np.linspace(0, 2 * math.pi, int(rng.integers(10, 18)), endpoint=False):
            x, y = 0.5 + 0.41 * width * math.cos(turn), 0.5 + 0.41 * width * tilt * math.sin(turn)
            sheet.shape(oval(x, y, 0.035, 0.035 * tilt), tinted(accent, 0.85), "flat")
    disc(0.68, tinted(glaze, 0.86))
    disc(0.66, tinted(glaze, 1.12), 0.008)
    sheet.shape(oval(0.4, 0.5 - 0.13 * tilt, 0.22, 0.08 * tilt), WHITE, "plain", inside=True, opacity=0.5, blur=0.02)


def table_lamp(sheet: Sheet, rng: np.random.Generator, color: Color) -> None:
    """Paint a table lamp: foot, stem or body, and a shade that may be lit."""
    top, low, wide = rng.uniform(0.14, 0.2), rng.uniform(0.42, 0.5), rng.uniform(0.2, 0.28)
    narrow = wide * rng.uniform(0.45, 0.9)
    metal = (BRASS, INK, WOOD, (190, 192, 196))[int(rng.integers(4))]
    sheet.shape(oval(0.5, 0.85, 0.3, 0.075), tinted(metal, 0.7), "round")
    sheet.shape(oval(0.5, 0.84, 0.3, 0.07), metal, "round")
    if rng.random() < 0.5:
        belly = rng.uniform(0.08, 0.14)
        body = mirrored([(0.03, low), (0.03, low + 0.06), (belly, 0.66), (belly * 0.9, 0.76), (0.06, 0.84)])
        sheet.shape(curve(body), accent_color(rng), "round")
    else:
        sheet.shape(box(0.485, low - 0.02, 0.515, 0.84), metal, "round")
    lit = rng.random() < 0.6
    fabric = tinted(_GLOW, 1.2) if lit else color
    if lit:
        sheet.shape(oval(0.5, low, 3.0 * wide, 0.36), _GLOW, "plain", opacity=0.3, blur=0.05)
    hood = [(0.5 - narrow, top), (0.5 + narrow, top), *oval(0.5, low, 2 * wide, 0.07, 0, 180)]
    sheet.shape(hood, fabric, "round")
    for edge, y, height in ((narrow, top, 0.03), (wide, low, 0.07)):
        sheet.stroke(oval(0.5, y, 2 * edge, height, 0, 180), 0.012, color if lit else tinted(color, 0.75))
    sheet.shape(oval(0.5, top, 2 * narrow, 0.035), tinted(fabric, 0.8), "flat")


def pendant_lamp(sheet: Sheet, rng: np.random.Generator, color: Color) -> None:
    """Paint a hanging lamp: cord, cap, and a dome, cone or globe over a bulb."""
    top, low, wide = rng.uniform(0.34, 0.44), rng.uniform(0.68, 0.76), rng.uniform(0.2, 0.33)
    sheet.stroke([(0.5, -0.1), (0.5, top)], 0.012, INK)
    sheet.shape(box(0.46, top - 0.06, 0.54, top + 0.02, 0.015), BRASS if rng.random() < 0.5 else INK, "round")
    form = rng.integers(3)
    if form == 2:
        sheet.shape(oval(0.5, (top + low) / 2 + 0.02, low - top + 0.14, low - top + 0.04), tinted(_GLOW, 1.45), "ball")
        sheet.stroke(oval(0.5, top + 0.02, 0.14, 0.03, 0, 180), 0.02, color)
        return
    sheet.shape(oval(0.5, low + 0.03, 2.2 * wide, 0.26), _GLOW, "plain", opacity=0.4, blur=0.05)
    if form == 0:
        hood = oval(0.5, low, 2 * wide, 2 * (low - top), 180, 360) + oval(0.5, low, 2 * wide, 0.1, 0, 180)
    else:
        hood = [(0.45, top), (0.55, top), *oval(0.5, low, 2 * wide, 0.1, 0, 180)]
    sheet.shape(hood, color, "round")
    sheet.shape(oval(0.5, low, 2 * wide - 0.02, 0.09), tinted(_GLOW, 1.3), "flat")
    sheet.shape(oval(0.5, low + 0.015, 0.13, 0.09), (255, 252, 236), "ball")
