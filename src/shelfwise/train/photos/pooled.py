"""Models learned for each way to pool the photos of a product, with what they say of products held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures
from shelfwise.classifiers.pools import OF_ANSWERS, PHOTO_FEATURES, Pool, PoolKind
from shelfwise.train.heads.folds import FOLDS, fold_of
from shelfwise.train.learned import HeldOut, LearnedModel
from shelfwise.train.photos.gate import Judged, fit_gate
from shelfwise.train.rows import Grouping, Numbers, TrainingRows, Way, whole_groups

ModelLearner = Callable[[TrainingRows], LearnedModel]
SAMPLE = 4096
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

    def blocks(self) -> Iterator[Numbers]:
        """Yield all of them in blocks of whole groups of look-alikes."""
        return whole_groups(self.groups.leave_look_alikes_out, _BLOCK)


@dataclass(frozen=True)
class Pooled:
    """A model with the pool that it was learned for; held_out(way, products): log-probabilities (m, c)."""

    pool: Pool
    learned: LearnedModel
    facts: dict[str, Any]
    held_out: HeldOut


class PoolLearner:
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
    drawn = products.drawn(SAMPLE)
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
