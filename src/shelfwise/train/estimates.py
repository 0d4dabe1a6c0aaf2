"""Honest figures about a classifier, from products that it did not learn from, and the calibration that they ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures
from shelfwise.classifiers.calibration import Calibration
from shelfwise.columns import Columns
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import Scores, score
from shelfwise.metrics.intervals import Proportion, differ
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.train.learned import LearnedClassifier
from shelfwise.train.rows import Grouping, Numbers, Way, rows_known_from_others, whole_groups

NOT_INDEPENDENT = (
    "These training photos are not independent: left out one by one, {left_out:.1%} of them are answered right, but only "
    "{validation:.1%} of the validation split. A photo left out has a twin that stays: the same item on the same shelf, "
    "taken in a burst. Believe the validation split; calibration and thresholds rest on it."
)

_BLOCK = 2048
_SAMPLE = 8192
"""Held-out products that the calibration is fitted on, at most."""


@dataclass(frozen=True)
class Estimates:
    """What to expect of a classifier.

    figures: by how they were held out (`leave_one_out`, `leave_look_alikes_out`, `validation`), JSON values without
    intervals; calibrated_on: which of them the calibration rests on; left_out: the answers behind the first, in the order
    of the products; held_out: the answers behind `calibrated_on`.
    """

    calibration: Calibration
    calibrated_on: str
    figures: dict[str, dict[str, Any]]
    left_out: Answers
    held_out: Answers
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Judge:
    """Asks a classifier about products that it did not learn from."""

    learned: LearnedClassifier
    data: ProductFeatures
    column: NDArray[np.int32]
    columns: Columns
    groups: Grouping
    validation: ProductFeatures | None

    def answers(self, way: Way, calibration: Calibration) -> Answers:
        """Return the answers about all training products, in their order."""
        parts, order = [], []
        for rows in whole_groups(self.groups.of(way), _BLOCK):
            probabilities = calibration.apply(self.learned.held_out(way, rows))
            parts.append(self._answers(self.data, rows, self.column[rows], probabilities))
            order.append(rows)
        return Answers.concatenate(parts).take(np.argsort(np.concatenate(order)))

    def validation_answers(self, calibration: Calibration) -> Answers | None:
        """Return the answers about the validation products whose category is known; None where there are none."""
        if self.validation is None:
            return None
        column = self.columns.of(self.validation.categories)
        known = np.flatnonzero(column >= 0)
        parts = []
        for start in range(0, len(known), _BLOCK):
            rows = known[start : start + _BLOCK]
            probabilities = calibration.apply(self.learned.log_probabilities(self.validation, rows))
            parts.append(self._answers(self.validation, rows, column[rows], probabilities))
        return Answers.concatenate(parts) if parts else None

    def calibration_of_left_out(self) -> Calibration:
        """Fit the calibration on products left out with their look-alikes."""
        way: Way = "leave_look_alikes_out"
        known = rows_known_from_others(self.groups.of(way), self.column)
        rows = _sampled(self.groups.of(way), known)
        return fit_calibration(self.learned.held_out(way, rows)[known[rows]], self.column[rows][known[rows]])

    def calibration_of_validation(self) -> Calibration:
        """Fit the calibration on the validation split."""
        assert self.validation is not None
        column = self.columns.of(self.validation.categories)
        rows = np.flatnonzero(column >= 0)
        return fit_calibration(self.learned.log_probabilities(self.validation, rows), column[rows])

    def _answers(
        self, data: ProductFeatures, rows: Numbers, column: NDArray[np.int32], probabilities: NDArray[np.float32]
    ) -> Answers:
        return Answers.from_probabilities(data.product_ids[rows].astype(np.str_), column, probabilities, self.columns)


def fit_calibration(log_probabilities: NDArray[np.float32], truth: NDArray[np.int32]) -> Calibration:
    """Fit the calibration on log-probabilities (n, c) of products that were not learned from."""
    return Calibration(fit_temperature(log_probabilities, truth))


def estimate(judge: Judge) -> Estimates:
    """Estimate a classifier on held-out training products, and on a validation split where there is one.

    The calibration is fitted with look-alikes left out; where leave-one-out and validation disagree beyond chance, it is
    fitted on validation. Validation products of categories unknown to the head are left aside.
    """
    calibration, source, notes = judge.calibration_of_left_out(), "leave_look_alikes_out", []
    known = {
        way: rows_known_from_others(judge.groups.of(way), judge.column)
        for way in ("leave_one_out", "leave_look_alikes_out")
    }
    left_out = judge.answers("leave_one_out", calibration)
    validation = judge.validation_answers(calibration)
    if validation is not None:
        seen = score(left_out.take(known["leave_one_out"]), resamples=0)
        told = score(validation, resamples=0)
        if _disagree(seen, told):
            source, calibration = "validation", judge.calibration_of_validation()
            notes.append(NOT_INDEPENDENT.format(left_out=_top1(seen), validation=_top1(told)))
            left_out = judge.answers("leave_one_out", calibration)
            validation = judge.validation_answers(calibration)
    judged = {"leave_one_out": left_out.take(known["leave_one_out"])}
    look_alikes_out = judge.answers("leave_look_alikes_out", calibration)
    judged["leave_look_alikes_out"] = look_alikes_out.take(known["leave_look_alikes_out"])
    if validation is not None:
        judged["validation"] = validation
    figures = {name: score(found, resamples=0).to_dict() for name, found in judged.items()}
    return Estimates(calibration, source, figures, left_out, judged[source], notes)


def _sampled(group: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Draw whole groups that hold known rows until they hold _SAMPLE of them."""
    groups = np.unique(group[known])
    drawn = np.random.default_rng(0).permutation(groups)
    count = np.cumsum(np.unique(group[known], return_counts=True)[1][np.searchsorted(groups, drawn)])
    return np.flatnonzero(np.isin(group, drawn[: int(np.searchsorted(count, _SAMPLE)) + 1]))


def _top1(scores: Scores) -> float:
    return scores.figures["top1"].value


def _disagree(left_out: Scores, validation: Scores) -> bool:
    return differ(Proportion(_top1(left_out), left_out.products), Proportion(_top1(validation), validation.products))
