"""Draw a shop's photos into folders and plant faults that are known, so that finding them can be counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shelfwise.engines import available_cores, map_ordered
from shelfwise.images.draw import DRAWN_TREE, KINDS, draw_placeholder, draw_product, encode_jpeg
from shelfwise.progress import Progress

SPLITS = {"train": 36, "val": 6, "test": 12}
_WRONG_SHELVES, _REPEATS, _SIDE_PX = 12, 8, 224
_BROKEN = {
    "cut-short.jpg": b"",
    "empty.jpg": b"",
    "page.jpg": b"<!doctype html><title>404</title>",
    "notes.txt": b"ask Ann",
}


@dataclass(slots=True)
class Planted:
    """Photo ids (paths below the folder) of the faults, by kind."""

    broken: set[str] = field(default_factory=set)
    repeats: set[str] = field(default_factory=set)
    placeholders: set[str] = field(default_factory=set)
    wrong_shelves: dict[str, str] = field(default_factory=dict)


def draw_shop(root: Path, progress: Progress) -> Planted:
    """Draw photos into `root`/SPLIT/TOP/MIDDLE/LEAF and plant faults among the training photos.

    Wrong shelves map a photo to the shelf it belongs on.
    """
    plan = [(split, kind, number) for split, count in SPLITS.items() for kind in KINDS for number in range(count)]
    with progress.task("draw photos", len(plan)) as advance:
        for path, data in map_ordered(_drawn, plan, available_cores()):
            _write(root / path, data)
            advance(1)
    planted = Planted()
    random = np.random.default_rng(0)
    _plant_wrong_shelves(root, planted, random)
    _plant_repeats(root, planted, random)
    _plant_placeholder(root, planted)
    _plant_broken_files(root, planted)
    return planted


def _drawn(item: tuple[str, str, int]) -> tuple[str, bytes]:
    split, kind, number = item
    seed = number + 1000 * list(SPLITS).index(split)
    return f"{split}/{shelf_of(kind)}/{kind}-{number:03}.jpg", encode_jpeg(draw_product(kind, seed, _SIDE_PX))


def shelf_of(kind: str) -> str:
    """Return the folder of a kind of product below a split's."""
    return "/".join(DRAWN_TREE[kind])


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _plant_wrong_shelves(root: Path, planted: Planted, random: np.random.Generator) -> None:
    for turn in range(_WRONG_SHELVES):
        kind = KINDS[turn % len(KINDS)]
        other = KINDS[(turn + int(random.integers(1, len(KINDS)))) % len(KINDS)]
        moved = f"train/{shelf_of(other)}/moved-{turn:02}.jpg"
        (root / f"train/{shelf_of(kind)}/{kind}-{turn:03}.jpg").rename(root / moved)
        planted.wrong_shelves[moved] = shelf_of(kind)


def _plant_repeats(root: Path, planted: Planted, random: np.random.Generator) -> None:
    for turn in range(_REPEATS):
        kind = KINDS[int(random.integers(len(KINDS)))]
        original = f"train/{shelf_of(kind)}/{kind}-{20 + turn:03}.jpg"
        copy = f"train/{shelf_of(kind)}/again-{turn:02}.jpg"
        _write(root / copy, (root / original).read_bytes())
        planted.repeats |= {original, copy}


def _plant_placeholder(root: Path, planted: Planted) -> None:
    data = encode_jpeg(draw_placeholder(_SIDE_PX))
    for kind in KINDS[::2]:
        planted.placeholders.add(f"train/{shelf_of(kind)}/no-picture.jpg")
    _write_all(root, planted.placeholders, data)


def _write_all(root: Path, names: Iterable[str], data: bytes) -> None:
    for name in names:
        _write(root / name, data)


def _plant_broken_files(root: Path, planted: Planted) -> None:
    shelf = f"train/{shelf_of(KINDS[0])}"
    whole = (root / f"{shelf}/{KINDS[0]}-030.jpg").read_bytes()
    for name, data in _BROKEN.items():
        _write(root / shelf / name, whole[: len(whole) // 2] if name == "cut-short.jpg" else data)
        if name.endswith(".jpg"):
            planted.broken.add(f"{shelf}/{name}")
