"""How much of every shelf belongs elsewhere, and where to: confident learning on the answers that were kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.sparse import coo_array, csr_array
from scipy.special import expit

from shelfwise.shelves.judge import Judged

_SLACK = 1e-6
_LEAST = 1e-15
_LARGEST_SHIFT = 100.0


@dataclass(frozen=True, eq=False)
class Noise:
    """What is estimated of c shelves.

    products: (c,) int64 products judged on each; share: (c,) float32 part of them that belongs elsewhere, NaN where none
    was judged; shelf, other, misplaced: (m,) how many products of `shelf` belong on `other`, most first, pairs without any
    left out.
    """

    products: NDArray[np.int64]
    share: NDArray[np.float32]
    shelf: NDArray[np.int32]
    other: NDArray[np.int32]
    misplaced: NDArray[np.float32]


def estimate_noise(judged: Judged, categories: int) -> Noise:
    """Estimate the noise of every shelf from left-out answers.

    The confident joint, each row scaled to the number of products on the shelf. Memory is that of the pairs that occur,
    never c x c. Only the shelves that were kept of each product are looked at: one with a smaller probability cannot be
    confident unless its threshold is smaller still.
    Source: Northcutt, Jiang and Chuang 2021, Confident Learning, equations 1 to 3.
    """
    at = np.flatnonzero(judged.judged)
    category = judged.category[at]
    products = np.bincount(category, minlength=categories)
    joint = confident_joint(judged.take(at), categories)
    kept = joint.sum(axis=1)
    scale = np.divide(products, kept, out=np.zeros(categories), where=kept > 0)
    pairs = coo_array(joint)
    here, there = pairs.coords
    count = pairs.data * scale[here]
    off = here != there
    away = np.bincount(here[off], count[off], categories)
    share = np.where(products > 0, away / np.maximum(products, 1), np.nan).astype(np.float32)
    order = np.argsort(-count[off], kind="stable")
    shelf, other, misplaced = (values[off][order] for values in (here, there, count))
    return Noise(products, share, shelf.astype(np.int32), other.astype(np.int32), misplaced.astype(np.float32))


def misplaced_probability(judged: Judged, noise: Noise) -> NDArray[np.float32]:
    """Return the probability (p,) that each product stands on the wrong shelf; NaN where nothing was judged.

    That a product was put on its shelf says more than that its photo looks like it: the odds of the other shelves,
    (1 - own) / own, are multiplied by the one factor with which the mean over all products becomes the estimated share.
    Source: Saerens, Latinne and Decaestecker 2002, Adjusting the Outputs of a Classifier to New a Priori Probabilities,
    section 2.2; docs/experiments.md, wrong shelves.
    """
    own = np.clip(judged.own.astype(np.float64), _LEAST, 1 - _LEAST)
    log_odds = np.log1p(-own) - np.log(own)
    known = log_odds[judged.judged]
    share = float(noise.misplaced.sum()) / max(len(known), 1)
    if share == 0:
        return np.where(judged.judged, 0, np.nan).astype(np.float32)
    factor = brentq(lambda shift: expit(known + shift).mean() - share, -_LARGEST_SHIFT, _LARGEST_SHIFT)
    return np.asarray(expit(log_odds + factor), dtype=np.float32)


def confident_joint(judged: Judged, categories: int) -> csr_array:
    """Count the products of shelf i (row) that are confidently on shelf j (column), (c, c) sparse; all must be judged.

    A product is confidently on the most probable of the shelves that it reaches the threshold of: the mean probability with
    which the products of that shelf are answered by it. Every shelf with products is confidently itself at least once.
    """
    threshold = self_confidence(judged, categories) - _SLACK
    own = judged.shelves == judged.category[:, None]
    others = np.where((judged.shelves >= 0) & ~own, judged.probabilities, -1)
    reached = np.where(others >= threshold[judged.shelves], others, -1)
    column = reached.argmax(axis=1)[:, None]
    other, best = (np.take_along_axis(values, column, axis=1)[:, 0] for values in (judged.shelves, reached))
    mine = np.where(judged.own >= threshold[judged.category], judged.own, -1)
    confident = np.maximum(best, mine) >= 0
    true = np.where(mine >= best, judged.category, other)[confident]
    counts = coo_array((np.ones(len(true)), (judged.category[confident], true)), shape=(categories, categories)).tocsr()
    shelves = np.unique(judged.category)
    missing = shelves[counts.diagonal()[shelves] == 0]
    ones = coo_array((np.ones(len(missing)), (missing, missing)), shape=counts.shape)
    return csr_array(counts + ones.tocsr())


def self_confidence(judged: Judged, categories: int) -> NDArray[np.float64]:
    """Return the mean probability (c,) of their own shelf over the products of each; infinity for a shelf without any."""
    count = np.bincount(judged.category, minlength=categories)
    total = np.bincount(judged.category, judged.own, categories)
    return np.asarray(np.divide(total, count, out=np.full(categories, np.inf), where=count > 0))
