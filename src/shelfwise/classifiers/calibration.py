"""From log-probabilities to probabilities that mean what they say, on every level of the tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.classifiers.stored import positive
from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.columns import Columns

    Float = NDArray[np.float32]

_BLOCK_VALUES = 4_000_000
_SMALLEST = np.float32(1e-30)
_LEAST = np.float32(-1e4)
"""Log-probabilities below are taken for this: what a hierarchy rules out altogether stays a number."""


@dataclass(frozen=True)
class Calibration:
    """A temperature for the choice among siblings on each level of the tree, and a line for the first answer.

    temperatures: from the top, the last one also counts for deeper levels; slope, offset: the log-odds of the likeliest
    category become slope * log-odds + offset, the others share the rest as before. Probabilities are those of categories, so
    that a parent's is the sum of its children's; the line never puts another category first, temperatures may.
    Source: docs/experiments.md, entry on certainty; one temperature: Guo et al. 2017, section 4.2; the line: Platt 1999.
    """

    temperatures: tuple[float, ...] = (1.0,)
    slope: float = 1.0
    offset: float = 0.0

    def apply(self, log_probabilities: Float, columns: Columns) -> Float:
        """Return calibrated probabilities (n, c), rows that sum to 1, of log-probabilities (n, c)."""
        calibrated = np.empty(log_probabilities.shape, dtype=np.float32)
        size = max(1, _BLOCK_VALUES // max(1, log_probabilities.shape[1]))
        for start in range(0, len(calibrated), size):
            rows = slice(start, start + size)
            calibrated[rows] = self._of_rows(log_probabilities[rows], columns)
        return calibrated

    def _of_rows(self, log_probabilities: Float, columns: Columns) -> Float:
        cooled = tempered(log_probabilities, columns, self.temperatures)
        return lifted(np.exp(cooled), self.slope, self.offset)

    def stored(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"temperatures": list(self.temperatures), "slope": self.slope, "offset": self.offset}

    @classmethod
    def restored(cls, values: dict[str, Any]) -> Calibration:
        """Read what `stored` gave."""
        temperatures = tuple(positive(value, "temperature") for value in values["temperatures"])
        offset = values["offset"]
        if not temperatures or not isinstance(offset, (int, float)) or not np.isfinite(offset):
            raise BundleError("bundle.json", f"the calibration {values} is none")
        return cls(temperatures, positive(values["slope"], "slope"), float(offset))


def tempered(log_probabilities: Float, columns: Columns, temperatures: tuple[float, ...]) -> Float:
    """Divide the logs of what siblings are given by their level's temperature, level by level: log-probabilities (n, c).

    The probability of a category is the product, down the tree, of a node's share among its siblings.
    """
    above = np.zeros((len(log_probabilities), 1), dtype=np.float32)
    for level, of_nodes in enumerate(log_of_levels(log_probabilities, columns)):
        parent = columns.parent_of[level - 1] if level else np.zeros(of_nodes.shape[1], dtype=np.int32)
        scores = of_nodes / np.float32(temperatures[min(level, len(temperatures) - 1)])
        above = scores + (above - log_summed(scores, parent))[:, parent]
    return above  # each category is a node of its own at the deepest level, in the order of the columns


def log_of_levels(log_probabilities: Float, columns: Columns) -> list[Float]:
    """Return the logs (n, nodes) of what the nodes of each level are given, from the top."""
    of_levels = [np.maximum(log_probabilities, _LEAST)]
    for parent in reversed(columns.parent_of):
        of_levels.append(log_summed(of_levels[-1], parent))
    return of_levels[::-1]


def log_summed(values: Float, group_of: NDArray[np.int32]) -> Float:
    """Return the logs (n, groups) of the sums of exp(values) (n, c) over columns that share a group (c,)."""
    order = np.argsort(group_of, kind="stable")
    group = group_of[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    ordered = values if (group == group_of).all() else values[:, order]
    if len(starts) == len(group):
        return ordered
    largest = np.maximum.reduceat(ordered, starts, axis=1)
    powers = ordered - largest[:, group]
    np.exp(powers, out=powers)
    return np.asarray(largest + np.log(np.add.reduceat(powers, starts, axis=1)))


def first_log_odds(probabilities: Float) -> Float:
    """Return the log-odds (n,) of each row's likeliest column."""
    first = probabilities.argmax(axis=1)
    return _log_odds(probabilities[np.arange(len(first)), first], _others(probabilities, first).sum(axis=1))


def lifted(probabilities: Float, slope: float, offset: float) -> Float:
    """Map the log-odds of each row's likeliest column on a line; the others share the rest as before, none passes the first."""
    if probabilities.shape[1] == 1:
        return np.ones_like(probabilities)
    rows, first = np.arange(len(probabilities)), probabilities.argmax(axis=1)
    shares = _others(probabilities, first)
    rest = shares.sum(axis=1)
    odds = np.clip(slope * _log_odds(probabilities[rows, first], rest) + offset, -60, 60)
    second = shares.max(axis=1) / np.maximum(rest, _SMALLEST)
    best = np.maximum(1 / (1 + np.exp(-odds)), second / (1 + second)).astype(np.float32)
    shares *= ((1 - best) / np.maximum(rest, _SMALLEST))[:, None]
    shares[rows, first] = 1 - shares.sum(axis=1)
    return shares


def _others(probabilities: Float, first: NDArray[np.intp]) -> Float:
    others = probabilities.copy()
    others[np.arange(len(others)), first] = 0
    return others


def _log_odds(best: Float, rest: Float) -> Float:
    return np.asarray(np.log(np.maximum(best, _SMALLEST)) - np.log(np.maximum(rest, _SMALLEST)))
