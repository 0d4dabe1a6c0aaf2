"""The figures of an evaluation as JSON values: what metrics.json holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from shelfwise.backbones.products import ProductFeatures
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import Scores
from shelfwise.metrics.risk_coverage import risk_coverage
from shelfwise.options import EvaluateOptions

SEEN = (
    "The bundle learned from {seen:,} of these {all:,} products: the figures are better than they will be for others. Evaluate "
    "a split that it has not learned from."
)


def metrics_of(
    bundle: Bundle, catalog: Catalog, data: ProductFeatures, answers: Answers, scores: Scores, options: EvaluateOptions
) -> dict[str, Any]:
    """Put the held-out estimates beside the figures, add the risk-coverage curves, and say what they are of."""
    figures, estimates = scores.to_dict(), bundle.facts["estimates"]
    learned_from = int(np.isin(data.product_ids.astype(np.str_), bundle.learned_product_ids().astype(np.str_)).sum())
    for way in {"leave_one_out", "leave_look_alikes_out"} & set(estimates):
        _put_beside(figures, estimates[way], way)
    return figures | {
        "risk_coverage": curves_of(answers, seed=options.seed),
        "split": options.split,
        "products_without_photo": data.without_photo,
        "products_without_category": data.without_category,
        "categories_in_split": len(set(data.categories)),
        "categories_in_bundle": len(bundle.categories),
        "bundle": bundle.id,
        "catalog_versions": catalog.versions,
        "calibrated_on": bundle.facts["calibrated_on"],
        "products_learned_from": learned_from,
        "notes": [*bundle.facts["notes"], *([SEEN.format(seen=learned_from, all=len(data))] if learned_from else [])],
        "validation": estimates.get("validation"),
    }


def curves_of(answers: Answers, seed: int = 0, resamples: int = 1000) -> dict[str, Any]:
    """Draw the risk-coverage curve of the first answers, and under `levels` each level's: the deepest is that of the first."""
    above = answers.level_names[:-1]
    curves = {name: risk_coverage(answers, level, seed, resamples).to_dict() for level, name in enumerate(above)}
    first = risk_coverage(answers, None, seed, resamples).to_dict()
    return first | {"levels": curves | {answers.level_names[-1]: first}}


def _put_beside(figures: dict[str, Any], estimate: dict[str, Any], way: str) -> None:
    for name, figure in figures.items():
        if name == "levels":
            for level, of_level in figure.items():
                _put_beside(of_level, estimate["levels"].get(level, {}), way)
        elif isinstance(figure, dict):
            figure[way] = estimate[name]["value"] if name in estimate else None
