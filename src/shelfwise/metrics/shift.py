"""The same categories in two places: where was learned, and elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.metrics.confusion import Confusion, confusion
from shelfwise.metrics.intervals import Estimate, Proportion, difference_interval, wilson_interval

if TYPE_CHECKING:
    from shelfwise.metrics.answers import Answers


@dataclass(frozen=True)
class Shift:
    """What is lost on the way from one set of products to another.

    inside, here: top-1 of the answers about either; lost: inside - here; chance: of an answer drawn blindly among the
    categories; categories: for each, by name, its products, recall, and what it is taken for most in either.
    """

    inside: Estimate
    here: Estimate
    lost: Estimate
    chance: float
    categories: tuple[dict[str, Any], ...]

    @property
    def is_below_chance(self) -> bool:
        """Whether the answers here are worse than drawn blindly, beyond what the interval allows."""
        return self.here.high is not None and self.here.high < self.chance

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, under the names `in`, `here` and `lost`."""
        return {
            "in": {"top1": self.inside.to_dict()},
            "here": {"top1": self.here.to_dict()},
            "lost": self.lost.to_dict(),
            "chance": self.chance,
            "categories": list(self.categories),
        }


def shift(inside: Answers, here: Answers) -> Shift:
    """Compare answers about products of the shop that was learned from with answers about others; categories go by id."""
    a, b = (Proportion(float(answers.right.mean()), len(answers)) for answers in (inside, here))
    told_in, told_here = (_by_category(confusion(answers), answers) for answers in (inside, here))
    names = here.columns.taxonomy.nodes
    categories = tuple(
        {"category": node, "name": names[node].name, "in": told_in.get(node, _NONE), "here": told_here[node]}
        for node in here.categories
        if told_here[node]["products"] or told_in.get(node, _NONE)["products"]
    )
    return Shift(
        Estimate(a.value, *wilson_interval(a)), Estimate(b.value, *wilson_interval(b)),
        Estimate(a.value - b.value, *difference_interval(a, b)), 1 / len(here.categories), categories,
    )  # fmt: skip


_NONE: dict[str, Any] = {"products": 0, "recall": None, "taken_for": None}


def _by_category(counts: Confusion, answers: Answers) -> dict[str, dict[str, Any]]:
    """Return for every category its products, recall with interval, and the wrong category that most are answered as."""
    wrong = counts.dense()
    np.fill_diagonal(wrong, 0)
    told = {}
    for column, category in enumerate(counts.categories):
        products = int(counts.support[column])
        taken_for = int(wrong[column].argmax()) if wrong[column].any() else None
        recall = Proportion(int(counts.right[column]) / products, products) if products else None
        told[category] = {
            "products": products,
            "recall": None if recall is None else Estimate(recall.value, *wilson_interval(recall)).to_dict(),
            "taken_for": None
            if taken_for is None
            else answers.columns.taxonomy.nodes[counts.categories[taken_for]].name,
        }
    return told
