"""Honest figures about training products, and the temperature that makes probabilities believable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shelfwise.backbones.products import ProductFeatures
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import Scores, score
from shelfwise.metrics.intervals import Proportion, differ
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.statistics.clusters import joined_groups, look_alike_clusters
from shelfwise.statistics.head import softmax
from shelfwise.taxonomy import Taxonomy
from shelfwise.train.heads import Blocks, Learned

# Rows whose scores are kept at once to fit a temperature.
_TEMPERATURE_ROWS = 20_000

NOT_INDEPENDENT = (
    "These training photos are not independent: left out one by one they are answered far better than the validation "
    "split, because a photo left out has a twin (the same item on the same shelf, a burst) that stays. Believe the "
    "validation split, not the leave-one-out figure."
)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Rows that are left out together: (n,) group numbers by what they have in common."""

    product: NDArray[np.int64]
    look_alike: NDArray[np.int64]


def group_rows(data: ProductFeatures, column: NDArray[np.int32]) -> Grouping:
    """Group products that share a picture byte for byte, and products of one category that look alike."""
    same_picture = _products_by_picture(data)
    return Grouping(same_picture, joined_groups(same_picture, look_alike_clusters(data.x, column)))


def _products_by_picture(data: ProductFeatures) -> NDArray[np.int64]:
    """Number the groups of products that are linked by equal pictures."""
    p, pictures = len(data), int(data.picture.max()) + 1
    links = coo_array((np.ones(len(data.picture)), (data.picture_product, p + data.picture)), shape=(p + pictures,) * 2)
    return connected_components(links, directed=False)[1][:p].astype(np.int64)


def fitted_temperature(blocks: Blocks, column: NDArray[np.int32]) -> float:
    """Fit a temperature on held-out scores, on the first 20,000 rows where there are more."""
    rows, scores, kept = [], [], 0
    for block_rows, block_scores in blocks:
        rows.append(block_rows)
        scores.append(block_scores)
        kept += len(block_rows)
        if kept >= _TEMPERATURE_ROWS:
            break
    return fit_temperature(np.concatenate(scores), column[np.concatenate(rows)])


def held_out_answers(
    blocks: Blocks, temperature: float, data: ProductFeatures, column: NDArray[np.int32], categories: list[str], taxonomy: Taxonomy
) -> Answers:
    """Turn held-out scores into answers, in the order of the products."""
    rows, parts = [], []
    for block_rows, scores in blocks:
        rows.append(block_rows)
        probabilities = np.asarray(softmax(scores, temperature), dtype=np.float32)
        ids = data.product_ids[block_rows].astype(np.str_)
        parts.append(Answers.from_probabilities(ids, column[block_rows], probabilities, categories, taxonomy))
    return Answers.concatenate(parts).take(np.argsort(np.concatenate(rows)))


def disagree(left_out: Scores, validation: Scores) -> bool:
    """Tell whether top-1 of training products left out and of the validation split differ beyond chance."""
    a, b = left_out.figures["top1"], validation.figures["top1"]
    return differ(Proportion(a.value, left_out.products), Proportion(b.value, validation.products))


def scored(answers: Answers, **facts: Any) -> dict[str, Any]:
    """Return the figures of answers, without intervals, as JSON values."""
    return score(answers, resamples=0).to_dict() | facts

