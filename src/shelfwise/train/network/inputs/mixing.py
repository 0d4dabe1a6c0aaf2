"""Samples mixed with one another."""

from __future__ import annotations

from math import sqrt

import numpy as np
import torch
from torch import Tensor

from shelfwise.train.network.settings import Settings

Mixed = tuple[Tensor, Tensor]


def mixed(inputs: Tensor, target: Tensor, settings: Settings, place: tuple[int, ...]) -> Mixed:
    """Mix inputs (m, ...) and targets (m, c) as the settings ask; place: epoch, step and process, which decide how.

    Where both mixup and cutmix are asked for, every step tosses a coin.
    """
    if not settings.mixup and not settings.cutmix:
        return inputs, target
    chance = np.random.default_rng([settings.seed, *place])
    cuts = bool(settings.cutmix) and (not settings.mixup or chance.random() < 0.5)
    strength = settings.cutmix if cuts else settings.mixup
    share = float(chance.beta(strength, strength))
    other = torch.from_numpy(chance.permutation(len(inputs)))
    return _pasted(inputs, target, other, share, chance) if cuts else _blended(inputs, target, other, share)


def _blended(inputs: Tensor, target: Tensor, other: Tensor, share: float) -> Mixed:
    """Keep a share of each sample and add the rest of another's. Source: Zhang et al., mixup (2018), equation 1."""
    return inputs[other].lerp_(inputs, share), target[other].lerp_(target, share)


def _pasted(inputs: Tensor, target: Tensor, other: Tensor, share: float, chance: np.random.Generator) -> Mixed:
    """Put a rectangle of another sample over each, the same for all; targets go by the area that is left.

    Inputs (m, ch, h, w) are photos or activations; of vectors (m, d) and of tokens (m, t, d) a stretch of the second axis takes
    the rectangle's place. Source: Yun et al., CutMix (2019), equations 1 and 2.
    """
    if inputs.dim() == 4:
        edge = sqrt(1 - share)
        rows, columns = _stretch(inputs.shape[2], edge, chance), _stretch(inputs.shape[3], edge, chance)
        where: tuple[slice, ...] = (slice(None), rows, columns)
        area = (rows.stop - rows.start) * (columns.stop - columns.start) / (inputs.shape[2] * inputs.shape[3])
    else:
        stretch = _stretch(inputs.shape[1], 1 - share, chance)
        where, area = (stretch,), (stretch.stop - stretch.start) / inputs.shape[1]
    pasted = inputs.clone()
    pasted[(slice(None), *where)] = inputs[(other, *where)]
    return pasted, target[other].lerp_(target, 1 - area)


def _stretch(length: int, share: float, chance: np.random.Generator) -> slice:
    """Return a stretch of about a share of a length around any of its places, cut off at the ends."""
    half, middle = length * share / 2, chance.uniform(0, length)
    return slice(round(max(0.0, middle - half)), round(min(float(length), middle + half)))
