"""What the shelves say of every filed product when they have not learned from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.features import FeatureLayout
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory
from shelfwise.engines.memory import return_memory
from shelfwise.progress import SILENT, Progress
from shelfwise.shelves.left_out import Filed, Numbers, Rows, Shelves, learn, read_chunks, same_pictures
from shelfwise.shelves.vectors import Vectors
from shelfwise.statistics.clusters import CHUNK_ROWS, joined_groups, look_alike_clusters
from shelfwise.statistics.few_rows import FewRows
from shelfwise.statistics.head import softmax
from shelfwise.statistics.ridge import fit

BEST = 5
"""Shelves that are kept of each product."""


@dataclass(frozen=True, eq=False)
class Judged:
    """The answers for p products, from all others.

    category: (p,) int32 the shelf on which each stood, -1 for none; own: (p,) float32 probability of that shelf, NaN where
    nothing can be said: no shelf, no embedded photo, or nothing else stands on its shelf; shelves, probabilities: (p, k)
    int32 and float32, the most probable shelves, best first, -1 and NaN where there is no answer. penalty and temperature
    are NaN when no product could be judged.
    """

    category: NDArray[np.int32]
    own: NDArray[np.float32]
    shelves: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    penalty: float
    temperature: float

    @classmethod
    def nothing(cls, category: NDArray[np.int32], penalty: float = np.nan, temperature: float = np.nan) -> Judged:
        """Return that of which nothing is known yet."""
        p = len(category)
        shelves, probabilities = np.full((p, BEST), -1, np.int32), np.full((p, BEST), np.nan, np.float32)
        return cls(category.copy(), np.full(p, np.nan, np.float32), shelves, probabilities, penalty, temperature)

    def take(self, products: Numbers) -> Judged:
        """Return the answers for some products, (k,) instead of (p,)."""
        category, own = self.category[products], self.own[products]
        best = self.shelves[products], self.probabilities[products]
        return Judged(category, own, *best, self.penalty, self.temperature)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which products (p,) have an answer about their own shelf."""
        return ~np.isnan(self.own)

    @property
    def suggested(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The best other shelf (p,) of each product, and its probability; -1 and NaN where there is none."""
        first = (self.shelves[:, 0] == self.category).astype(np.intp)[:, None]
        shelf = np.take_along_axis(self.shelves, first, axis=1)[:, 0]
        return shelf, np.take_along_axis(self.probabilities, first, axis=1)[:, 0]


def judge(
    catalog: Catalog,
    inventory: Inventory,
    layout: FeatureLayout,
    progress: Progress = SILENT,
    *,
    look_alikes: bool = False,
) -> Judged:
    """Judge every filed product by what was learned from all others, in two passes over the catalog's vectors.

    A product is left out with those that show a picture in common, byte for byte; look-alikes of its shelf stay, for the
    question is where this product belongs and not how new ones would fare, unless `look_alikes` asks for them to be left out
    as well. Of the p x c probabilities only the own shelf's and the k best are kept.
    Source: docs/experiments.md, wrong shelves.
    """
    vectors = Vectors(catalog, inventory, layout)
    filed = filed_products(inventory, vectors)
    if look_alikes:
        filed = with_look_alikes(vectors, filed, progress)
    return_memory()
    return judge_rows(vectors, filed, inventory.category, len(inventory.categories), progress)


def with_look_alikes(rows: Rows, filed: Filed, progress: Progress = SILENT) -> Filed:
    """Return the same products, each to be left out with the look-alikes on its shelf as well.

    Vectors are read shelf by shelf, at most CHUNK_ROWS of `statistics.clusters` at once.
    """
    with progress.task("find look-alikes", 2 * len(filed)) as advance:
        total = np.zeros(rows.d)
        for _, x in read_chunks(rows, filed, advance):
            total += x.sum(axis=0, dtype=np.float64)
        cluster, found = np.empty(len(filed), np.int64), 0
        for shelf in np.unique(filed.column):
            places = np.flatnonzero(filed.column == shelf)
            for part in np.array_split(places, -(-len(places) // CHUNK_ROWS)):
                x = rows.read(filed.product[part])
                cluster[part] = found + look_alike_clusters(x, filed.column[part], mean=total / len(filed))
                found += len(part)
                advance(len(part))
    return Filed.of(filed.product, filed.column, joined_groups(filed.group, cluster))


def judge_rows(
    rows: Rows, filed: Filed, category: NDArray[np.int32], categories: int, progress: Progress = SILENT
) -> Judged:
    """Judge products whose vectors come from anywhere; category: (p,)."""
    if not filed.known().any():
        return Judged.nothing(category)
    if len(filed) < rows.d:
        return _judge_few(rows, filed, category, categories, progress)
    return judge_learned(rows, filed, learn(rows, filed, categories, progress), category, progress)


def _judge_few(rows: Rows, filed: Filed, category: NDArray[np.int32], categories: int, progress: Progress) -> Judged:
    """Judge products that are fewer than their vectors are long: these are held at once, and nothing else is learned."""
    with progress.task("judge the products", len(filed)) as advance:
        left = FewRows(
            np.concatenate([x for _, x in read_chunks(rows, filed, advance)]), filed.column, categories, filed.group
        )
        known = filed.known()
        penalty, temperature, scores = left.best(known)
    judged = Judged.nothing(category, penalty, temperature)
    take_in(judged, filed.product, filed.column, softmax(scores, temperature))
    judged.own[filed.product[~known]] = np.nan
    return judged


def judge_learned(
    rows: Rows, filed: Filed, shelves: Shelves, category: NDArray[np.int32], progress: Progress = SILENT
) -> Judged:
    """Judge the products that the shelves were learned from; category: (p,)."""
    judged = Judged.nothing(category, shelves.penalty, shelves.temperature)
    with progress.task("judge the products", len(filed)) as advance:
        for part, scores in shelves.answers(rows, filed):
            take_in(judged, part.product, part.column, softmax(scores, shelves.temperature))
            advance(len(part))
    unknown = filed.product[~filed.known()]
    judged.own[unknown] = np.nan
    return judged


def filed_products(inventory: Inventory, vectors: Vectors, split: int | None = None) -> Filed:
    """Return the products with a shelf and an embedded photo, of all splits or of one, grouped by equal pictures."""
    wanted = vectors.has & (inventory.category >= 0)
    if split is not None:
        wanted &= inventory.split == split
    group = same_pictures(inventory.photo_product, inventory.photo_picture, inventory.products)
    products = np.flatnonzero(wanted)
    return Filed.of(products, inventory.category[products], group[products])


def held_out_right(
    catalog: Catalog,
    inventory: Inventory,
    layout: FeatureLayout,
    learned: int,
    judged: int,
    progress: Progress = SILENT,
) -> NDArray[np.int8]:
    """Learn from one split and answer another: (p,) 1 right, 0 wrong, -1 not asked.

    learned, judged: numbers of splits of the inventory. Products of shelves that the first split does not know are wrong.
    """
    vectors = Vectors(catalog, inventory, layout)
    right = np.full(inventory.products, -1, np.int8)
    known, asked = (filed_products(inventory, vectors, split) for split in (learned, judged))
    if not known.known().any():
        return right
    shelves = learn(vectors, known, len(inventory.categories), progress)
    head = fit(shelves.spectrum, shelves.statistics, shelves.penalty)
    with progress.task("answer the held-out products", len(asked)) as advance:
        for chunk in asked.chunks():
            best = head.scores(vectors.read(chunk.product)).argmax(axis=1)
            right[chunk.product] = best == chunk.column
            advance(len(chunk))
    return right


def best_shelves(probabilities: NDArray[np.floating[Any]]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the BEST most probable shelves (m, k) of probabilities (m, c), best first, and their probabilities."""
    m, c = probabilities.shape
    k = min(BEST, c)
    top = np.argpartition(probabilities, c - k, axis=1)[:, c - k :]
    order = np.argsort(-np.take_along_axis(probabilities, top, axis=1), axis=1, kind="stable")
    shelves, values = np.full((m, BEST), -1, np.int32), np.full((m, BEST), np.nan, np.float32)
    shelves[:, :k] = np.take_along_axis(top, order, axis=1)
    values[:, :k] = np.take_along_axis(probabilities, shelves[:, :k], axis=1)
    return shelves, values


def take_in(judged: Judged, products: Numbers, column: Numbers, probabilities: NDArray[np.floating[Any]]) -> None:
    """Write the answers (m, c) for m products into what is known of all."""
    judged.own[products] = probabilities[np.arange(len(products)), column]
    judged.shelves[products], judged.probabilities[products] = best_shelves(probabilities)
