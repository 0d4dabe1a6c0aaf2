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
        """Put every part (head, stages) of every backbone side by side, scaled to length 1 unless its card says otherwise.

        vectors: one (n, d) per backbone, in the order of `specs`. Returns (n, d) float32.
        """
        features = np.concatenate([np.asarray(v, dtype=np.float32) for v in vectors], axis=1)
        widths = [width for spec in self.specs for width in spec.widths]
        scaled = [spec.card.unit_length for spec in self.specs for _ in spec.widths]
        for start, width, is_scaled in zip(accumulate(widths, initial=0), widths, scaled, strict=False):
            if not is_scaled:
                continue
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
