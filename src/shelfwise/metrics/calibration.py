"""Whether probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.metrics.answers import Answers

BINS = 15


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Products whose confidence lies in (low, high]; confidence and accuracy are means, None where the bin is empty."""

    low: float
    high: float
    products: int
    confidence: float | None
    accuracy: float | None


def bin_of(confidence: NDArray[np.float32], bins: int = BINS) -> NDArray[np.intp]:
    """Return each confidence's bin of equal width, (p,): open below, closed above, 0 falls in the first."""
    places: NDArray[np.intp] = np.clip(np.ceil(confidence.astype(np.float64) * bins) - 1, 0, bins - 1).astype(np.intp)
    return places


def reliability(answers: Answers, level: int | None = None, bins: int = BINS) -> list[ReliabilityBin]:
    """Group products by the confidence of their first answer, or of their answer at a level.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 2.
    """
    said, is_right = answers.at(level)
    places = bin_of(said, bins)
    counts = np.bincount(places, minlength=bins)
    confidence = np.bincount(places, weights=said, minlength=bins)
    right = np.bincount(places, weights=is_right, minlength=bins)
    return [
        ReliabilityBin(
            low=i / bins,
            high=(i + 1) / bins,
            products=int(n),
            confidence=float(confidence[i] / n) if n else None,
            accuracy=float(right[i] / n) if n else None,
        )
        for i, n in enumerate(counts)
    ]
