"""Which attributes products carry, how often, and which together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.catalog import Catalog

# Pairs are counted among the most frequent: rarer attributes cannot be part of the most frequent pairs but by accident.
_PAIRED = 100
_SAMPLES = 6


@dataclass(frozen=True, eq=False)
class Attributes:
    """a attributes, the most frequent first: names, products that carry each (a,).

    together: (b, b) products that carry both, of the first b = min(a, 100); its diagonal is `products`. per_product: products by
    their number of different attributes, from 0.
    """

    names: tuple[str, ...]
    products: NDArray[np.int64]
    together: NDArray[np.int64]
    per_product: NDArray[np.int64]
    samples: NDArray[np.int32]

    def pairs(self, limit: int) -> list[tuple[int, int, int]]:
        """Return the most frequent pairs (first, second, products), the most frequent first."""
        first, second = np.triu_indices(len(self.together), 1)
        counts = self.together[first, second]
        order = np.argsort(-counts, kind="stable")[:limit]
        return [(int(first[at]), int(second[at]), int(counts[at])) for at in order if counts[at]]


def count_attributes(catalog: Catalog, seed: int = 0) -> Attributes:
    """Count attributes in two passes over the products: first each, then the pairs of the most frequent."""
    numbers: dict[str, int] = {}
    products = np.zeros(0, np.int64)
    per_product = np.zeros(1, np.int64)
    for size, row, code in _carried(catalog, numbers):
        products = _added(products, np.bincount(code, minlength=len(numbers)))
        per_product = _added(per_product, np.bincount(np.bincount(row, minlength=size)))
    order = np.argsort(-products, kind="stable")
    rank = np.full(len(numbers), -1, np.int64)
    rank[order[:_PAIRED]] = np.arange(min(_PAIRED, len(order)))
    together = np.zeros((min(_PAIRED, len(order)),) * 2, np.int64)
    samples = _Samples(len(together), seed)
    for size, row, code in _carried(catalog, numbers) if len(order) else ():
        carries = np.zeros((size, len(together)), np.float32)
        known = rank[code] >= 0
        carries[row[known], rank[code[known]]] = 1
        together += (carries.T @ carries).astype(np.int64)
        samples.add(carries)
    names = list(numbers)
    return Attributes(tuple(names[at] for at in order), products[order], together, per_product, samples.rows)


class _Samples:
    """Random products that carry each attribute: those with the largest of numbers drawn for all."""

    def __init__(self, attributes: int, seed: int) -> None:
        self.rows = np.full((attributes, _SAMPLES), -1, np.int32)
        self._drawn = np.zeros((attributes, _SAMPLES))
        self._random, self._seen = np.random.default_rng(seed), 0

    def add(self, carries: NDArray[np.float32]) -> None:
        drawn = self._random.random(len(carries)) + 1e-9
        for attribute in range(len(self.rows)):
            carriers = np.flatnonzero(carries[:, attribute])
            numbers = np.concatenate([self._drawn[attribute], drawn[carriers]])
            rows = np.concatenate([self.rows[attribute], (self._seen + carriers).astype(np.int32)])
            best = np.argsort(-numbers, kind="stable")[:_SAMPLES]
            self._drawn[attribute], self.rows[attribute] = numbers[best], rows[best]
        self._seen += len(carries)


def _carried(catalog: Catalog, numbers: dict[str, int]) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Go through the products: how many, and who of them (rows) carries what (codes), each pair once."""
    for batch in catalog.batches("products", ["attributes"]):
        column: pa.ListArray = batch.column("attributes")
        rows = pc.list_parent_indices(column).to_numpy(zero_copy_only=False).astype(np.int64)
        encoded = pc.list_flatten(column).dictionary_encode()
        table = np.array([numbers.setdefault(name, len(numbers)) for name in encoded.dictionary.to_pylist()], np.int64)
        codes = table[encoded.indices.to_numpy(zero_copy_only=False)] if len(rows) else np.zeros(0, np.int64)
        keys = np.unique(rows * max(1, len(numbers)) + codes)
        yield len(batch), keys // max(1, len(numbers)), keys % max(1, len(numbers))


def _added(sums: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add counts to sums, of which there may be fewer yet."""
    grown = np.zeros(max(len(sums), len(counts)), np.int64)
    grown[: len(sums)] = sums
    grown[: len(counts)] += counts
    return grown
