"""How the learning rate goes: a pure function of the settings, of how far a run is, and of how it went so far."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, inf, pi

from shelfwise.train.network.settings import Settings

_RISE, _START, _END = 0.25, 1 / 25, 1e-4
"""One-cycle: share of the steps on the way up, factor at the start and at the end. Source: Smith & Topin, Super-convergence
(2018); the shape is that of torch's OneCycleLR, share and start are those of fastai's fit_one_cycle."""
_GAIN = 1e-4
"""Plateau: a loss that is lower by no more than this, in nats, is no gain. Source: Keras' ReduceLROnPlateau, which R4 used."""


def rate_at(asked: float, settings: Settings, progress: float, held_losses: Sequence[float]) -> float:
    """Return the learning rate of a group of weights whose asked rate is `asked`.

    progress: epochs done, with the part of the one that goes on; held_losses: of the held-out products after each epoch.
    """
    if settings.schedule == "one-cycle":
        return asked * _one_cycle(min(progress / settings.epochs, 1.0))
    if settings.schedule == "cosine":
        return asked * _between(1.0, 0.0, min(progress / settings.epochs, 1.0))
    if settings.schedule == "restarts":
        return asked * _between(1.0, 0.0, _share_of_cycle(progress, settings.cycle_epochs, settings.cycle_times))
    if settings.schedule == "plateau":
        lowered = settings.plateau_times ** _plateaus(held_losses, settings.patience)
        return max(asked * lowered, min(asked, settings.least_rate))
    return asked


def _one_cycle(share: float) -> float:
    if share < _RISE:
        return _between(_START, 1.0, share / _RISE)
    return _between(1.0, _END, (share - _RISE) / (1 - _RISE))


def _share_of_cycle(progress: float, first: int, times: int) -> float:
    """Return how much of its cycle is done; Source: Loshchilov & Hutter, SGDR (2017), equation 5."""
    length = first
    while progress >= length:
        progress, length = progress - length, length * times
    return progress / length


def _plateaus(held_losses: Sequence[float], patience: int) -> int:
    """Count how often the loss did not fall for `patience` epochs."""
    best, without_gain, plateaus = inf, 0, 0
    for loss in held_losses:
        if loss < best - _GAIN:
            best, without_gain = loss, 0
        else:
            without_gain += 1
        if without_gain >= max(patience, 1):
            plateaus, without_gain = plateaus + 1, 0
    return plateaus


def _between(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + cos(pi * share)) / 2
