"""What was learned, with what it says of products that it did not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures
from shelfwise.classifiers.calibration import Calibration
from shelfwise.classifiers.classifier import Classifier, combined
from shelfwise.classifiers.familiarity import Familiarity
from shelfwise.classifiers.heads import Scorer
from shelfwise.classifiers.member import Member, Model
from shelfwise.train.rows import Numbers, TrainingRows, Way

HeldOut = Callable[[Way, Numbers], NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class LearnedHead:
    """A head and the temperature of its scores, fitted on scores of rows whose look-alikes were left out with them.

    held_out(way, rows): scores (m, c) of rows (m,), whole groups of that way, as if the head had learned from none of
    their group; `method` says how they were come by; facts: what was chosen, JSON values; again(rows): a head learned from
    other rows with the same choices.
    """

    head: Scorer
    temperature: float
    facts: dict[str, Any]
    method: str
    held_out: HeldOut
    again: Callable[[TrainingRows], Scorer]


HeadLearner = Callable[[TrainingRows], LearnedHead]


@dataclass(frozen=True)
class LearnedModel:
    """Heads in a hierarchy; held_out(way, rows) gives log-probabilities (m, c)."""

    model: Model
    facts: dict[str, Any]
    method: str
    held_out: HeldOut


@dataclass(frozen=True)
class LearnedMember:
    """A member of a classifier; held_out(way, products) gives log-probabilities (m, c) of products."""

    member: Member
    facts: dict[str, Any]
    method: str
    held_out: HeldOut


@dataclass(frozen=True)
class LearnedClassifier:
    """Members and their weights, not yet calibrated; facts: how the weights were chosen, where there are several."""

    members: tuple[LearnedMember, ...]
    weights: tuple[float, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    def held_out(self, way: Way, products: Numbers) -> NDArray[np.float32]:
        """Return what is said of products (m,), whole groups, when nothing was learned from their group: (m, c)."""
        return combined([np.asarray(m.held_out(way, products), np.float32) for m in self.members], self.weights)

    def log_probabilities(self, data: ProductFeatures, rows: Numbers) -> NDArray[np.float32]:
        """Return what is said of products that were not learned from at all, (m, c)."""
        photos, place = data.photos_of(rows)
        members = [m.member.log_probabilities(data.photos[photos], place, len(rows)) for m in self.members]
        return combined(members, self.weights)

    def calibrated(self, calibration: Calibration, familiarity: Familiarity | None = None) -> Classifier:
        """Return the classifier."""
        return Classifier(tuple(m.member for m in self.members), self.weights, calibration, familiarity)
