"""From the raw vectors of one or several backbones to the features that heads learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.cards import BackboneSpec


@dataclass(frozen=True, slots=True)
class FeatureLayout:
    """Which backbones stand side by side in one feature vector, in order."""

    specs: tuple[BackboneSpec, ...]

    @property
    def dimension(self) -> int:
        """Width d of a feature vector."""
        return sum(sum(spec.widths) for spec in self.specs)

    def features(self, vectors: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.float32]:
        """Scale every part (head, stages) of every backbone to length 1 and put them side by side.

        vectors: one (n, d) per backbone, in the order of `specs`. Returns (n, d) float32.
        """
        features = np.concatenate([np.asarray(v, dtype=np.float32) for v in vectors], axis=1)
        widths = [width for spec in self.specs for width in spec.widths]
        for start, width in zip(accumulate(widths, initial=0), widths, strict=False):
            part = features[:, start : start + width]
            part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
        return features

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the layout as JSON values."""
        return [spec.to_dict() for spec in self.specs]

    @classmethod
    def from_dict(cls, values: list[dict[str, Any]]) -> FeatureLayout:
        """Build the layout from JSON values; raises BackboneError for values that make no backbone."""
        return cls(tuple(BackboneSpec.from_dict(value) for value in values))
