"""Samples mixed with one another."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from shelfwise.train.network.settings import Settings


def mixed(inputs: Tensor, target: Tensor, settings: Settings, place: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mix inputs (m, ...) and targets (m, c) as the settings ask; place: epoch, step and process, which decide how.

    Source: Zhang et al., mixup (2018), equation 1.
    """
    if not settings.mixup:
        return inputs, target
    chance = np.random.default_rng([settings.seed, *place])
    share = float(chance.beta(settings.mixup, settings.mixup))
    other = torch.from_numpy(chance.permutation(len(inputs)))
    return share * inputs + (1 - share) * inputs[other], share * target + (1 - share) * target[other]
