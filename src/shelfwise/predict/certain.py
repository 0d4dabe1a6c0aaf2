"""Answers that stop where they are sure, and sets of categories, for photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.bundle import Bundle
from shelfwise.classifiers.certainty import Threshold, deepest, in_sets, set_bar, threshold_for
from shelfwise.metrics.answers import ways_down
from shelfwise.options import PredictOptions


@dataclass(frozen=True, slots=True)
class Sure:
    """The deepest node that is sure enough; category, level and path are empty where none is.

    threshold: what was promised, and what it rests on.
    """

    category: str | None
    path: tuple[str, ...]
    level: str | None
    probability: float
    threshold: Threshold

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "category": self.category,
            "path": list(self.path),
            "level": self.level,
            "probability": round(self.probability, 6),
        }


@dataclass(frozen=True)
class Certainty:
    """What the options ask for, set on the bundle's held-out answers once; None for what is not asked for."""

    bundle: Bundle
    threshold: Threshold | None
    set_bar: float | None

    @classmethod
    def asked(cls, bundle: Bundle, options: PredictOptions) -> Certainty:
        """Set the threshold and the bar for sets that the options ask for."""
        if options.max_error is None and options.sets is None:
            return cls(bundle, None, None)
        held_out = bundle.held_out()
        return cls(
            bundle,
            None if options.max_error is None else threshold_for(held_out, options.max_error),
            None if options.sets is None else set_bar(held_out, options.sets),
        )

    def sure(self, probabilities: NDArray[np.float32]) -> Sequence[Sure | None]:
        """Return the deepest sure node of each row of probabilities (p, c)."""
        if self.threshold is None:
            return [None] * len(probabilities)
        columns = self.bundle.columns
        of_levels = [columns.summed(probabilities, level) for level in range(len(columns.level_nodes))]
        way, chance = ways_down(of_levels, columns.parent_of)
        depths = deepest(way, chance, columns, self.threshold.bar)
        return [self._sure(int(depth), way[row], chance[row]) for row, depth in enumerate(depths)]

    def _sure(self, depth: int, way: NDArray[np.int32], chance: NDArray[np.float32]) -> Sure:
        assert self.threshold is not None
        if depth == 0:
            return Sure(None, (), None, float(chance[0]), self.threshold)
        columns, level = self.bundle.columns, depth - 1
        node = columns.level_nodes[level][way[level]]
        names, name = columns.taxonomy.names(node), columns.taxonomy.level_names[level]
        return Sure(node, names, name, float(chance[level]), self.threshold)

    def sets(self, probabilities: NDArray[np.float32]) -> Sequence[tuple[str, ...] | None]:
        """Return the set of categories of each row of probabilities (p, c), the likeliest first."""
        if self.set_bar is None:
            return [None] * len(probabilities)
        chosen = in_sets(probabilities, self.set_bar)
        ordered = np.argsort(-probabilities, axis=1, kind="stable")
        categories = self.bundle.categories
        return [
            tuple(categories[column] for column in columns[: int(kept)])
            for columns, kept in zip(ordered, chosen.sum(axis=1), strict=True)
        ]
