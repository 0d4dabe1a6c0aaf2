"""Which products to look at first: doubt about their shelf, and how far away the better one is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalog.inventory import Inventory
from shelfwise.shelves.judge import Judged
from shelfwise.shelves.noise import estimate_noise, misplaced_probability
from shelfwise.taxonomy import Taxonomy

EDGE_NATS = 0.2
"""What an edge of the tree between own and suggested shelf adds. Source: docs/experiments.md, wrong shelves."""

_LEAST = 1e-30


@dataclass(frozen=True, eq=False)
class Suspects:
    """s products that may stand on the wrong shelf, the likeliest first; arrays (s,).

    product: rows of the product table; category, shelf: numbers of the own and the suggested category; doubt: what they are
    ranked by, in nats; distance: edges of the tree between the two; own_probability, shelf_probability: what the photos alone
    say, from a head that did not learn from the product; misplaced: the probability that the product stands wrong, which
    takes into account as well that somebody put it there.
    """

    product: NDArray[np.int32]
    category: NDArray[np.int32]
    shelf: NDArray[np.int32]
    doubt: NDArray[np.float32]
    distance: NDArray[np.int32]
    own_probability: NDArray[np.float32]
    shelf_probability: NDArray[np.float32]
    misplaced: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.product)


def wrong_shelves(judged: Judged, taxonomy: Taxonomy, inventory: Inventory, limit: int) -> Suspects:
    """Return the products whose best shelf is another than their own, at most `limit`, the likeliest mistakes first.

    With p the probabilities of a product's own and suggested shelf, and e the edges between them in the tree,

        doubt = 1/2 log p(suggested) - log p(own) + EDGE_NATS e

    half-way between self-confidence, -log p(own), and the log-odds, log p(suggested) - log p(own). Products on which the
    own shelf is the best answer, and those that could not be judged, are not among them.
    Source: docs/experiments.md, wrong shelves; self-confidence: Northcutt, Jiang and Chuang 2021, section 4.
    """
    shelf, probability = judged.suggested
    at = np.flatnonzero(judged.judged & (probability > judged.own))
    category, shelf = judged.category[at], shelf[at]
    own, other = judged.own[at], probability[at]
    distance = edges_between(taxonomy, inventory.categories, category, shelf)
    doubt = 0.5 * np.log(np.maximum(other, _LEAST)) - np.log(np.maximum(own, _LEAST)) + EDGE_NATS * distance
    order = np.argsort(-doubt, kind="stable")[:limit]
    misplaced = misplaced_probability(judged, estimate_noise(judged, len(inventory.categories)))
    return Suspects(
        at[order].astype(np.int32), category[order], shelf[order], doubt[order].astype(np.float32), distance[order],
        own[order], other[order], misplaced[at[order]],
    )  # fmt: skip


def edges_between(
    taxonomy: Taxonomy, categories: tuple[str, ...], one: NDArray[Any], other: NDArray[Any]
) -> NDArray[np.int32]:
    """Return the edges (m,) on the way between two shelves each: up from both to their lowest common ancestor.

    one, other: (m,) numbers of categories. Siblings are 2 apart; the tops of the forest hang on one root, so that two of
    them are 2 apart as well.
    """
    paths = _paths(taxonomy, categories)
    depth = (paths >= 0).sum(axis=1)
    shared = np.logical_and.accumulate((paths[one] == paths[other]) & (paths[one] >= 0), axis=1).sum(axis=1)
    return np.asarray(depth[one] + depth[other] - 2 * shared, dtype=np.int32)


def _paths(taxonomy: Taxonomy, categories: tuple[str, ...]) -> NDArray[np.int32]:
    """Return the nodes (c, depth) from the top to each category as numbers, -1 below it."""
    number = {node: place for place, node in enumerate(taxonomy.nodes_in_order)}
    paths = np.full((len(categories), max(taxonomy.depth, 1)), -1, np.int32)
    for row, category in zip(paths, categories, strict=True):
        path = taxonomy.path(category)
        row[: len(path)] = [number[node] for node in path]
    return paths
