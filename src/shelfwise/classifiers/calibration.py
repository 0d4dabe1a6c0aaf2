"""From log-probabilities to probabilities that mean what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.classifiers.stored import positive
from shelfwise.statistics.head import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """One temperature for the log-probabilities."""

    temperature: float = 1.0

    def apply(self, log_probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return calibrated probabilities (n, c), rows that sum to 1."""
        return np.asarray(softmax(log_probabilities, self.temperature), dtype=np.float32)

    def stored(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"temperature": self.temperature}

    @classmethod
    def restored(cls, values: dict[str, Any]) -> Calibration:
        """Read what `stored` gave."""
        return cls(positive(values["temperature"], "temperature"))
