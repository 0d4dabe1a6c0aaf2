"""In which precision and memory layout a network is computed while it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from shelfwise.train.network.descent.depthwise import is_small_depthwise, small_depthwise

_GROUPS = 6
"""Place of `groups` among the arguments of torch.conv2d."""


def computed(network: nn.Module, inputs: Tensor, bf16: bool) -> Tensor:
    """Return the scores (m, c), float32, of inputs (m, ...) in the mode that the network is in.

    Maps are laid out with the channels last; with bf16 all but grouped convolutions are computed in it; depthwise ones of small
    maps go their own way back. So processors learn the last two stages of EfficientNet-Lite0 1.6 times as fast, and 1.1 times.
    Source: docs/experiments.md, layout and precision of training steps, and depthwise.
    """
    if inputs.ndim == 4:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=bf16), _Grouped():
        scores: Tensor = network(inputs)
    return scores.float()


class _Grouped(TorchFunctionMode):
    """Computes grouped convolutions on processors in float32, whose backward pass in bf16 takes up to ten times as long."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        if func is torch.conv2d and len(args) > _GROUPS and args[_GROUPS] > 1 and args[0].device.type == "cpu":
            inputs, weight, bias, *how = args
            with torch.autocast("cpu", enabled=False):
                if bias is None and not kwargs and is_small_depthwise(inputs, weight, *how):
                    return small_depthwise(inputs.float(), weight)
                return func(inputs.float(), weight, bias, *how, **(kwargs or {}))
        return func(*args, **(kwargs or {}))
