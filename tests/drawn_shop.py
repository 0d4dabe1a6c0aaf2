"""Drawn photos in folders, for tests: small, seeded, and cheap where the content does not matter."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from shelfwise.images.draw import DRAWN_TREE, KINDS, draw_product, encode_jpeg

GROCERY = Path(os.environ.get("SHELFWISE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "grocery"
# Photos of each kind by split: how many, and the first seed.
SPLITS = {"train": (8, 0), "val": (3, 100), "test": (4, 200)}


@cache
def photo(kind: str, seed: int = 0, side_px: int = 128) -> bytes:
    """Draw a product as a JPEG file."""
    return encode_jpeg(draw_product(kind, seed, side_px))


@cache
def tiny(number: int) -> bytes:
    """Make an 8 x 8 JPEG that differs from those of other numbers: for tests in which no network looks at it."""
    return encode_jpeg(np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8), 90)


def shelf(kind: str) -> str:
    return "/".join(DRAWN_TREE[kind])


def draw_shop(root: Path) -> Path:
    """Draw 12 kinds on 3 levels below train / val / test."""
    wanted = [
        (split, kind, first + i) for split, (count, first) in SPLITS.items() for kind in KINDS for i in range(count)
    ]

    def draw(split: str, kind: str, seed: int) -> None:
        write(root / split / shelf(kind) / f"{kind}-{seed:03}.jpg", photo(kind, seed))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: draw(*one), wanted))
    return root


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def lay_out(root: Path, *names: str) -> Path:
    """Write a tiny picture at each name, all different."""
    for number, name in enumerate(names):
        write(root / name, tiny(number))
    return root


def run_python(code: str, *arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | (env or {}))


def shelfwise(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [str(Path(sys.executable).with_name("shelfwise")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
