"""What the reliability tests counted, a JSON line a test, in the file that SHELFWISE_SCOREBOARD names."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Literal

_TIERS = ("pr", "release")
_PACKAGES = ("shelfwise", "numpy", "pillow", "simplejpeg", "pyarrow", "pylance", "onnxruntime")


def tier() -> Literal["pr", "release"]:
    """How much to run: SHELFWISE_TIER, `pr` when unset."""
    asked = os.environ.get("SHELFWISE_TIER", "pr")
    if asked not in _TIERS:
        raise ValueError(f"SHELFWISE_TIER is {asked!r}: choose from {', '.join(_TIERS)}")
    return "release" if asked == "release" else "pr"


def record(test: str, n: int, failures: int, seconds: float, seed: int, control: str) -> None:
    """Append one line; nothing when no file is named. control: the broken variant that the test was seen to catch."""
    file = os.environ.get("SHELFWISE_SCOREBOARD")
    if not file:
        return
    versions = {"python": platform.python_version()} | {package: version(package) for package in _PACKAGES}
    line = {
        "test": test, "n": n, "failures": failures, "seconds": round(seconds, 2), "seed": seed, "control": control,
        "tier": tier(), "versions": versions,
    }  # fmt: skip
    with Path(file).open("a") as scoreboard:
        scoreboard.write(json.dumps(line) + "\n")
