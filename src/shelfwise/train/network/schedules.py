"""How the learning rate goes: a factor of the asked rate, for every step."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi

from shelfwise.train.network.settings import Settings

_RISE, _START, _END = 0.25, 1 / 25, 1e-4
"""One-cycle: share of the steps on the way up, factor at the start and at the end. Source: torch's OneCycleLR."""


def factor(settings: Settings, progress: float, held_losses: Sequence[float]) -> float:
    """Return what the learning rate is multiplied by.

    progress: epochs done, with the part of the one that goes on; held_losses: of the held-out products after each epoch.
    """
    share = min(progress / settings.epochs, 1.0)
    if settings.schedule == "one-cycle":
        if share < _RISE:
            return _between(_START, 1.0, share / _RISE)
        return _between(1.0, _END, (share - _RISE) / (1 - _RISE))
    if settings.schedule == "cosine":
        return _between(1.0, 0.0, share)
    del held_losses
    return 1.0


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + cos(pi * share)) / 2
