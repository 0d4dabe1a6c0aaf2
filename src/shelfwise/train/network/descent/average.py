"""A moving average of a network's weights, which answers better than the last weights do."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


class WeightAverage:
    """The exponential moving average of weights and buffers, `decay` of the old at every step; 0 averages nothing.

    values: by name, empty until `begin`.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.values: dict[str, Tensor] = {}

    def begin(self, weights: Mapping[str, Tensor]) -> None:
        """Start from weights, where anything is averaged."""
        if self.decay:
            self.values = {name: value.detach().clone() for name, value in weights.items()}

    def add(self, weights: Mapping[str, Tensor], steps: int) -> None:
        """Take the weights after a step in; steps: that came before it. Whole numbers, such as counters, are copied.

        The first steps are soon forgotten: the decay is at most (1 + steps) / (10 + steps).
        Source: TensorFlow's ExponentialMovingAverage with num_updates.
        """
        decay = min(self.decay, (1 + steps) / (10 + steps))
        for name, average in self.values.items():
            if average.is_floating_point():
                average.lerp_(weights[name].detach(), 1 - decay)
            else:
                average.copy_(weights[name])
