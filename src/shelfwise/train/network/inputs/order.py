"""In which order an epoch goes through the samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.train.network.settings import Settings


def order_of(column: NDArray[Any], epoch: int, settings: Settings) -> NDArray[np.int64]:
    """Return the samples (n,) of an epoch, shuffled: each once, or drawn so that every category is shown alike.

    column: (n,) the category of each sample; of samples with attributes, (n, l), none is shown more often than another.
    """
    chance = np.random.default_rng([settings.seed, epoch])
    if settings.sampling == "once":
        return chance.permutation(len(column))
    counts = np.bincount(column)
    share = 1.0 / counts[column]
    return chance.choice(len(column), len(column), p=share / share.sum())
