"""How much a product's further photos help: every photo answered alone, and products by their number of photos."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import Scores, score
from shelfwise.metrics.intervals import Estimate, Proportion, wilson_interval


def by_photos(
    data: ProductFeatures, answers: Answers, scores: Scores, alone: Answers, *, seed: int = 0
) -> dict[str, Any]:
    """Return `photos`, the figures of photos answered alone, and `by_photo_count`, those of products with so many photos.

    answers and scores: of the products; alone: of their photos. Intervals of photos draw products with all their photos.
    """
    of_photos = scores if len(alone) == len(answers) else score(alone, seed=seed, product=data.product)
    figures = {"photos" if name == "products" else name: value for name, value in of_photos.to_dict().items()}
    return {
        "photos": figures,
        "by_photo_count": _by_count(np.bincount(data.product), answers, alone.right, data.product),
    }


def _by_count(
    count: NDArray[np.int64], answers: Answers, photo_right: NDArray[np.bool_], product: NDArray[np.int64]
) -> dict[str, Any]:
    """Return for each number of photos: how many products have it, their top-1, and that of their photos alone."""
    found = {}
    for photos in np.unique(count):
        has = count == photos
        share = Proportion(float(answers.right[has].mean()), int(has.sum()))
        found[str(photos)] = {
            "products": share.n,
            "top1": Estimate(share.value, *wilson_interval(share)).to_dict(),
            "alone": {"value": float(photo_right[has[product]].mean())},
        }
    return found
