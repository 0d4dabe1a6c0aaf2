"""How two runs' settings differ, in the words of the command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FLAGS = {
    "sides_px": "--side",
    "changes": "--augment",
    "freezes_batch_norm": "--batch-norm",
    "rate": "--learning-rate",
    "bf16": "--precision",
    "start_sha256": "--start, by its content,",
}
"""Flags of the settings that are not called what they set."""


def differing_options(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say for every setting (JSON values) that differs what it was and is, e.g. `--epochs 3 is now 5`."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return [f"{_flag(name)} {_told(name, before.get(name))} is now {_told(name, now.get(name))}" for name in names]


def _flag(name: str) -> str:
    return _FLAGS.get(name, f"--{name.replace('_', '-')}")


def _told(name: str, value: Any) -> str:
    if name == "changes" and isinstance(value, list):
        return "+".join(f"{change['kind']}={change['strength']:g}" for change in value) or "none"
    if name == "freezes_batch_norm":
        return "frozen" if value else "learned"
    if name == "bf16":
        return "bf16" if value else "fp32"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
