"""Learn a member of a classifier for a way to pool the photos of a product, and choose that way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures
from shelfwise.classifiers.member import Member
from shelfwise.classifiers.pools import KINDS, OF_ANSWERS, PHOTO_FEATURES, Pool, PoolKind
from shelfwise.columns import Columns
from shelfwise.statistics.calibration import fit_temperature, log_loss
from shelfwise.train.folds import FOLDS, fold_of
from shelfwise.train.gate import Judged, fit_gate
from shelfwise.train.learned import HeldOut, LearnedMember, LearnedModel
from shelfwise.train.rows import Grouping, Numbers, TrainingRows, Way, rows_known_from_others, whole_groups

ModelLearner = Callable[[TrainingRows], LearnedModel]

_SAMPLE = 4096
"""Products that pools are compared on, and a gate is fitted on, at most: all of a small shop, seconds of a large one."""
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Products:
    """Products with their photos, their columns (p,) below `categories`, and their groups."""

    data: ProductFeatures
    column: NDArray[np.int32]
    categories: int
    groups: Grouping

    def __len__(self) -> int:
        return len(self.column)

    def take(self, rows: Numbers) -> Products:
        """Return some of them."""
        return Products(self.data.take(rows), self.column[rows], self.categories, self.groups.take(rows))

    def pooled(self, kind: PoolKind) -> TrainingRows:
        """Return what a head learns from: the products, or their photos, which are left out with their products."""
        photos, product = self.data.photos, self.data.product
        if kind in OF_ANSWERS:
            return TrainingRows(photos, self.column[product], self.categories, self.groups.take(product))
        return TrainingRows(Pool(kind).vectors(photos, product, len(self)), self.column, self.categories, self.groups)

    def drawn(self, size: int) -> Numbers:
        """Draw whole groups of look-alikes until they hold `size` products; all where there are no more."""
        if len(self) <= size:
            return np.arange(len(self))
        _, group = np.unique(self.groups.leave_look_alikes_out, return_inverse=True)
        drawn = np.random.default_rng(0).permutation(int(group.max()) + 1)
        past = np.searchsorted(np.cumsum(np.bincount(group)[drawn]), size) + 1
        return np.flatnonzero(np.isin(group, drawn[:past]))


@dataclass(frozen=True)
class Pooled:
    """A model with the pool that it was learned for; held_out(way, products): log-probabilities (m, c)."""

    pool: Pool
    learned: LearnedModel
    facts: dict[str, Any]
    held_out: HeldOut


def learn_member(
    data: ProductFeatures,
    column: NDArray[np.int32],
    columns: Columns,
    groups: Grouping,
    pool: PoolKind | Literal["auto"],
    learn_model: ModelLearner,
    name: str,
    parts: tuple[tuple[int, int], ...] = (),
) -> LearnedMember:
    """Learn a member that looks at `parts` of the feature vectors, all of it where there are none.

    auto takes the pool with the least log-loss on products left out with their look-alikes, the earlier of KINDS where two
    are level; with one photo a product all are the same, and the mean is taken untried.
    """
    seen = np.concatenate([data.photos[:, start:stop] for start, stop in parts], axis=1) if parts else data.photos
    products = Products(replace(data, photos=seen), column, len(columns), groups)
    found = _chosen(products, learn_model) if pool == "auto" else _Learner(products, learn_model).pooled(pool)
    facts = {"pool": found.pool.kind} | found.learned.facts | found.facts
    return LearnedMember(
        Member(name, found.learned.model, found.pool, parts), facts, found.learned.method, found.held_out
    )


def _chosen(products: Products, learn_model: ModelLearner) -> Pooled:
    """Learn for every pool, on a sample of the products where they are many, and return the best, learned from all."""
    everybody = _Learner(products, learn_model)
    if len(products.data.photos) == len(products):
        return everybody.pooled("mean")
    drawn = products.drawn(_SAMPLE)
    sample = everybody if len(drawn) == len(products) else _Learner(products.take(drawn), learn_model)
    tried, best = {}, None
    for kind in KINDS:
        pooled = sample.pooled(kind)
        tried[kind] = _figures(sample.products, pooled)
        if best is None or tried[kind]["log_loss"] < tried[best.pool.kind]["log_loss"]:
            best = pooled
    assert best is not None
    best = best if sample is everybody else everybody.pooled(best.pool.kind)
    return replace(best, facts=best.facts | {"pools": tried, "pools_tried_on": len(drawn)})


def _figures(products: Products, pooled: Pooled) -> dict[str, float]:
    """Return log-loss, at the temperature that suits the pool best, and accuracy of products left out with look-alikes."""
    group = products.groups.leave_look_alikes_out
    known = rows_known_from_others(group, products.column)
    order = np.concatenate(list(_blocks(products)))
    said = np.concatenate([pooled.held_out("leave_look_alikes_out", rows) for rows in _blocks(products)])
    said, truth = said[known[order]], products.column[order][known[order]]
    loss = log_loss(said, truth, fit_temperature(said, truth))
    return {"log_loss": loss, "top1": float(np.mean(said.argmax(axis=1) == truth))}


def _blocks(products: Products) -> Iterator[Numbers]:
    return whole_groups(products.groups.leave_look_alikes_out, _BLOCK)


class _Learner:
    """Learns for one pool after the other; those of answers share one model of photos."""

    def __init__(self, products: Products, learn_model: ModelLearner) -> None:
        self.products, self._learn_model = products, learn_model

    def pooled(self, kind: PoolKind) -> Pooled:
        """Learn for a pool."""
        if kind == "gate":
            return _gated(self.products, self._of_photos)
        if kind == "scores":
            return _scored(self.products, self._of_photos)
        learned = self._learn_model(self.products.pooled(kind))
        return Pooled(Pool(kind), learned, {}, learned.held_out)

    @cached_property
    def _of_photos(self) -> LearnedModel:
        return self._learn_model(self.products.pooled("scores"))


def _scored(products: Products, learned: LearnedModel) -> Pooled:
    pool = Pool("scores")

    def held_out(way: Way, asked: Numbers) -> NDArray[np.float32]:
        photos, place = products.data.photos_of(asked)
        return pool.answers(np.asarray(learned.held_out(way, photos), np.float32), place, len(asked))

    return Pooled(pool, learned, {}, held_out)


def _gated(products: Products, learned: LearnedModel) -> Pooled:
    """Learn a gate; and one without each fold of groups, which answers for the products of that fold when they are held out."""
    drawn = products.drawn(_SAMPLE)
    order, judged = _judged(products, learned, drawn)
    fold = fold_of(products.groups, "leave_look_alikes_out")
    gate = Pool("gate", fit_gate(judged))
    of_fold = [Pool("gate", fit_gate(judged.take(fold[order] != held))) for held in range(FOLDS)]

    def held_out(way: Way, asked: Numbers) -> NDArray[np.float32]:
        photos, place = products.data.photos_of(asked)
        said = np.asarray(learned.held_out(way, photos), np.float32)
        answers = np.empty((len(asked), products.categories), dtype=np.float32)
        for held, pool in enumerate(of_fold):
            inside = fold[asked] == held
            if inside.any():
                number = np.cumsum(inside) - 1
                answers[inside] = pool.answers(said[inside[place]], number[place[inside[place]]], int(inside.sum()))
        return answers

    return Pooled(gate, learned, {"gate": dict(zip(PHOTO_FEATURES, gate.gate, strict=True))}, held_out)


def _judged(products: Products, learned: LearnedModel, drawn: Numbers) -> tuple[Numbers, Judged]:
    """Return what is said of the photos of drawn products, whole groups, when they are held out; and their order."""
    order, parts = [], []
    for block in whole_groups(products.groups.leave_look_alikes_out[drawn], _BLOCK):
        rows = drawn[block]
        photos, place = products.data.photos_of(rows)
        said = np.asarray(learned.held_out("leave_look_alikes_out", photos), np.float32)
        order.append(rows)
        parts.append(Judged.of(said, place, products.column[rows]))
    return np.concatenate(order), Judged.concatenate(parts)
