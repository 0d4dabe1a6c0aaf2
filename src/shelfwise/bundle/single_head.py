"""The bundles that can be changed without learning anew: one linear head for all categories, on vectors of products."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shelfwise.classifiers.flat import Flat
from shelfwise.classifiers.heads import Linear
from shelfwise.classifiers.pools import OF_ANSWERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.backbones.products import ProductFeatures
    from shelfwise.classifiers.classifier import Classifier
    from shelfwise.classifiers.member import Member


@dataclass(frozen=True)
class SingleHead:
    """A classifier's only head, linear, and what it looks at."""

    member: Member
    model: Flat
    head: Linear

    def vectors(self, data: ProductFeatures) -> NDArray[np.float32]:
        """Return the vectors (p, d) of products as the head looks at them."""
        return self.pooled(data.photos, data.product, len(data))

    def pooled(self, photos: NDArray[np.float32], product: NDArray[np.int64], products: int) -> NDArray[np.float32]:
        """Return the vectors (products, d) of photos (n, width), whose products (n,) ascend from 0 without gaps."""
        return self.member.pool.vectors(self.member.seen(photos), product, products)

    def with_head(self, classifier: Classifier, head: Linear) -> Classifier:
        """Return the classifier with another head in the place of this one."""
        member = replace(self.member, model=replace(self.model, head=head))
        return replace(classifier, members=(member,))


def single_head(classifier: Classifier) -> SingleHead | None:
    """Return the only head of a classifier; None for ensembles, routed heads, other kinds, and pools of answers."""
    member, *others = classifier.members
    if others or member.pool.kind in OF_ANSWERS or not isinstance(member.model, Flat):
        return None
    head = member.model.head
    return SingleHead(member, member.model, head) if isinstance(head, Linear) else None
