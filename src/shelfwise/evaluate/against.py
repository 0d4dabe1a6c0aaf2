"""Other bundles beside the evaluated one: the same products, answered by both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shelfwise.backbones.products import read_products
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.errors import OptionError
from shelfwise.evaluate.answering import answers_about
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import score
from shelfwise.metrics.paired import compare
from shelfwise.options import EvaluateOptions


def compared_with(path: Path, catalog: Catalog, answers: Answers, options: EvaluateOptions) -> dict[str, Any]:
    """Answer for the same split with another bundle: its figures, and the evaluated bundle's lead over it.

    Raises OptionError where it answers about other products, LabelMismatchError where shelves differ.
    """
    other = Bundle.load(path)
    data = read_products(catalog, other.layout, [options.split])
    found = answers_about(other, catalog, data, options)
    if len(found) != len(answers) or (found.product_ids != answers.product_ids).any():
        raise OptionError(
            f"--against {path}: it answers about {len(found):,} products, the evaluated bundle about {len(answers):,}; "
            "embed all photos for both"
        )
    scores = score(found, resamples=0).to_dict()
    return {
        "name": path.name,
        "bundle": other.id,
        "top1": scores["top1"]["value"],
        "hierarchical_f1": scores["hierarchical_f1"]["value"],
        "levels": {level: figures["top1"]["value"] for level, figures in scores["levels"].items()},
        "lead": compare(answers, found, options.seed).to_dict(),
    }
