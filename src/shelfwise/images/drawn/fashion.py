"""Draw clothes and shoes: T-shirt, shirt, boot, sneaker."""

from __future__ import annotations

import numpy as np

from shelfwise.images.drawn.sheet import (
    BRASS,
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


def _garment(sheet: Sheet, rng: np.random.Generator, color: Color, cuff: tuple[Point, Point]) -> float:
    """Paint torso and sleeves and return the hem's half width; cuff: corners of the right one, from the axis."""
    hem, waist = rng.uniform(0.19, 0.24), rng.uniform(0.17, 0.22)
    (outer_x, outer_y), (inner_x, inner_y) = cuff
    sleeve = [(0.13, 0.166), (0.225, 0.21), (outer_x, outer_y), (inner_x, inner_y), (0.18, 0.42)]
    for side in (1, -1):
        sheet.shape([(0.5 + side * x, y) for x, y in sleeve], tinted(color, 0.9), "cloth")
        ends = [(0.5 + side * x, y) for x, y in cuff]
        sheet.stroke([ends[0], ends[1]], 0.012, tinted(color, 0.72), inside=True)
    torso = [(0.09, 0.15), (0.195, 0.19), (0.2, 0.36), (waist, 0.6), (hem, 0.84)]
    sheet.shape(mirrored(torso), color, "cloth")
    for side in (1, -1):
        fold = [(0.5 + side * 0.19, 0.4), (0.5 + side * 0.13, 0.56), (0.5 + side * 0.15, 0.75)]
        sheet.shape(
            [*fold, (0.5 + side * 0.2, 0.6)], tinted(color, 0.7), "plain", inside=True, opacity=0.35, blur=0.015
        )
    return hem


def t_shirt(sheet: Sheet, rng: np.random.Generator, color: Color) -> None:
    """Paint a T-shirt with short sleeves and perhaps a print."""
    drop = rng.uniform(-0.02, 0.03)
    hem = _garment(sheet, rng, color, ((rng.uniform(0.36, 0.42), 0.4 + drop), (rng.uniform(0.26, 0.3), 0.46 + drop)))
    accent, pattern = accent_color(rng), rng.integers(5)
    if pattern == 0:
        for y in np.arange(0.3, 0.82, rng.uniform(0.07, 0.12)):
            sheet.shape(box(0.5 - 0.235, y, 0.5 + 0.235, y + 0.03), accent, "cloth", inside=True)
    elif pattern == 1:
        sheet.shape(oval(0.5, 0.43, 0.2, 0.2), accent, "flat", inside=True)
        sheet.shape(box(0.4, 0.44, 0.6, 0.47), tinted(color, 1.1), "plain", inside=True)
    elif pattern == 2:
        sheet.shape(box(0.5 - hem, 0.38, 0.5 + hem, 0.52), accent, "cloth", inside=True)
    elif pattern == 3:
        sheet.shape(box(0.55, 0.34, 0.63, 0.43, 0.01), tinted(color, 0.82), "flat", inside=True)
    sheet.shape(oval(0.5, 0.155, 0.2, 0.13), tinted(color, 0.82), "plain", inside=True)
    sheet.shape(oval(0.5, 0.14, 0.165, 0.12), tinted(color, 0.5), "flat", inside=True)


def shirt(sheet: Sheet, rng: np.random.Generator, color: Color) -> None:
    """Paint a shirt with long sleeves, collar, buttons and perhaps checks."""
    reach = rng.uniform(0.31, 0.4)
    _garment(sheet, rng, color, ((reach + 0.03, rng.uniform(0.7, 0.78)), (reach - 0.06, rng.uniform(0.72, 0.8))))
    accent = accent_color(rng)
    if rng.random() < 0.55:
        step, across = rng.uniform(0.05, 0.085), rng.random() < 0.6
        for place in np.arange(0.08, 0.94, step):
            sheet.shape(box(place, 0.1, place + step / 4, 0.9), accent, "plain", inside=True, opacity=0.45)
            if across:
                sheet.shape(box(0.0, place, 1.0, place + step / 4), accent, "plain", inside=True, opacity=0.45)
    sheet.shape(box(0.475, 0.2, 0.525, 0.84), tinted(color, 0.93), "plain", inside=True)
    for x in (0.475, 0.525):
        sheet.stroke([(x, 0.22), (x, 0.84)], 0.004, tinted(color, 0.72), inside=True)
    for y in np.linspace(0.3, 0.78, int(rng.integers(5, 7))):
        sheet.shape(oval(0.5, y, 0.022, 0.022), tinted(color, 0.45) if rng.random() < 0.9 else INK)
    if rng.random() < 0.7:
        sheet.shape(box(0.56, 0.36, 0.655, 0.47, 0.008), tinted(color, 0.85), "flat", inside=True)
    sheet.shape(oval(0.5, 0.15, 0.16, 0.09), tinted(color, 0.5), "flat")
    for side in (1, -1):
        leaf = [(0.085, 0.125), (0.12, 0.18), (0.07, 0.27), (0.0, 0.21)]
        sheet.shape([(0.5 + side * x, y) for x, y in leaf], tinted(color, 1.12), "flat")
        sheet.stroke([(0.5 + side * x, y) for x, y in leaf[1:]], 0.004, tinted(color, 0.6))


def boot(sheet: Sheet, rng: np.random.Generator, color: Color) -> None:
    """Paint a boot from the side, its toe to the right."""
    top, calf, heel = rng.uniform(0.1, 0.34), rng.uniform(0.15, 0.2), rng.uniform(0.03, 0.09)
    ground = 0.86
    sole = INK if rng.random() < 0.6 else WOOD
    back, front = 0.42 - calf, 0.42 + calf * 0.75
    sheet.shape(box(0.23, ground - 0.05 - heel, 0.41, ground, 0.01), sole, "flat")
    sheet.shape(
        curve(
            [(0.24, ground - 0.09), (0.55, ground - 0.06), (0.84, ground - 0.05), (0.82, ground), (0.5, ground - 0.01)]
        ),
        sole,
    )
    upper = [
        (back, top), (front, top + 0.01), (front - 0.02, 0.5), (front + 0.03, 0.6), (0.7, 0.66), (0.82, 0.73),
        (0.83, ground - 0.035), (0.5, ground - 0.035), (0.23, ground - 0.05), (0.22, 0.7), (back + 0.03, 0.52),
    ]  # fmt: skip
    sheet.shape(curve(upper), color, "round")
    sheet.shape(curve([(0.64, 0.62), (0.9, 0.7), (0.88, 0.9), (0.66, 0.88)]), tinted(color, 0.84), "ball", inside=True)
    sheet.shape(curve([(0.1, 0.66), (0.34, 0.68), (0.36, 0.9), (0.1, 0.9)]), tinted(color, 0.84), inside=True)
    if rng.random() < 0.6:
        lace = CREAM if rng.random() < 0.5 else INK
        for y in np.arange(top + 0.07, 0.62, 0.055):
            sheet.stroke([(front - 0.09, y + 0.012), (front + 0.06, y - 0.012)], 0.014, lace, inside=True)
    else:
        sheet.stroke([(0.4, top + 0.04), (0.43, 0.62)], 0.012, BRASS, inside=True)
    if rng.random() < 0.4:
        sheet.shape(box(back - 0.1, top - 0.04, front + 0.1, top + 0.05), accent_color(rng), "cloth", inside=True)
    sheet.shape(oval(0.36, (top + 0.6) / 2, 0.05, 0.3), WHITE, "plain", inside=True, opacity=0.25, blur=0.02)


def sneaker(sheet: Sheet, rng: np.random.Generator, color: Color) -> None:
    """Paint a low shoe from the side, its toe to the right."""
    ground, collar = rng.uniform(0.7, 0.74), rng.uniform(0.36, 0.43)
    rubber = CREAM if rng.random() < 0.8 else accent_color(rng)
    upper = [
        (0.13, collar + 0.02), (0.19, collar), (0.3, collar + 0.06), (0.42, collar - 0.02), (0.56, 0.49), (0.74, 0.56),
        (0.88, 0.61), (0.9, ground - 0.04), (0.5, ground - 0.03), (0.12, ground - 0.03), (0.11, 0.52),
    ]  # fmt: skip
    sheet.shape(oval(0.29, collar + 0.05, 0.24, 0.1), tinted(color, 0.5), "flat")
    sheet.shape(curve(upper), color, "flat")
    accent = accent_color(rng)
    sheet.shape(curve([(0.72, 0.5), (0.95, 0.56), (0.95, 0.8), (0.74, 0.76)]), tinted(color, 0.84), "ball", inside=True)
    sheet.shape(curve([(0.05, 0.4), (0.2, 0.48), (0.24, 0.76), (0.05, 0.76)]), accent, "flat", inside=True)
    if rng.random() < 0.7:
        for shift in np.arange(0, rng.integers(1, 4)) * 0.065:
            stripe = [(0.36 + shift, 0.76), (0.4 + shift, 0.76), (0.49 + shift, 0.42), (0.455 + shift, 0.42)]
            sheet.shape(stripe, accent, "plain", inside=True)
    lace = WHITE if sum(color) < 560 else INK
    for step in np.linspace(0, 1, 5):
        x, y = 0.43 + 0.21 * step, collar + 0.045 + 0.12 * step
        sheet.stroke([(x - 0.035, y + 0.04), (x + 0.045, y - 0.025)], 0.016, lace, inside=True)
    sheet.shape(
        curve(
            [
                (0.1, ground - 0.06),
                (0.5, ground - 0.05),
                (0.91, ground - 0.07),
                (0.93, ground),
                (0.88, ground + 0.035),
                (0.12, ground + 0.035),
            ]
        ),
        rubber,
    )
    sheet.stroke([(0.12, ground), (0.9, ground - 0.01)], 0.008, tinted(rubber, 0.8), inside=True)
