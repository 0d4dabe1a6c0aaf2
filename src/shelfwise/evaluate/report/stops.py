"""Where answers stop when an error rate was asked for, as the template shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shelfwise.evaluate.report.figures import interval
from shelfwise.metrics.intervals import Estimate
from shelfwise.page.numbers import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Part:
    """Answers that stop at one level, or products without one: share of all, share that is wrong, tone from 0 to 1."""

    name: str
    kind: str
    tone: float
    share: float
    error: float | None
    interval: str


@dataclass(frozen=True, slots=True)
class Stops:
    """What was asked for and what came of it; parts from the deepest level up to `unsure`."""

    max_error: float
    error: Estimate
    coverage: Estimate
    parts: tuple[Part, ...]

    @property
    def is_missed(self) -> bool:
        """Whether more answers are wrong than was asked, beyond chance."""
        return self.error.low is not None and self.error.low > self.max_error

    @property
    def told(self) -> str:
        """What came of it in plain words."""
        *levels, unsure = _of_hundred([part.share for part in self.parts])
        stopped = ", ".join(f"{count} at {part.name}" for count, part in zip(levels, self.parts, strict=False) if count)
        if self.coverage.value == 0:
            return "No product got an answer: nothing was sure enough."
        first = f"Of 100 products, about {sum(levels)} got an answer ({stopped}) and {unsure} were left unsure."
        told = f"Of the answers given, {percent(self.error.value)} were wrong"
        told += f" (95\u202f% interval {interval(self.error, is_share=True)})" if self.error.low is not None else ""
        if self.is_missed:
            return (
                f"{first} {told}: more than asked. These products are unlike those that the thresholds were set on; "
                "set them on a validation split that looks like these."
            )
        return f"{first} {told}."


def stops(metrics: Mapping[str, Any]) -> Stops | None:
    """Read what --max-error wrote into metrics.json; None where it was not given."""
    found = metrics.get("abstention")
    if not found:
        return None
    levels = list(reversed(found["levels"].items()))
    parts = [_part(name, of_level, 1 - place / len(levels)) for place, (name, of_level) in enumerate(levels)]
    unsure = Part("unsure: no answer", "unsure", 0.0, _value(found["unsure"]), None, "")
    return Stops(found["max_error"], _estimate(found["error"]), _estimate(found["coverage"]), (*parts, unsure))


def _part(name: str, found: Mapping[str, Any], tone: float) -> Part:
    share, error = _value(found["coverage"]), found.get("error")
    if error is None or share == 0:
        return Part(name, "stop", tone, share, None, "")
    estimate = _estimate(error)
    return Part(name, "stop", tone, share, estimate.value, interval(estimate, is_share=True))


def _estimate(found: Mapping[str, float]) -> Estimate:
    return Estimate(found["value"], found.get("low"), found.get("high"))


def _value(found: Mapping[str, float]) -> float:
    return found["value"]


def _of_hundred(shares: Sequence[float]) -> list[int]:
    """Round shares that sum to 1 to counts that sum to 100: the largest remainders go up."""
    counts = [int(100 * share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: counts[place] - 100 * shares[place])
    for place in by_remainder[: 100 - sum(counts)]:
        counts[place] += 1
    return counts
