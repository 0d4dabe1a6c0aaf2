"""Learn the members of a classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.features import FeatureLayout
from shelfwise.backbones.products import ProductFeatures
from shelfwise.classifiers.parts import Parts
from shelfwise.columns import Columns
from shelfwise.errors import OptionError
from shelfwise.options import TrainOptions
from shelfwise.train.ensemble import stacked
from shelfwise.train.heads.learners import head_learner
from shelfwise.train.learned import LearnedClassifier, LearnedMember, LearnedModel
from shelfwise.train.photos.pooling import learn_member
from shelfwise.train.rows import Grouping, TrainingRows
from shelfwise.train.trees.hierarchies import learn_hierarchy


def learn_classifier(
    data: ProductFeatures,
    column: NDArray[np.int32],
    columns: Columns,
    groups: Grouping,
    options: TrainOptions,
    layout: FeatureLayout,
) -> LearnedClassifier:
    """Learn the members that the options ask for, and their weights where they are several."""

    def learn(head: str, name: str, parts: Parts) -> LearnedMember:
        def learn_model(rows: TrainingRows) -> LearnedModel:
            return learn_hierarchy(options.hierarchy, rows, columns, head_learner(head, options))

        return learn_member(data, column, columns, groups, options.pool, learn_model, name, parts)

    seen = _backbones_apart(layout) if options.apart else {"": ()}
    members = tuple(learn(head, f"{head}{of}", parts) for head in options.heads for of, parts in seen.items())
    return stacked(members, column, groups) if len(members) > 1 else LearnedClassifier(members, (1.0,))


def _backbones_apart(layout: FeatureLayout) -> dict[str, Parts]:
    """Return the slice of the feature vectors of each backbone; raises OptionError for a single one."""
    if len(layout.specs) == 1:
        raise OptionError(
            f"--apart: there is one backbone only, {layout.specs[0]}; embed with several, or leave it out"
        )
    stops = np.cumsum([sum(spec.widths) for spec in layout.specs])
    starts = np.append(0, stops[:-1])
    return {f" on {s}": ((int(a), int(b)),) for s, a, b in zip(layout.specs, starts, stops, strict=True)}
