"""What is changed in a photo at random before a network sees it; torchvision does the work."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms import v2

from shelfwise.errors import OptionError

_STRENGTHS = {"crop": 0.5, "flip": 0.5}
"""Changes and the strength of each where none is named."""


@dataclass(frozen=True)
class Change:
    """One kind of change and its strength; see NetworkOptions.augment."""

    kind: str
    strength: float


def parse_changes(text: str) -> tuple[Change, ...]:
    """Parse `KIND[=STRENGTH]` joined by `+`, or `none`; raises OptionError for what is no change."""
    if text == "none":
        return ()
    changes = []
    for part in text.split("+"):
        kind, _, strength = part.partition("=")
        if kind not in _STRENGTHS:
            raise OptionError(f"--augment {part}: one of {', '.join(_STRENGTHS)}, joined by +, or none")
        changes.append(Change(kind, float(strength) if strength else _STRENGTHS[kind]))
    return tuple(changes)


class Augmentation:
    """Turns decoded photos, uint8 (h, w, 3), into squares, uint8 (3, side, side), each changed as its own number says."""

    def __init__(self, changes: tuple[Change, ...], fit: str, side_px: int) -> None:
        strength = {change.kind: change.strength for change in changes}
        self.side_px, self.fit = side_px, fit
        self.least_share = strength.get("crop", 1.0)
        bicubic = v2.InterpolationMode.BICUBIC
        steps: list[torch.nn.Module] = [
            v2.RandomResizedCrop(side_px, scale=(self.least_share, 1.0), interpolation=bicubic, antialias=True)
            if "crop" in strength
            else v2.Resize((side_px, side_px), interpolation=bicubic, antialias=True)
        ]
        if "flip" in strength:
            steps.append(v2.RandomHorizontalFlip(strength["flip"]))
        self._steps = steps

    @property
    def needed_px(self) -> int:
        """The side from which on a decoded photo loses nothing by being decoded small."""
        return int(self.side_px / sqrt(self.least_share)) + 1

    def __call__(self, pixels: NDArray[np.uint8], number: int) -> Tensor:
        """Change a photo; the same number changes it the same way."""
        photo = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(number)
            for step in self._steps:
                photo = step(photo)
        return photo


def number_of(*what: object) -> int:
    """Return a number that depends on nothing but what is given: the seed of one photo's changes, or of one step."""
    return int.from_bytes(hashlib.blake2b(repr(what).encode(), digest_size=7).digest())
