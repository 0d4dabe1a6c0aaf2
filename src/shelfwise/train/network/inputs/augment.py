"""What is changed in a photo at random before a network sees it; torchvision does the work."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import atan, ceil, degrees, sqrt
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from shelfwise.errors import OptionError
from shelfwise.images.preprocess import Fit, Preprocessing, fit_square
from shelfwise.images.resize import Box
from shelfwise.train.network.inputs.boxes import PROPORTIONS, frame_of, part_of, random_part, zoomed

Chance = np.random.Generator
_WHITE = [255, 255, 255]
_BILINEAR = v2.InterpolationMode.BILINEAR


@dataclass(frozen=True)
class Strength:
    """The strength of a kind of change where none is named, and which ones it may have."""

    usual: float
    least: float
    most: float


_STRENGTHS = {
    "crop": Strength(0.5, 0.01, 1.0),
    "zoom": Strength(0.2, 0.01, 1.0),
    "shear": Strength(0.2, 0.01, 1.0),
    "rotate": Strength(10.0, 0.1, 180.0),
    "flip": Strength(0.5, 0.01, 1.0),
    "upside-down": Strength(0.5, 0.01, 1.0),
    "grey": Strength(0.5, 0.01, 1.0),
    "randaugment": Strength(9.0, 1.0, 30.0),
}
"""Source: reports R3 (zoom, shear) and R5 (grey); RandAugment's magnitude is that of Cubuk et al. 2020 for ImageNet."""


@dataclass(frozen=True)
class Change:
    """One kind of change and its strength; see NetworkOptions.augment."""

    kind: str
    strength: float


def parse_changes(text: str) -> tuple[Change, ...]:
    """Parse `KIND[=STRENGTH]` joined by `+`, or `none`; raises OptionError for what is no change."""
    if text == "none":
        return ()
    changes = tuple(_parse_change(part) for part in text.split("+"))
    for place, change in enumerate(changes):
        if change.kind in (before.kind for before in changes[:place]):
            raise OptionError(f"--augment {text}: {change.kind} is named twice")
    return changes


def _parse_change(part: str) -> Change:
    kind, equals, told = part.partition("=")
    if kind not in _STRENGTHS:
        raise OptionError(f"--augment {part}: one of {', '.join(_STRENGTHS)}, joined by +, or none")
    known = _STRENGTHS[kind]
    try:
        strength = float(told) if equals else known.usual
    except ValueError:
        strength = float("nan")
    whole = kind != "randaugment" or strength % 1 == 0
    if not (known.least <= strength <= known.most and whole):
        number = "a number" if kind != "randaugment" else "a whole number"
        raise OptionError(
            f"--augment {part}: {number} from {known.least:g} to {known.most:g}, e.g. {kind}={known.usual:g}"
        )
    return Change(kind, strength)


class Augmentation:
    """Turns decoded photos, uint8 (h, w, 3), into squares, uint8 (3, side, side), each changed as its own number says.

    Without changes a square is the one that is served. Where nothing of the photo is, it is white. Safe to call from many
    threads: nothing is drawn from torch's own numbers.
    """

    def __init__(self, changes: tuple[Change, ...], fit: Fit, side_px: int) -> None:
        self._strength = {change.kind: change.strength for change in changes}
        self._served = Preprocessing(side_px, fit)
        magnitude = int(self._strength.get("randaugment", 0))
        self._rand_augment = (
            _RandAugment(magnitude=magnitude, interpolation=_BILINEAR, fill=_WHITE) if magnitude else None
        )

    @property
    def needed_px(self) -> int:
        """The side from which on a decoded photo loses nothing by being decoded small."""
        zoom = 1 + self._strength.get("zoom", 0.0)
        share = self._strength["crop"] * PROPORTIONS[0] if "crop" in self._strength else 1.0
        return ceil(self._served.side_px * zoom / sqrt(share))

    def __call__(self, pixels: NDArray[np.uint8], number: int) -> Tensor:
        """Change a photo; the same number changes it the same way."""
        chance = np.random.default_rng(number)
        picture = Image.fromarray(self._square(pixels, chance))
        if self._happens("flip", chance):
            picture = functional.horizontal_flip(picture)
        if self._happens("upside-down", chance):
            picture = functional.vertical_flip(picture)
        picture = self._slanted(picture, chance)
        if self._rand_augment is not None:
            picture = self._rand_augment.changed(picture, chance)
        if self._happens("grey", chance):
            picture = functional.rgb_to_grayscale(picture, num_output_channels=3)
        return cast(Tensor, functional.pil_to_tensor(picture))

    def _square(self, pixels: NDArray[np.uint8], chance: Chance) -> NDArray[np.uint8]:
        """Return the part of the photo that is seen, as a square; one step from the photo, so that nothing blurs twice."""
        if not {"crop", "zoom"} & self._strength.keys():
            return fit_square(pixels, self._served)
        height, width = pixels.shape[:2]
        if "crop" in self._strength:
            box = random_part(height, width, self._served.fit, self._strength["crop"], chance)
        else:
            box = frame_of(height, width, self._served.fit)
        return part_of(pixels, self._zoomed(box, chance), self._served.side_px)

    def _zoomed(self, box: Box, chance: Chance) -> Box:
        return zoomed(box, chance.uniform(1, 1 + self._strength["zoom"])) if "zoom" in self._strength else box

    def _slanted(self, picture: Image.Image, chance: Chance) -> Image.Image:
        """Rotate and shear, by one affine map."""
        if not {"rotate", "shear"} & self._strength.keys():
            return picture
        most_degrees, most_slope = self._strength.get("rotate", 0.0), self._strength.get("shear", 0.0)
        angle = chance.uniform(-most_degrees, most_degrees)
        slope = chance.uniform(-most_slope, most_slope)
        return functional.affine(
            picture, angle=angle, translate=[0, 0], scale=1.0, shear=[degrees(atan(slope)), 0.0], interpolation=_BILINEAR,
            fill=_WHITE,
        )  # fmt: skip

    def _happens(self, kind: str, chance: Chance) -> bool:
        return kind in self._strength and chance.random() < self._strength[kind]


class _RandAugment(v2.RandAugment):
    """torchvision's RandAugment, two changes a photo, drawn from a generator that is given instead of torch's own."""

    def changed(self, picture: Image.Image, chance: Chance) -> Image.Image:
        """Change a picture."""
        for kind in chance.choice(list(self._AUGMENTATION_SPACE), self.num_ops).tolist():
            magnitudes_of, signed = self._AUGMENTATION_SPACE[kind]
            magnitudes = magnitudes_of(self.num_magnitude_bins, picture.height, picture.width)
            magnitude = 0.0 if magnitudes is None else float(magnitudes[self.magnitude])
            if signed and chance.random() < 0.5:
                magnitude = -magnitude
            picture = self._apply_image_or_video_transform(
                picture, kind, magnitude, interpolation=self.interpolation, fill=self._fill
            )
        return picture


def number_of(*what: object) -> int:
    """Return a number that depends on nothing but what is given: the seed of one photo's changes, or of one step."""
    return int.from_bytes(hashlib.blake2b(repr(what).encode(), digest_size=7).digest())
