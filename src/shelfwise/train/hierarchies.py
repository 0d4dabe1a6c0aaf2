"""How heads are put together along the tree."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.flat import Flat, log_softmax
from shelfwise.columns import Columns
from shelfwise.train.heads import HeadLearner
from shelfwise.train.learned import LearnedModel
from shelfwise.train.rows import Numbers, TrainingRows, Way


def learn_flat(rows: TrainingRows, columns: Columns, learn_head: HeadLearner) -> LearnedModel:  # noqa: ARG001
    """Learn one head for all categories."""
    learned = learn_head(rows)

    def held_out(way: Way, asked: Numbers) -> NDArray[np.float32]:
        return log_softmax(learned.held_out(way, asked), learned.temperature)

    return LearnedModel(Flat(learned.head, learned.temperature), learned.facts, learned.method, held_out)


HierarchyLearner = Callable[[TrainingRows, Columns, HeadLearner], LearnedModel]
LEARN_HIERARCHY: dict[str, HierarchyLearner] = {"flat": learn_flat}
