"""Where answers stop when an error rate was asked for, as the template shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shelfwise.evaluate.report.figures import interval
from shelfwise.metrics.intervals import Estimate
from shelfwise.page.numbers import NOTHING, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Part:
    """Products whose answer stops at one level, or without one: share of all, and a tone from 0 to 1.

    reached: share of products answered at this level or deeper; error: how many of those are wrong at this level.
    """

    name: str
    kind: str
    tone: float
    share: float
    reached: float | None = None
    error: float | None = None
    interval: str = NOTHING


@dataclass(frozen=True, slots=True)
class Stops:
    """What was asked for and what came of it; parts from the deepest level up to `unsure`; error None: no answer."""

    max_error: float
    promise: str
    error: Estimate | None
    coverage: Estimate
    parts: tuple[Part, ...]

    @property
    def is_missed(self) -> bool:
        """Whether more answers are wrong than was asked, beyond chance."""
        return self.error is not None and self.error.low is not None and self.error.low > self.max_error

    @property
    def told(self) -> str:
        """What came of it in plain words."""
        if self.error is None:
            return "No product got an answer."
        *levels, unsure = _of_hundred([part.share for part in self.parts])
        stopped = ", ".join(f"{count} at {part.name}" for count, part in zip(levels, self.parts, strict=False) if count)
        first = (
            f"Of 100 products, about {sum(levels)} got an answer ({stopped}) and {unsure or 'none'} were left unsure."
        )
        told = f"Of the answers given, {percent(self.error.value)} were wrong"
        if self.error.low is not None:
            told += f" (95\u202f% interval {interval(self.error, is_share=True)})"
        if self.is_missed:
            return f"{first} {told}: more than asked. These products are unlike those that the threshold was set on."
        return f"{first} {told}."


def stops(metrics: Mapping[str, Any]) -> Stops | None:
    """Read what --max-error wrote into metrics.json; None where it was not given."""
    found = metrics.get("abstention")
    if not found:
        return None
    levels = list(reversed(found["levels"].items()))
    parts = [_part(name, of_level, 1 - place / len(levels)) for place, (name, of_level) in enumerate(levels)]
    unsure = Part("unsure", "unsure", 0.0, 1 - found["coverage"]["value"])
    error, coverage = _estimate(found["error"]), _estimate(found["coverage"])
    assert coverage is not None
    return Stops(found["max_error"], found["message"], error, coverage, (*parts, unsure))


def _part(name: str, found: Mapping[str, Any], tone: float) -> Part:
    share, reached, error = found["stopped"]["value"], found["coverage"]["value"], _estimate(found["error"])
    if error is None:
        return Part(name, "stop", tone, share, reached)
    return Part(name, "stop", tone, share, reached, error.value, interval(error, is_share=True))


def _estimate(found: Mapping[str, Any]) -> Estimate | None:
    return None if found["value"] is None else Estimate(found["value"], found.get("low"), found.get("high"))


def _of_hundred(shares: Sequence[float]) -> list[int]:
    """Round shares that sum to 1 to counts that sum to 100: the largest remainders go up."""
    counts = [int(100 * share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: counts[place] - 100 * shares[place])
    for place in by_remainder[: 100 - sum(counts)]:
        counts[place] += 1
    return counts
