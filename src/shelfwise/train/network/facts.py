"""What a bundle says of the training of its network."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from torch import nn

from shelfwise.catalog import Catalog
from shelfwise.networks.stages import classifier_of
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.train.network.lesson import Lesson
from shelfwise.train.network.settings import Settings
from shelfwise.train.network.state import State
from shelfwise.train.origin import origin_of
from shelfwise.train.splits import has_validation


def facts_of(
    catalog: Catalog, options: TrainOptions, how: NetworkOptions, settings: Settings, lesson: Lesson,
    state: State, network: nn.Module,
) -> dict[str, Any]:  # fmt: skip
    """Return options, catalog, settings and curve as JSON values."""
    validated = has_validation(catalog, options.learn_from.split("+"))
    held_by = "the validation split" if validated else "a tenth of the products"
    way = "validation" if validated else "tenth_held_out"
    return {
        "options": asdict(options) | {"network_options": asdict(how)},
        "catalog": origin_of(catalog),
        "dimension": classifier_of(network)[1].in_features,
        "members": [{"name": settings.network, "weight": 1.0, "held_out_by": held_by}], "calibrated_on": way,
        **lesson.facts,
        "network": json.loads(json.dumps(settings.to_dict())) | {
            "curve": state.curve, "best_epoch": state.best + 1, "training_seconds": round(state.seconds, 1),
            "resumed_at_steps": state.resumed,
        },
        "notes": [],
    }  # fmt: skip
