"""Honest figures about a classifier, from products that it did not learn from, and the calibration that they ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures
from shelfwise.classifiers.calibration import Calibration
from shelfwise.classifiers.familiarity import Familiarity
from shelfwise.columns import Columns
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import score
from shelfwise.metrics.intervals import Proportion, differ
from shelfwise.train.calibrate import CrossCalibration, cross_calibrated
from shelfwise.train.familiar import scores_of_left_out, scores_of_others, sums_of
from shelfwise.train.learned import LearnedClassifier
from shelfwise.train.rows import WAYS, Grouping, Numbers, Way, rows_known_from_others, sampled, whole_groups

NOT_INDEPENDENT = (
    "These training photos are not independent: left out one by one, {left_out:.1%} of them are answered right, but only "
    "{validation:.1%} of the validation split. A photo left out has a twin that stays: the same item on the same shelf, "
    "taken in a burst. Believe the validation split; calibration and thresholds rest on it."
)
UNSETTLED = (
    "These training photos are not independent: left out one by one, {left_out:.1%} of them are answered right, left out "
    "with their look-alikes only {apart:.1%}. The truth lies between, and no validation split of 50 products or more tells "
    "where. Calibration and thresholds rest on the darker figure; a split called val, of photos taken another day, would "
    "settle it."
)

_BLOCK = 2048
_SAMPLE = 8192
"""Held-out products that the calibration is fitted on, at most."""
_FEWEST = 50
"""From so many validation products on a calibration can rest on them; a choice, not a measurement."""
_WILD = 0.1
"""From this difference on leave-one-out and leave-look-alikes-out are said to disagree; a choice, not a measurement."""


@dataclass(frozen=True)
class Estimates:
    """What to expect of a classifier.

    figures: by how they were held out (`leave_one_out`, `leave_look_alikes_out`, `validation`), JSON values without
    intervals; calibrated_on: which of them the calibration rests on; left_out: the answers behind the first, in the order
    of the products; held_out: answers behind `calibrated_on`, each calibrated without itself.
    """

    calibration: Calibration
    calibrated_on: str
    figures: dict[str, dict[str, Any]]
    left_out: Answers
    held_out: Answers
    familiarity: Familiarity
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

    def known(self, way: Way) -> NDArray[np.bool_]:
        """Tell (p,) which training products can be answered right when their group is left out."""
        return rows_known_from_others(self.groups.of(way), self.column)

    def calibration_of_left_out(self) -> CrossCalibration:
        """Fit the calibration on products left out with their look-alikes."""
        way: Way = "leave_look_alikes_out"
        group, known = self.groups.of(way), self.known(way)
        rows = sampled(group, known, _SAMPLE)
        told, rows = self.learned.held_out(way, rows)[known[rows]], rows[known[rows]]
        return cross_calibrated(told, self.column[rows], self.columns, rows, group)

    def calibration_of_validation(self) -> CrossCalibration:
        """Fit the calibration on the validation split."""
        data, column = self._validation()
        each = np.arange(len(data))
        rows = sampled(each, column >= 0, _SAMPLE)
        return cross_calibrated(self.learned.log_probabilities(data, rows), column[rows], self.columns, rows, each)

    def answers(self, way: Way, calibrated: CrossCalibration | Calibration) -> Answers:
        """Return the answers about all training products, in their order."""
        parts, order = [], []
        for rows in whole_groups(self.groups.of(way), _BLOCK):
            told = self.learned.held_out(way, rows)
            parts.append(self._answers(self.data, rows, self.column[rows], self._applied(calibrated, told, rows)))
            order.append(rows)
        return Answers.concatenate(parts).take(np.argsort(np.concatenate(order)))

    def validation_answers(self, calibrated: CrossCalibration | Calibration) -> Answers | None:
        """Return the answers about the validation products whose category is known; None where there are none."""
        if self.validation is None:
            return None
        data, column = self._validation()
        known, parts = np.flatnonzero(column >= 0), []
        for start in range(0, len(known), _BLOCK):
            rows = known[start : start + _BLOCK]
            told = self.learned.log_probabilities(data, rows)
            parts.append(self._answers(data, rows, column[rows], self._applied(calibrated, told, rows)))
        return Answers.concatenate(parts) if parts else None

    def familiarity(self, source: str) -> Familiarity:
        """Learn what known products look like, and how near those of a source come that were not learned from."""
        means = _means(self.data.x, self.column, len(self.columns))
        if source == "validation":
            data, column = self._validation()
            rows = sampled(np.arange(len(data)), column >= 0, _SAMPLE)
            scores = scores_of_others(data.x[rows], means, self.learned.log_probabilities(data, rows))
        else:
            way: Way = "leave_look_alikes_out"
            known, group = self.known(way), self.groups.of(way)
            rows = sampled(group, known, _SAMPLE)
            told = self.learned.held_out(way, rows)
            scores = scores_of_left_out(self.data.x, self.column, group, means, rows, told)[known[rows]]
        return Familiarity.of_means(means, scores)

    def _validation(self) -> tuple[ProductFeatures, NDArray[np.int32]]:
        assert self.validation is not None
        return self.validation, self.columns.of(self.validation.categories)

    def _applied(
        self, calibrated: CrossCalibration | Calibration, told: NDArray[np.float32], rows: Numbers
    ) -> NDArray[np.float32]:
        if isinstance(calibrated, Calibration):
            return calibrated.apply(told, self.columns)
        return calibrated.apply(told, self.columns, rows)

    def _answers(
        self, data: ProductFeatures, rows: Numbers, column: NDArray[np.int32], probabilities: NDArray[np.float32]
    ) -> Answers:
        return Answers.from_probabilities(data.product_ids[rows].astype(np.str_), column, probabilities, self.columns)


def estimate(judge: Judge) -> Estimates:
    """Estimate a classifier on held-out training products, and on a validation split where there is one.

    The calibration is fitted with look-alikes left out; where validation disagrees with that or with leave-one-out beyond
    chance, it is fitted on validation. Validation products of categories unknown to the head are left aside.
    """
    source, crossed = "leave_look_alikes_out", judge.calibration_of_left_out()
    judged, left_out = _judged(judge, crossed, source)
    told = judged.get("validation")
    if told is not None and len(told) >= _FEWEST and any(_disagree(judged[way], told) for way in WAYS):
        source, crossed = "validation", judge.calibration_of_validation()
        judged, left_out = _judged(judge, crossed, source)
    figures = {name: score(found, resamples=0).to_dict() for name, found in judged.items()}
    familiarity = judge.familiarity(source)
    return Estimates(
        crossed.calibration, source, figures, left_out, judged[source], familiarity, _notes(judged, source)
    )


def _judged(judge: Judge, crossed: CrossCalibration, source: str) -> tuple[dict[str, Answers], Answers]:
    """Return the answers held out each way, those of `source` calibrated without themselves; and all that were left out."""
    way: Way = "leave_look_alikes_out"
    left_out = judge.answers("leave_one_out", crossed.calibration)
    apart = judge.answers(way, crossed if source == way else crossed.calibration)
    judged = {"leave_one_out": left_out.take(judge.known("leave_one_out")), way: apart.take(judge.known(way))}
    validation = judge.validation_answers(crossed if source == "validation" else crossed.calibration)
    return judged | ({} if validation is None else {"validation": validation}), left_out


def _notes(judged: dict[str, Answers], source: str) -> list[str]:
    """Tell where leaving one out is too bright, and what is believed instead."""
    left_out, apart = judged["leave_one_out"], judged["leave_look_alikes_out"]
    if source == "validation":
        told = judged[source]
        too_bright = _top1(left_out) > _top1(told) and _disagree(left_out, told)
        return [NOT_INDEPENDENT.format(left_out=_top1(left_out), validation=_top1(told))] if too_bright else []
    wild = _top1(left_out) - _top1(apart) > _WILD and _disagree(left_out, apart)
    note = UNSETTLED.format(left_out=_top1(left_out), apart=_top1(apart))
    return [note] if wild and ("validation" not in judged or len(judged["validation"]) < _FEWEST) else []


def _means(x: NDArray[np.float32], column: NDArray[np.int32], categories: int) -> NDArray[np.float32]:
    return np.asarray(
        sums_of(x, column, categories) / np.bincount(column, minlength=categories)[:, None], dtype=np.float32
    )


def _top1(answers: Answers) -> float:
    return float(answers.right.mean())


def _disagree(one: Answers, other: Answers) -> bool:
    return differ(Proportion(_top1(one), len(one)), Proportion(_top1(other), len(other)))
