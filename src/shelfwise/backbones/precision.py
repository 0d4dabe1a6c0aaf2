"""Settle whether a backbone runs in fp32 or int8."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from shelfwise.backbones.cards import BackboneSpec
from shelfwise.backbones.quantize import has_int8_dot_product
from shelfwise.errors import OptionError

# Largest loss of accuracy, in points on Grocery, at which `auto` takes int8.
TOLERATED_COST_POINTS = 0.5


def settle_precision(spec: BackboneSpec, asked: Literal["auto", "fp32", "int8"]) -> BackboneSpec:
    """Fix a backbone's precision.

    `auto` takes int8 where the card records its cost at this side and these stages as tolerable and the processor has
    the instructions for it. Raises OptionError for int8 of a graph that is not ours to quantize.
    """
    if asked == "int8" and spec.card.source != "package":
        raise OptionError(
            f"{spec}: only the packaged backbones are turned into int8; bring an int8 graph as its own card"
        )
    cost = spec.card.int8_cost_points.get(f"{spec.side_px}:{spec.stages}")
    tolerable = cost is not None and cost < TOLERATED_COST_POINTS and has_int8_dot_product()
    return replace(spec, precision="int8" if asked == "int8" or (asked == "auto" and tolerable) else "fp32")
