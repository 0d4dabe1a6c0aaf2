"""Honest figures about a head, from products that it did not learn from, and the temperature that they ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shelfwise.backbones.products import ProductFeatures
from shelfwise.errors import CatalogError
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import Scores, score
from shelfwise.metrics.intervals import Proportion, differ
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.statistics.clusters import joined_groups, look_alike_clusters
from shelfwise.statistics.head import softmax
from shelfwise.taxonomy import Taxonomy
from shelfwise.train.heads import Blocks, Learned

NOT_INDEPENDENT = (
    "These training photos are not independent: left out one by one, {left_out:.1%} of them are answered right, but only "
    "{validation:.1%} of the validation split. A photo left out has a twin that stays: the same item on the same shelf, "
    "taken in a burst. Believe the validation split; the temperature was fitted on it."
)


@dataclass(frozen=True, slots=True)
class Columns:
    """What columns mean: category ids in the order of the head's columns, in a tree."""

    categories: tuple[str, ...]
    taxonomy: Taxonomy

    def of(self, categories: NDArray[np.object_]) -> NDArray[np.int32]:
        """Return the column of each category id, -1 for one that has none."""
        column_of = {category: column for column, category in enumerate(self.categories)}
        return np.array([column_of.get(category, -1) for category in categories], dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Rows that are left out together, (n,) group numbers: same pictures; same pictures or look-alikes."""

    product: NDArray[np.int64]
    look_alike: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimates:
    """What to expect of a head.

    figures: by how they were held out (`leave_one_out`, `leave_look_alikes_out`, `validation`), JSON values without
    intervals; temperature_from: which of them the temperature was fitted on; left_out: the answers behind the first,
    in the order of the products.
    """

    temperature: float
    temperature_from: str
    figures: dict[str, dict[str, Any]]
    left_out: Answers
    notes: list[str] = field(default_factory=list)


def group_rows(data: ProductFeatures, column: NDArray[np.int32]) -> Grouping:
    """Group products that share a picture byte for byte, and products of one category that look alike.

    Where every category is one cluster of look-alikes, leaving them out would leave nothing to judge by: then only equal
    pictures are left out together. Raises CatalogError when even so no category has products in two groups.
    """
    same_picture = _linked_by_pictures(data)
    for group in (joined_groups(same_picture, look_alike_clusters(data.x, column)), same_picture):
        if rows_known_from_others(group, column).any():
            return Grouping(same_picture, group)
    raise CatalogError(
        "every category has one product only: nothing is left to judge by; bring more products or photos"
    )


def _linked_by_pictures(data: ProductFeatures) -> NDArray[np.int64]:
    p, pictures = len(data), int(data.picture.max()) + 1
    ones = np.ones(len(data.picture), dtype=np.bool_)
    links = coo_array((ones, (data.picture_product, p + data.picture)), shape=(p + pictures, p + pictures))
    return np.asarray(connected_components(links, directed=False)[1][:p], dtype=np.int64)


def estimate(
    learned: Learned, data: ProductFeatures, columns: Columns, groups: Grouping, validation: ProductFeatures | None
) -> Estimates:
    """Estimate a head on held-out training products, and on a validation split where there is one.

    The temperature is the head's own, fitted with look-alikes left out; where leave-one-out and validation disagree
    beyond chance, it is fitted on validation. Validation products of categories unknown to the head are left aside.
    """
    column = columns.of(data.categories)
    ways = {"leave_one_out": groups.product, "leave_look_alikes_out": groups.look_alike}
    known = {way: rows_known_from_others(group, column) for way, group in ways.items()}

    def answers(way: str, temperature: float) -> Answers:
        return _answers(learned.held_out(ways[way]), temperature, data.product_ids, column, columns)

    temperature, source, notes = learned.temperature, "leave_look_alikes_out", []
    left_out = answers("leave_one_out", temperature)
    checked = _validation_scores(learned, columns, validation) if validation is not None else None
    if checked is not None:
        seen = score(left_out.take(known["leave_one_out"]), resamples=0)
        told = score(checked.answers(temperature, columns), resamples=0)
        if _disagree(seen, told):
            source, temperature = "validation", fit_temperature(checked.scores, checked.column)
            notes.append(NOT_INDEPENDENT.format(left_out=_top1(seen), validation=_top1(told)))
            left_out = answers("leave_one_out", temperature)
    judged = {"leave_one_out": left_out.take(known["leave_one_out"])}
    judged["leave_look_alikes_out"] = answers("leave_look_alikes_out", temperature).take(known["leave_look_alikes_out"])
    if checked is not None:
        judged["validation"] = checked.answers(temperature, columns)
    figures = {name: score(found, resamples=0).to_dict() for name, found in judged.items()}
    return Estimates(temperature, source, figures, left_out, notes)


def rows_known_from_others(group: NDArray[np.int64], column: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell (n,) which rows have rows of their category outside their group: no head could answer the others right."""
    _, pair, inside = np.unique(np.stack([group, column]), axis=1, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(column)[column] > inside[pair])


@dataclass(frozen=True, slots=True)
class _Checked:
    product_ids: NDArray[np.object_]
    column: NDArray[np.int32]
    scores: NDArray[np.floating[Any]]

    def answers(self, temperature: float, columns: Columns) -> Answers:
        block = iter([(np.arange(len(self.column)), self.scores)])
        return _answers(block, temperature, self.product_ids, self.column, columns)


def _validation_scores(learned: Learned, columns: Columns, validation: ProductFeatures) -> _Checked | None:
    column = columns.of(validation.categories)
    known = np.flatnonzero(column >= 0)
    if not len(known):
        return None
    return _Checked(validation.product_ids[known], column[known], learned.head.scores(validation.x[known]))


def _answers(
    blocks: Blocks, temperature: float, product_ids: NDArray[np.object_], column: NDArray[np.int32], columns: Columns
) -> Answers:
    rows_of_parts, parts = [], []
    for rows, scores in blocks:
        rows_of_parts.append(rows)
        probabilities = np.asarray(softmax(scores, temperature), dtype=np.float32)
        ids = product_ids[rows].astype(np.str_)
        parts.append(Answers.from_probabilities(ids, column[rows], probabilities, columns.categories, columns.taxonomy))
    return Answers.concatenate(parts).take(np.argsort(np.concatenate(rows_of_parts)))


def _top1(scores: Scores) -> float:
    return scores.figures["top1"].value


def _disagree(left_out: Scores, validation: Scores) -> bool:
    return differ(Proportion(_top1(left_out), left_out.products), Proportion(_top1(validation), validation.products))
