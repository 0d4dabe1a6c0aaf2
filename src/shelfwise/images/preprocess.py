"""Turn a picture file into the square that a backbone looks at: one function for learning, checking and serving."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from PIL import Image

from shelfwise.errors import OptionError
from shelfwise.images.decode import IMPORT_LIMITS, Limits, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Fit = Literal["squash", "crop", "pad"]
Resample = Literal["bicubic"]

_FILTERS: dict[Resample, Image.Resampling] = {"bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a picture becomes a square of `side_px`.

    fit: `squash` changes the proportions, `crop` takes the largest square from the middle, `pad` puts white around.
    resample: the antialiased filter.
    """

    side_px: int
    fit: Fit = "squash"
    resample: Resample = "bicubic"

    def __post_init__(self) -> None:
        if isinstance(self.side_px, bool) or not isinstance(self.side_px, int) or not 1 <= self.side_px <= 4096:
            raise OptionError(f"side_px is {self.side_px!r}: a whole number of pixels from 1 to 4096 is needed")
        for name, kind in (("fit", Fit), ("resample", Resample)):
            if getattr(self, name) not in get_args(kind):
                raise OptionError(f"{name} is {getattr(self, name)!r}: choose from {', '.join(get_args(kind))}")

    def to_dict(self) -> dict[str, int | str]:
        """Return the fields as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Build from what `to_dict` gave.

        Raises OptionError for a key that is missing or unknown, and for values out of range.
        """
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            raise OptionError(f"preprocessing has the keys {sorted(values)}: {sorted(known)} are needed")
        return cls(**values)


def prepare(data: bytes, preprocessing: Preprocessing, limits: Limits = IMPORT_LIMITS) -> NDArray[np.uint8]:
    """Decode, fit and resize a picture file to uint8 (side, side, 3).

    Raises ImageError like `decode`.
    """
    side = preprocessing.side_px
    return fit_square(decode(data, minimum_side_px=side, limits=limits).pixels, preprocessing)


def fit_square(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Fit and resize pixels, uint8 (h, w, 3), to uint8 (side, side, 3)."""
    side, resample = preprocessing.side_px, _FILTERS[preprocessing.resample]
    image = Image.fromarray(pixels)
    width, height = image.size
    if preprocessing.fit == "pad" and width != height:
        scale = side / max(width, height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        square = Image.new("RGB", (side, side), "white")
        square.paste(image.resize(size, resample), ((side - size[0]) // 2, (side - size[1]) // 2))
        return np.array(square)
    box = None
    if preprocessing.fit == "crop":
        short = min(width, height)
        left, top = (width - short) / 2, (height - short) / 2
        box = (left, top, left + short, top + short)
    return np.array(image.resize((side, side), resample, box=box))
