"""Find poor photos: blurred, dark, too bright, empty, odd in shape, tiny, framed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.findings import Found
from shelfwise.catalog.inventory import Inventory
from shelfwise.images.measures import MEASURES, NAMES

_BARS = 40


@dataclass(frozen=True, slots=True)
class Check:
    """A picture is poor where a measure is below a threshold; `top`: where the histogram of the measure ends."""

    kind: str
    measure: str
    threshold: float
    source: str
    top: float = 1.0


CHECKS = (
    Check(
        "blurred", "sharpness", 0.30,
        "edges blurred by 1.5 pixels or more, of a longer side of 256; chosen on photos and blurred copies of them "
        "(docs/experiments.md, sharpness)",
    ),
    Check("dark", "light", 0.32, "cleanvision 0.3.7, `dark`: the lightest hundredth is darker than 0.32"),
    Check(
        "bright", "unclipped", 0.70,
        "three tenths or more of the area, a white background aside, are white; chosen on photos and copies overexposed by two "
        "and three stops (docs/experiments.md, brightness)",
    ),
    Check(
        "low_information", "variety", 0.03,
        "97 % of its pixels or more lie within 17 levels of luma; chosen so that small products on white are not meant "
        "(docs/experiments.md, information)",
    ),
    Check("odd_aspect", "proportion", 0.35, "cleanvision 0.3.7, `odd_aspect_ratio`"),
    Check("tiny", "side_px", 100, "Google Merchant Center, image_link: at least 100 x 100 pixels", top=1000),
    Check(
        "framed", "inside", 0.98,
        "bands of one color take 2 % of the area or more; Google Merchant Center, image_link, forbids borders; "
        "how they are told from plain backgrounds: docs/experiments.md, bands",
    ),
)  # fmt: skip


class Poor:
    """Gathers measures, block by block, in a few bytes a picture, and says which photos are poor."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._photos = np.bincount(inventory.photo_picture, minlength=inventory.pictures)
        self._histograms = np.zeros((len(CHECKS), _BARS), np.int64)
        self._pictures: list[list[NDArray[np.int32]]] = [[] for _ in CHECKS]
        self._scores: list[list[NDArray[np.float32]]] = [[] for _ in CHECKS]
        self._judged = 0

    def add(self, pictures: NDArray[np.int32], values: NDArray[np.float32]) -> None:
        """Take in measures (b, WIDTH) of pictures (b,) of the inventory; each picture once."""
        self._judged += int(self._photos[pictures].sum())
        for place, check in enumerate(CHECKS):
            scores = values[:, NAMES.index(check.measure)]
            bars = (scores * (_BARS / check.top)).astype(np.int64).clip(0, _BARS - 1)
            self._histograms[place] += np.bincount(bars, self._photos[pictures], _BARS).astype(np.int64)
            poor = scores < check.threshold
            self._pictures[place].append(pictures[poor])
            self._scores[place].append(scores[poor])

    def found(self) -> list[Found]:
        """Return one finding for every photo that shows a poor picture, kind by kind, the worst picture first."""
        none = np.empty(0, np.int32), np.empty(0, np.float32)
        return [
            self._found(place, np.concatenate([none[0], *pictures]), np.concatenate([none[1], *scores]))
            for place, (pictures, scores) in enumerate(zip(self._pictures, self._scores, strict=True))
        ]

    def _found(self, place: int, pictures: NDArray[np.int32], scores: NDArray[np.float32]) -> Found:
        check, inventory = CHECKS[place], self._inventory
        order = np.lexsort((pictures, scores))
        rank = np.full(inventory.pictures, -1, np.int32)
        rank[pictures[order]] = np.arange(len(order), dtype=np.int32)
        photos = np.flatnonzero(rank[inventory.photo_picture] >= 0)
        photos = photos[np.argsort(rank[inventory.photo_picture[photos]], kind="stable")]
        set_of_photo = rank[inventory.photo_picture[photos]]
        facts = {
            "measure": check.measure,
            "meaning": MEASURES[check.measure],
            "threshold": check.threshold,
            "source": check.source,
            "photos": self._judged,
            "found": len(photos),
            "histogram": {"from": 0.0, "to": check.top, "photos": self._histograms[place].tolist()},
        }
        return Found.of(
            check.kind, set=set_of_photo, product=inventory.photo_product[photos], photo=photos,
            score=scores[order][set_of_photo], facts=facts,
        )  # fmt: skip


def find_poor(inventory: Inventory, measures: Iterable[tuple[NDArray[np.int32], NDArray[np.float32]]]) -> list[Found]:
    """Judge the measured pictures of a catalog: one Found for each kind of CHECKS; score is the measure, the least first.

    measures: what `audit.measures.blocks` yields.
    """
    poor = Poor(inventory)
    for pictures, values in measures:
        poor.add(pictures, values)
    return poor.found()
