"""What a bundle keeps of its products, so that it can be changed without learning anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures
from shelfwise.bundle.learned import Learned
from shelfwise.bundle.learned_files import learned_to_files
from shelfwise.bundle.members import Content, content_of
from shelfwise.bundle.single_head import single_head
from shelfwise.classifiers.classifier import Classifier
from shelfwise.columns import Columns
from shelfwise.train.learned import LearnedClassifier


def kept_for_changes(
    learned: LearnedClassifier,
    classifier: Classifier,
    data: ProductFeatures,
    column: NDArray[np.int32],
    columns: Columns,
) -> dict[str, Content]:
    """Return the files that changes need, nothing unless one ridge head was learned for all categories."""
    single, first = single_head(classifier), learned.members[0]
    if single is None or first.method != "closed form":
        return {}
    x, product = single.rows(data)
    sums = Learned.of(data.product_ids, x, column, len(columns), float(first.facts["penalty"]), product)
    return {name: content_of(data) for name, data in learned_to_files(sums, columns.categories).items()}
