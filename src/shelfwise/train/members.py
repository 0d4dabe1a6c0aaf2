"""Learn the members of a classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures
from shelfwise.classifiers.member import Member
from shelfwise.classifiers.pools import MEAN
from shelfwise.columns import Columns
from shelfwise.options import TrainOptions
from shelfwise.train.heads import HEADS
from shelfwise.train.hierarchies import LEARN_HIERARCHY
from shelfwise.train.learned import LearnedClassifier, LearnedMember
from shelfwise.train.rows import Grouping, TrainingRows


def learn_classifier(
    data: ProductFeatures, column: NDArray[np.int32], columns: Columns, groups: Grouping, options: TrainOptions
) -> LearnedClassifier:
    """Learn the members that the options ask for, and their weights."""
    return LearnedClassifier((_learn_member(data, column, columns, groups, options),), (1.0,))


def _learn_member(
    data: ProductFeatures, column: NDArray[np.int32], columns: Columns, groups: Grouping, options: TrainOptions
) -> LearnedMember:
    pool = MEAN
    x = pool.vectors(data.photos, data.product, len(data))
    rows = TrainingRows(x, column, len(columns), groups)
    learned = LEARN_HIERARCHY["flat"](rows, columns, HEADS[options.head])
    member = Member(options.head, learned.model, pool)
    return LearnedMember(member, learned.facts, learned.method, learned.held_out)
