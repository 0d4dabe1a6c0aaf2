"""How much a product looks like those that were learned from: the score of what is in no category at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.classifiers import parts as parts_of
from shelfwise.classifiers.parts import Parts
from shelfwise.classifiers.stored import Stored, Tensors
from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.float32]

KEPT_SCORES = 999
_SMALLEST = np.float32(1e-12)


@dataclass(frozen=True, eq=False)
class Familiarity:
    """Where learned products lie, and how near held-out ones came.

    center: (d,) mean of the categories' mean vectors; directions: (m, d) of length 1, from there to each category's mean, in
    no fixed order; held_out: ascending scores of products that were not learned from; parts: slices of the feature vector
    that it looks at, all of it where there are none; d is their width.
    """

    center: Float
    directions: Float
    held_out: Float
    parts: Parts = ()

    @classmethod
    def of_means(cls, means: Float, held_out: Float) -> Familiarity:
        """Make it of categories' mean vectors (m, d) and any number of held-out scores."""
        center = means.mean(axis=0)
        return cls(center, unit(means - center), _kept(held_out))

    def compared_with(self, held_out: Float) -> Familiarity:
        """Return it with the scores of other held-out products."""
        return replace(self, held_out=_kept(held_out))

    def of(self, x: Float, log_best: Float) -> Float:
        """Return the familiarity (p,) of products' mean vectors x (p, d), over 0 to 1.

        It is the share of products of known categories that look as strange or stranger: a conformal p-value, at most s
        for a share s of products like those held out. log_best: as in `scores`.
        Source: Bates et al. 2023, Testing for Outliers with Conformal p-values, equation 3.
        """
        at_most = np.searchsorted(self.held_out, self.scores(x, log_best), side="right")
        return ((1 + at_most) / (1 + len(self.held_out))).astype(np.float32)

    def scores(self, x: Float, log_best: Float) -> Float:
        """Return how near (p,) products come: the cosine to the nearest category's mean times the root of the best probability.

        log_best: (p,) log-probability of the likeliest category, before calibration.
        Source: docs/experiments.md, certainty; the cosine tells what is far from everything, the probability what is near.
        """
        x = parts_of.seen(x, self.parts)
        return score_of((unit(x - self.center) @ self.directions.T).max(axis=1), log_best)

    def stored(self) -> Stored:
        """Return it as it lies in a file."""
        tensors = {"center": self.center, "directions": self.directions, "held_out": self.held_out}
        told = {"directions": len(self.directions), "held_out": len(self.held_out), "parts": self.parts}
        return told, tensors

    @classmethod
    def restored(cls, values: dict[str, Any], tensors: Tensors, d: int) -> Familiarity:
        """Read what `stored` gave, for vectors of length d; raises BundleError for anything else."""
        m, kept = int(values["directions"]), int(values["held_out"])
        if m < 1 or kept < 1:
            raise BundleError("bundle.json", f"familiarity with {m} categories and {kept} held-out products")
        parts = parts_of.restored(values.get("parts", []), d)
        d = parts_of.width(parts, d)
        held_out = tensors.take("held_out", (kept,))
        if (np.diff(held_out) < 0).any():
            raise BundleError(tensors.file, "held-out scores of familiarity do not ascend")
        return cls(tensors.take("center", (d,)), tensors.take("directions", (m, d)), held_out, parts)


def _kept(scores: Float) -> Float:
    """Sort scores; KEPT_SCORES of them stay."""
    ascending = np.sort(scores)
    if len(ascending) > KEPT_SCORES:
        ascending = ascending[np.linspace(0, len(ascending) - 1, KEPT_SCORES).round().astype(np.intp)]
    return np.asarray(ascending, dtype=np.float32)


def score_of(cosine: Float, log_best: Float) -> Float:
    """Put the two signs of being known together, each (p,)."""
    return np.asarray(np.maximum(cosine, 0) * np.exp(np.minimum(log_best, 0) / 2), dtype=np.float32)


def unit(rows: Float) -> Float:
    """Scale rows to length 1; a row of zeros stays."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _SMALLEST), dtype=np.float32)
