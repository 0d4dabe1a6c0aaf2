"""Depthwise convolutions of small maps with a backward pass by matrix products, which processors are made for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

_LARGEST_MAP = 64
_SMALLEST_KERNEL = 5
"""Positions of a map up to which, and side of a kernel from which, it is faster. Source: docs/experiments.md, depthwise."""


def is_small_depthwise(inputs: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> bool:
    """Tell whether `small_depthwise` computes a convolution, and faster: one filter a channel, of the map's own size."""
    side = weight.shape[-1]
    return (
        groups == weight.shape[0] == inputs.shape[1]
        and weight.shape[1:] == (1, side, side)
        and side >= _SMALLEST_KERNEL
        and side % 2 == 1
        and inputs.shape[-2] * inputs.shape[-1] <= _LARGEST_MAP
        and (_both(stride), _both(padding), _both(dilation)) == ((1, 1), (side // 2, side // 2), (1, 1))
    )


def small_depthwise(inputs: Tensor, weight: Tensor) -> Tensor:
    """Convolve maps (n, c, h, w) with a filter a channel, weight (c, 1, k, k), keeping h and w."""
    convolved: Tensor = _SmallDepthwise.apply(inputs, weight)
    return convolved


class _SmallDepthwise(torch.autograd.Function):
    """The gradient of a channel's filter sums products of positions that lie as far apart as the filter's entry says.

    All products of a channel's positions are one matrix product over the n maps; which of them belong to an entry is another.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return _convolved(inputs, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        inputs, weight = ctx.saved_tensors
        of_inputs = _convolved(gradient, weight.flip(2, 3)) if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return of_inputs, None
        n, c, h, w = inputs.shape
        behind = gradient.contiguous().view(n, c, h * w).permute(1, 2, 0)
        before = inputs.contiguous().view(n, c, h * w).permute(1, 0, 2)
        products = torch.bmm(behind, before).view(c, -1)
        return of_inputs, (products @ _entry_of_pair(h, w, weight.shape[-1])).view_as(weight)


def _convolved(maps: Tensor, weight: Tensor) -> Tensor:
    return torch.conv2d(maps, weight, None, 1, weight.shape[-1] // 2, 1, len(weight))


@lru_cache(maxsize=8)
def _entry_of_pair(h: int, w: int, side: int) -> Tensor:
    """Return for each pair of positions (behind, before) which entry of the filter joins them: (hw * hw, side * side) of 0, 1."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    place = torch.stack([y.flatten(), x.flatten()])
    down, right = place[:, None, :] - place[:, :, None] + side // 2
    is_inside = (down >= 0) & (down < side) & (right >= 0) & (right < side)
    entry = torch.where(is_inside, down * side + right, side * side)
    return torch.nn.functional.one_hot(entry.flatten(), side * side + 1)[:, :-1].float()


def _both(value: Any) -> tuple[int, int]:
    """Return an argument of a convolution for both directions; what is none, such as `same`, fits nothing."""
    if isinstance(value, int):
        return value, value
    return tuple(value) if isinstance(value, tuple | list) and len(value) == 2 else (-1, -1)
