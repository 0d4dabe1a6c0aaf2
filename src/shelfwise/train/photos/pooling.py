"""Learn a member of a classifier for a way to pool the photos of a product, and choose that way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures
from shelfwise.classifiers.flat import log_softmax
from shelfwise.classifiers.member import Member
from shelfwise.classifiers.parts import Parts
from shelfwise.classifiers.pools import KINDS, PoolKind
from shelfwise.columns import Columns
from shelfwise.metrics.paired import beyond_chance
from shelfwise.statistics.calibration import fit_temperature
from shelfwise.train.learned import LearnedMember
from shelfwise.train.photos.pooled import SAMPLE, ModelLearner, Pooled, PoolLearner, Products
from shelfwise.train.rows import Grouping, Numbers, rows_known_from_others

USUAL: PoolKind = "scores"
"""What is taken where no other pool is better beyond chance. Source: docs/experiments.md, entry on products."""


def learn_member(
    data: ProductFeatures,
    column: NDArray[np.int32],
    columns: Columns,
    groups: Grouping,
    pool: PoolKind | Literal["auto"],
    learn_model: ModelLearner,
    name: str,
    parts: Parts = (),
) -> LearnedMember:
    """Learn a member that looks at `parts` of the feature vectors, all of it where there are none.

    auto takes the pool with the least log-loss on products left out with their look-alikes where it is better than USUAL by
    more than chance; with one photo a product all are the same, and the mean is taken untried.
    """
    seen = np.concatenate([data.photos[:, start:stop] for start, stop in parts], axis=1) if parts else data.photos
    products = Products(replace(data, photos=seen), column, len(columns), groups)
    found = _chosen(products, learn_model) if pool == "auto" else PoolLearner(products, learn_model).pooled(pool)
    facts = {"pool": found.pool.kind} | found.learned.facts | found.facts
    return LearnedMember(
        Member(name, found.learned.model, found.pool, parts), facts, found.learned.method, found.held_out
    )


@dataclass(frozen=True, eq=False)
class _Tried:
    """A pool with the log-loss (m,) of products held out with their look-alikes, and whether each was answered right."""

    pooled: Pooled
    losses: NDArray[np.float64]
    right: NDArray[np.bool_]

    @property
    def figures(self) -> dict[str, float]:
        return {"log_loss": float(self.losses.mean()), "top1": float(self.right.mean())}


def _chosen(products: Products, learn_model: ModelLearner) -> Pooled:
    """Learn for every pool, on a sample of the products where they are many, and return the best, learned from all."""
    everybody = PoolLearner(products, learn_model)
    if len(products.data.photos) == len(products):
        return everybody.pooled("mean")
    drawn = products.drawn(SAMPLE)
    sample = everybody if len(drawn) == len(products) else PoolLearner(products.take(drawn), learn_model)
    order = np.concatenate(list(sample.products.blocks()))
    judged = order[rows_known_from_others(sample.products.groups.leave_look_alikes_out, sample.products.column)[order]]
    tried = {kind: _tried(sample.products, sample.pooled(kind), order, judged) for kind in KINDS}
    best, usual = min(tried.values(), key=lambda one: one.losses.mean()), tried[USUAL]
    group = sample.products.groups.leave_look_alikes_out[judged]
    kept = (best if beyond_chance(usual.losses - best.losses, group) else usual).pooled
    kept = kept if sample is everybody else everybody.pooled(kept.pool.kind)
    table = {kind: one.figures for kind, one in tried.items()}
    return replace(kept, facts=kept.facts | {"pools": table, "pools_tried_on": len(judged)})


def _tried(products: Products, pooled: Pooled, order: Numbers, judged: Numbers) -> _Tried:
    """Judge a pool at the temperature that suits it best; order: the products as blocks come; judged: those that count."""
    said = np.concatenate([pooled.held_out("leave_look_alikes_out", rows) for rows in products.blocks()])
    said, truth = said[np.isin(order, judged)], products.column[judged]
    losses = -log_softmax(said, fit_temperature(said, truth))[np.arange(len(truth)), truth]
    return _Tried(pooled, losses.astype(np.float64), said.argmax(axis=1) == truth)
