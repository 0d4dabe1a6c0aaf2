"""The bundles that can be changed without learning anew: one linear head for all categories.

Its rows, what it learns from, are the products, or their photos where it answers for these. What comes, goes and moves is
always a product, with all its rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.classifiers.flat import Flat, log_softmax
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.levels import Levels
from shelfwise.classifiers.pools import OF_ANSWERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.backbones.products import ProductFeatures
    from shelfwise.classifiers.classifier import Classifier
    from shelfwise.classifiers.member import Member, Model
    from shelfwise.columns import Columns

    Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class SingleHead:
    """A classifier's only head, linear, and what it looks at."""

    member: Member
    model: Flat | Levels
    head: Linear

    def rows(self, data: ProductFeatures) -> Rows:
        """Return the rows (n, d) of products, and whose each is, (n,)."""
        return self.rows_of(data.photos, data.product, len(data))

    def rows_of(self, photos: NDArray[np.float32], product: NDArray[np.int64], products: int) -> Rows:
        """Return the rows of photos (m, width), whose products (m,) ascend from 0 without gaps."""
        seen, pool = self.member.seen(photos), self.member.pool
        if pool.kind in OF_ANSWERS:
            return seen, product
        return pool.vectors(seen, product, products), np.arange(products)

    def log_probabilities(self, scores: NDArray[np.floating[Any]], columns: Columns) -> NDArray[np.float32]:
        """Return what the model makes of scores (n, c) of other columns than its own."""
        if isinstance(self.model, Levels):
            return on_columns(self.model, columns).of_scores(scores)
        return log_softmax(scores, self.model.temperature)

    def with_head(self, classifier: Classifier, head: Linear) -> Classifier:
        """Return the classifier with another head in the place of this one; its columns are those of before."""
        flat = self.model.flat if isinstance(self.model, Levels) else self.model
        changed = replace(flat, head=head)
        model = replace(self.model, flat=changed) if isinstance(self.model, Levels) else changed
        return replace(classifier, members=(replace(self.member, model=model),))


def single_head(classifier: Classifier) -> SingleHead | None:
    """Return the only head of a classifier; None for ensembles, routed heads, and other kinds."""
    member, *others = classifier.members
    model = member.model
    if others or not isinstance(model, Flat | Levels):
        return None
    head = model.flat.head if isinstance(model, Levels) else model.head
    return SingleHead(member, model, head) if isinstance(head, Linear) else None


def classifier_on_columns(classifier: Classifier, columns: Columns) -> Classifier:
    """Return a classifier whose models know of other columns, or the same in another tree."""
    members = [replace(member, model=_on_columns(member.model, columns)) for member in classifier.members]
    return replace(classifier, members=tuple(members))


def on_columns(model: Levels, columns: Columns) -> Levels:
    """Return level heads for other columns; a level that is new has the temperature of the last one."""
    levels = len(columns.level_nodes)
    last = model.temperatures[-1:]
    return replace(model, columns=columns, temperatures=(model.temperatures + last * levels)[:levels])


def _on_columns(model: Model, columns: Columns) -> Model:
    return on_columns(model, columns) if isinstance(model, Levels) else model
