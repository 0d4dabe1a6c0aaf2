"""What a network is to learn: the categories or the attributes of which products, and what it is held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shelfwise.backbones.products import filed_products
from shelfwise.catalog import Catalog
from shelfwise.columns import Columns
from shelfwise.train.network.inputs.photos import Photos, held_apart, read_photos
from shelfwise.train.network.judging.attributes import attribute_names, read_labeled_photos
from shelfwise.train.splits import VALIDATION, columns_for, has_validation


@dataclass(frozen=True)
class Lesson:
    """What is learned.

    learn: category or attributes; names: (c,) of them, in the order of a network's scores; learned, held: photos of the products
    that are learned from, and of those that the network is held against.
    """

    learn: str
    names: tuple[str, ...]
    learned: Photos
    held: Photos

    @property
    def facts(self) -> dict[str, Any]:
        """How much is learned from."""
        column = self.learned.column
        counts = np.bincount(column, minlength=len(self.names)) if column.ndim == 1 else column.sum(axis=0)
        many, one = ("categories", "category") if self.learn == "category" else ("attributes", "attribute")
        return {
            "products": len(self.learned.product_ids), "photos": len(self.learned), many: len(self.names),
            f"smallest_{one}": int(counts.min()), "held_out_products": len(self.held.product_ids),
        }  # fmt: skip


def read_lesson(catalog: Catalog, splits: Sequence[str], learn: str) -> Lesson:
    """Read what is learned from, and what it is held against: the validation split, or else a tenth of the products.

    Raises CatalogError where there is too little of either.
    """
    names, read = _attributes(catalog, splits) if learn == "attributes" else _categories(catalog, splits)
    learned = read(splits)
    if has_validation(catalog, splits):
        return Lesson(learn, names, learned, read([VALIDATION]))
    return Lesson(learn, names, *held_apart(learned))


Read = Callable[[Sequence[str]], Photos]


def _categories(catalog: Catalog, splits: Sequence[str]) -> tuple[tuple[str, ...], Read]:
    columns: Columns = columns_for(filed_products(catalog, splits)[0].column("category").to_pylist(), catalog)
    return columns.categories, lambda asked: read_photos(catalog, asked, columns)


def _attributes(catalog: Catalog, splits: Sequence[str]) -> tuple[tuple[str, ...], Read]:
    names = attribute_names(catalog, splits)
    return names, lambda asked: read_labeled_photos(catalog, asked, names)
