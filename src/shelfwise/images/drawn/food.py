"""Draw food and drink: apple, banana, bottle, carton."""

from __future__ import annotations

import math

import numpy as np

from shelfwise.images.drawn.sheet import (
    CREAM,
    INK,
    WHITE,
    WOOD,
    Color,
    Point,
    Sheet,
    accent_color,
    box,
    curve,
    mirrored,
    oval,
    tinted,
)

_APPLES: tuple[Color, ...] = ((196, 42, 44), (168, 28, 48), (134, 172, 58), (224, 178, 60), (216, 84, 64))
_LEAF: Color = (92, 138, 62)
_STEM: Color = (104, 74, 46)


def apple(sheet: Sheet, rng: np.random.Generator, _color: Color) -> None:
    """Paint an apple with blush, speckles, stem and perhaps a leaf."""
    skin = _APPLES[int(rng.integers(len(_APPLES)))]
    wide, tall = rng.uniform(0.27, 0.33), rng.uniform(0.24, 0.29)
    low, high = 0.56 + tall, 0.56 - tall
    half = [
        (0.05, high + 0.04),
        (wide * 0.55, high),
        (wide, 0.5),
        (wide * 0.86, 0.68),
        (wide * 0.5, low),
        (0.04, low - 0.012),
    ]
    sheet.shape(curve(mirrored(half)), skin, "ball")
    blush = _APPLES[int(rng.integers(len(_APPLES)))]
    sheet.shape(oval(0.5 + rng.uniform(-0.15, 0.2), 0.6, 0.36, 0.4), blush, "ball", inside=True, opacity=0.5, blur=0.06)
    for x, y in rng.uniform((0.2, high), (0.8, low), (60, 2)):
        sheet.shape(oval(x, y, 0.008, 0.008), tinted(skin, 1.5), "plain", inside=True, opacity=0.6)
    sheet.shape(oval(0.5, high + 0.045, 0.2, 0.06), tinted(skin, 0.5), "plain", inside=True, opacity=0.8, blur=0.015)
    lean = rng.uniform(-0.05, 0.06)
    sheet.stroke([(0.5, high + 0.05), (0.5 + lean / 2, high - 0.02), (0.5 + lean, high - 0.09)], 0.02, _STEM)
    if rng.random() < 0.6:
        side = 1 if lean < 0.01 else -1
        leaf: list[Point] = [(0.01, -0.03), (0.08, -0.11), (0.19, -0.11), (0.12, -0.03)]
        sheet.shape(curve([(0.5 + side * x, high + y) for x, y in leaf]), _LEAF, "flat")
        sheet.stroke([(0.5 + side * 0.02, high - 0.035), (0.5 + side * 0.16, high - 0.095)], 0.005, tinted(_LEAF, 0.7))
    sheet.shape(oval(0.5 - wide * 0.45, 0.45, 0.1, 0.13), WHITE, "plain", inside=True, opacity=0.6, blur=0.02)


def banana(sheet: Sheet, rng: np.random.Generator, _color: Color) -> None:
    """Paint one to three bananas that share a stem."""
    ripe = ((246, 208, 66), (238, 192, 50), (214, 204, 84))[int(rng.integers(3))]
    count, fat = int(rng.integers(1, 4)), rng.uniform(0.085, 0.115)
    for finger in range(count):
        bend = 0.36 + 0.1 * finger
        turns = np.radians(np.linspace(205, 25, 17))
        spine = [
            (0.47 + 0.36 * math.cos(turn), 0.34 + bend * math.sin(turn) * (1 if turn < math.pi else 0.5))
            for turn in turns
        ]
        taper = [
            fat * (0.3 + 0.7 * math.sin(math.pi * min(max(step, 0.06), 0.94)) ** 0.6) for step in np.linspace(0, 1, 17)
        ]
        skin = tinted(ripe, 1.0 - 0.07 * (count - 1 - finger))
        outer = [(x * 1.0, y + width) for (x, y), width in zip(spine, taper, strict=True)]
        inner = [(x, y - width) for (x, y), width in zip(spine, taper, strict=True)]
        sheet.shape(outer + inner[::-1], skin, "flat")
        lower = [(x, y + 0.25 * width) for (x, y), width in zip(spine, taper, strict=True)]
        sheet.shape(outer + lower[::-1], tinted(skin, 0.84), "flat")
        for x, y in rng.uniform((0.2, 0.4), (0.8, 0.8), (int(rng.integers(0, 10)), 2)):
            sheet.shape(oval(x, y, 0.02, 0.012), WOOD, "plain", inside=True, opacity=0.6)
        sheet.stroke([spine[-1], (spine[-1][0] + 0.008, spine[-1][1] - 0.02)], 0.036, INK)
        sheet.stroke([spine[1], spine[0], (0.13, 0.17), (0.12, 0.13)], 0.042, tinted(ripe, 0.8))
    sheet.stroke([(0.12, 0.14), (0.118, 0.12)], 0.05, _STEM)


def bottle(sheet: Sheet, rng: np.random.Generator, color: Color) -> None:
    """Paint a bottle of glass or plastic with a label."""
    wide, neck = rng.uniform(0.11, 0.16), rng.uniform(0.035, 0.055)
    shoulder, top = rng.uniform(0.32, 0.46), rng.uniform(0.12, 0.17)
    half = [
        (neck, top), (neck, shoulder - 0.12), (neck + 0.01, shoulder - 0.06), (wide * 0.85, shoulder),
        (wide, shoulder + 0.06), (wide, 0.86), (wide - 0.02, 0.89),
    ]  # fmt: skip
    sheet.shape(mirrored(half), color, "round")
    level = rng.uniform(top + 0.06, shoulder + 0.04)
    sheet.shape(box(0.3, top - 0.02, 0.7, level), tinted(color, 1.5), "round", inside=True, opacity=0.55)
    accent = accent_color(rng)
    upper = rng.uniform(shoulder + 0.08, shoulder + 0.14)
    lower = min(0.84, upper + rng.uniform(0.16, 0.3))
    sheet.shape(
        box(0.5 - wide, upper, 0.5 + wide, lower), CREAM if rng.random() < 0.6 else accent, "round", inside=True
    )
    sheet.shape(box(0.5 - wide, upper + 0.02, 0.5 + wide, upper + 0.05), tinted(accent, 0.85), "round", inside=True)
    if rng.random() < 0.5:
        sheet.shape(oval(0.5, (upper + lower) / 2 + 0.03, 0.1, 0.1), accent, "flat", inside=True)
    else:
        for y in np.arange(upper + 0.08, lower - 0.02, 0.035):
            sheet.stroke([(0.5 - 0.06, y), (0.5 + rng.uniform(0.0, 0.06), y)], 0.01, INK, inside=True)
    sheet.shape(box(0.5 - neck - 0.012, top - 0.05, 0.5 + neck + 0.012, top + 0.015, 0.01), accent_color(rng), "round")
    sheet.shape(
        box(0.5 - wide * 0.68, shoulder, 0.5 - wide * 0.48, 0.84, 0.01),
        WHITE,
        "plain",
        inside=True,
        opacity=0.4,
        blur=0.008,
    )


def carton(sheet: Sheet, rng: np.random.Generator, color: Color) -> None:
    """Paint a gable-top carton in three-quarter view."""
    left, edge, right = 0.27, rng.uniform(0.52, 0.6), rng.uniform(0.7, 0.76)
    eave, low, rise = rng.uniform(0.3, 0.42), 0.84, rng.uniform(0.04, 0.07)
    ridge = eave - rng.uniform(0.11, 0.15)
    sheet.shape([(edge, eave), (right, eave - rise), (right, low - rise), (edge, low)], tinted(color, 0.7), "flat")
    sheet.shape([(left, eave), (edge, eave), (edge, low), (left, low)], color, "flat")
    gable = (edge + right) / 2 - 0.02, ridge
    sheet.shape([(left, eave), (edge, eave), gable, (left + 0.07, ridge)], tinted(color, 1.14), "flat")
    sheet.shape([(edge, eave), (right, eave - rise), gable], tinted(color, 0.6), "flat")
    sheet.shape(
        [(left + 0.07, ridge - 0.055), (gable[0], ridge - 0.055), gable, (left + 0.07, ridge)],
        tinted(color, 0.9),
        "flat",
    )
    accent, middle = accent_color(rng), (left + edge) / 2
    panel = [(left, eave + 0.1), (edge, eave + 0.1), (edge, eave + 0.32), (left, eave + 0.32)]
    if rng.random() < 0.6:
        sheet.shape(panel, CREAM, "flat")
        sheet.shape(
            [(edge, eave + 0.1), (right, eave + 0.1 - rise), (right, eave + 0.32 - rise), (edge, eave + 0.32)],
            tinted(CREAM, 0.75),
        )
    sheet.shape(oval(middle, eave + 0.21, 0.15, 0.15), accent, "ball")
    sheet.shape(oval(middle + 0.03, eave + 0.17, 0.06, 0.035), _LEAF, "flat")
    for y in np.arange(eave + 0.36, low - 0.03, 0.04):
        sheet.stroke([(left + 0.04, y), (edge - rng.uniform(0.04, 0.12), y)], 0.012, tinted(color, 0.55))
    if rng.random() < 0.7:
        sheet.shape(oval(middle + 0.04, (eave + ridge) / 2, 0.075, 0.05), tinted(accent, 0.8), "flat")
        sheet.shape(oval(middle + 0.04, (eave + ridge) / 2 - 0.015, 0.075, 0.05), accent, "flat")
