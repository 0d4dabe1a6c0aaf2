"""What stops a training before it starts, or says why it could not go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from shelfwise.errors import CatalogError, OptionError
from shelfwise.train.network.inputs.photos import Photos

_NO_MEMORY = ("can't allocate memory", "out of memory", "Failed to allocate memory", "bad allocation", "bad_alloc")


def refuse_unusable(learned: Photos, held: Photos, categories: int) -> None:
    """Raise CatalogError for products that a network cannot learn from, or cannot be held against.

    learned, held: photos of products, each with a column below `categories`.
    """
    for photos, what in ((learned, "to learn from"), (held, "to hold the network against")):
        if not len(photos):
            raise CatalogError(f"none of the products {what} has a usable photo: see  shelfwise quarantine list")
        has_several = photos.column.ndim == 2
        if not has_several and not (photos.column.min() >= 0 and photos.column.max() < categories):
            raise CatalogError(f"products {what} have labels outside the {categories} categories")
    if learned.column.ndim == 1 and len(np.unique(learned.column)) < 2:
        raise CatalogError(
            "there is nothing to tell apart: the products with photos are all of one category, two are needed"
        )


@contextmanager
def memory_told(batch: int, side_px: int) -> Iterator[None]:
    """Turn what any library says of too little memory into an OptionError that names batch and side."""
    try:
        yield
    except Exception as error:
        is_short = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not is_short and not any(said in str(error) for said in _NO_MEMORY):
            raise
        raise OptionError(
            f"out of memory with --batch {batch} and photos of {side_px} px: take a smaller --batch, e.g. {max(1, batch // 2)}, "
            "or a smaller --side, and learn from the beginning: remove the .training folder beside the bundle first"
        ) from error
