"""How far a figure can be trusted: bootstrap over products, and intervals of proportions."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Z_95 = 1.959963984540054
BLOCK_VALUES = 4_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; low and high are None where none was asked for."""

    value: float
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, float]:
        """Return `value`, and `low` and `high` where there is an interval."""
        if self.low is None or self.high is None:
            return {"value": self.value}
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of n independent products."""

    value: float
    n: int

    def __post_init__(self) -> None:
        if not (0 <= self.value <= 1 and self.n >= 1):
            raise OptionError(f"a proportion needs a value from 0 to 1 and a count, found {self.value} of {self.n}")


def resampled_weights(p: int, resamples: int, seed: int, widest: int = 1) -> Iterator[NDArray[np.float64]]:
    """Draw p of p products with replacement, again and again.

    Yields blocks (p, b): how often each product was drawn in each of b resamples; b is chosen so that
    max(p, widest) x b stays within BLOCK_VALUES. Resample r is always the r-th draw of
    `default_rng(seed).integers(0, p, p, dtype=int32)`.
    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 6.
    """
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK_VALUES // max(p, widest))
    for start in range(0, resamples, block):
        drawn = [
            np.bincount(rng.integers(0, p, p, dtype=np.int32), minlength=p)
            for _ in range(min(block, resamples - start))
        ]
        yield np.stack(drawn, axis=1).astype(np.float64)


def percentile_interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 2.5 % and 97.5 % percentiles.

    Source: Efron and Tibshirani 1993, section 13.3.
    """
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def reflected_interval(value: float, values: NDArray[np.float64]) -> tuple[float, float]:
    """Reflect the percentiles at the value, keep it inside and within 0 to 1.

    For figures that resampling itself pushes up, as the calibration error: there the percentiles can miss the value.
    Source: Davison and Hinkley 1997, Bootstrap Methods and their Application, equation 5.6 (basic bootstrap).
    """
    low, high = percentile_interval(values)
    return max(0.0, min(value, 2 * value - high)), min(1.0, max(value, 2 * value - low))


def wilson_interval(share: Proportion) -> tuple[float, float]:
    """Compute the 95 % score interval of a proportion; unlike a bootstrap it keeps a width at 0 and 1.

    Source: Wilson 1927, JASA 22, 209-212.
    """
    z2 = Z_95**2
    center = (share.value + z2 / (2 * share.n)) / (1 + z2 / share.n)
    half = Z_95 / (1 + z2 / share.n) * sqrt(share.value * (1 - share.value) / share.n + z2 / (4 * share.n**2))
    return min(share.value, max(0.0, center - half)), max(share.value, min(1.0, center + half))


def interval_of_share(value: float, products: int, values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the percentiles of resamples of a share; at exactly 0 or 1, where all resamples agree, Wilson's interval."""
    if value in (0.0, 1.0):
        return wilson_interval(Proportion(value, products))
    return percentile_interval(values)


def difference_interval(a: Proportion, b: Proportion) -> tuple[float, float]:
    """Compute the 95 % interval of a - b, two proportions of different products.

    Source: Newcombe 1998, Statistics in Medicine 17, 873-890, method 10.
    """
    (a_low, a_high), (b_low, b_high) = wilson_interval(a), wilson_interval(b)
    difference = a.value - b.value
    low = difference - sqrt((a.value - a_low) ** 2 + (b_high - b.value) ** 2)
    high = difference + sqrt((a_high - a.value) ** 2 + (b.value - b_low) ** 2)
    return low, high


def differ(a: Proportion, b: Proportion) -> bool:
    """Tell whether two proportions of different products disagree: the 95 % interval of their difference excludes 0."""
    low, high = difference_interval(a, b)
    return low > 0 or high < 0
