"""In which precision and memory layout a network is computed while it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_GROUPS = 6
"""Place of `groups` among the arguments of torch.conv2d."""


def computed(network: nn.Module, inputs: Tensor, bf16: bool) -> Tensor:
    """Return the scores (m, c), float32, of inputs (m, ...) in the mode that the network is in.

    Maps are laid out with the channels last; with bf16 all but grouped convolutions are computed in it. Both are how torch's
    processor kernels are fast: EfficientNet-Lite0 learns 1.6 times (its last two stages) and 1.4 times (whole) as fast.
    Source: docs/experiments.md, layout and precision of training steps.
    """
    if inputs.ndim == 4:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=bf16), _GroupedWhole() if bf16 else nullcontext():
        scores: Tensor = network(inputs)
    return scores.float()


class _GroupedWhole(TorchFunctionMode):
    """Computes grouped convolutions in float32, whose backward pass in bf16 takes up to ten times as long on processors."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        if func is torch.conv2d and len(args) > _GROUPS and args[_GROUPS] > 1 and args[0].device.type == "cpu":
            with torch.autocast("cpu", enabled=False):
                return func(args[0].float(), *args[1:], **(kwargs or {}))
        return func(*args, **(kwargs or {}))
