"""How good answers are where a product has several attributes, each answered by a probability."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.bool_]


def micro_f1(answered: Labels, labels: Labels) -> float:
    """Return F1 over all pairs of product and attribute (p, l); 1 where there is nothing to find and nothing was answered.

    Source: report R2's metric: true and false positives and false negatives summed over attributes.
    """
    right, told = int((answered & labels).sum()), int(answered.sum()) + int(labels.sum())
    return 2 * right / told if told else 1.0


def best_threshold(probabilities: Probabilities, labels: Labels) -> float:
    """Return the probability from which on attributes are answered so that micro-F1 is highest; one for all attributes."""
    order = np.argsort(-probabilities, axis=None, kind="stable")
    falling = probabilities.ravel()[order].astype(np.float64)
    right = np.cumsum(labels.ravel()[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + max(int(right[-1]), 1))
    last_of_equal = np.append(falling[1:] != falling[:-1], True)
    place = int(np.argmax(np.where(last_of_equal, f1, -1.0)))
    below = falling[place + 1] if place + 1 < len(falling) else falling[place]
    return float((falling[place] + below) / 2)


def crossed_answers(probabilities: Probabilities, labels: Labels) -> Labels:
    """Answer every product (p, l) by the threshold that was best for products of the other half: even and odd rows.

    So no product has a say in its own threshold, and the figure is not too good.
    """
    answered = np.zeros(labels.shape, np.bool_)
    for half in (0, 1):
        if len(labels[1 - half :: 2]):
            answered[half::2] = probabilities[half::2] >= best_threshold(
                probabilities[1 - half :: 2], labels[1 - half :: 2]
            )
    return answered
