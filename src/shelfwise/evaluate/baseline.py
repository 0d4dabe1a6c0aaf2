"""What the evaluated bundle has to beat: the category of the training photo whose perceptual hash is nearest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.backbones.products import filed_products, usable_images
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.errors import OptionError
from shelfwise.index.nearest_hash import nearest_hash
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import score

_BLOCK = 8192
# One answer without a probability: it has no other figures.
_KEPT = ("top1", "macro_f1")


def nearest_hash_baseline(bundle: Bundle, catalog: Catalog, answers: Answers, split: str, seed: int) -> dict[str, Any]:
    """Score the nearest hash on the products of a split that the bundle answered about.

    A photo answers with the category of the nearest photo among those of the bundle's own splits to learn from, in this
    catalog; a product with what most of its photos answer, the nearest of them among equals. Raises OptionError where the
    catalog does not hold the products that the bundle learned from, or the bundle learned from this split.
    Source: the baseline of the Cdiscount challenge, 0.51759 (see docs/recipes/cdiscount.md).
    """
    learned_from = str(bundle.facts["options"]["learn_from"]).split("+")
    present = set(catalog.products(["split"]).column("split").unique().to_pylist())
    if split in learned_from or not set(learned_from) <= present:
        raise OptionError(
            f"--baseline nearest-hash compares with photos of the split {'+'.join(learned_from)}, which the bundle learned from: "
            "evaluate another split of the same catalog"
        )
    known, category_of = _hashes(catalog, learned_from)
    asked, product_of = _hashes(catalog, [split], by_product=True)
    place, bits = nearest_hash(asked, known)
    chosen = _votes(product_of, category_of[place], bits)
    column = answers.columns.of(np.array([chosen[product] for product in answers.product_ids.tolist()], object))
    if (column < 0).any():
        raise OptionError("--baseline nearest-hash: the catalog's categories changed since the bundle learned from it")
    parts = []
    for start in range(0, len(column), _BLOCK):
        rows = slice(start, start + _BLOCK)
        certain = np.zeros((len(column[rows]), len(answers.columns)), np.float32)
        certain[np.arange(len(certain)), column[rows]] = 1
        parts.append(
            Answers.from_probabilities(answers.product_ids[rows], answers.truth[rows], certain, answers.columns)
        )
    figures = score(Answers.concatenate(parts), seed=seed).to_dict()
    levels = {level: {name: of_level[name] for name in _KEPT} for level, of_level in figures["levels"].items()}
    return {"name": "nearest-hash", "levels": levels} | {name: figures[name] for name in _KEPT}


def _hashes(
    catalog: Catalog, splits: Sequence[str], *, by_product: bool = False
) -> tuple[NDArray[np.uint64], NDArray[np.object_]]:
    """Return hash and category (or product id) of the usable photos of the filed products of some splits."""
    filed, _ = filed_products(catalog, splits)
    used = usable_images(catalog, filed)
    hashes = catalog.images(["perceptual_hash"]).column("perceptual_hash").take(used.column("row"))
    named = filed.column("product_id" if by_product else "category").take(used.column("product"))
    return pc.fill_null(hashes, pa.scalar(0, pa.uint64())).to_numpy(), named.to_numpy()


def _votes(product: NDArray[np.object_], category: NDArray[np.object_], bits: NDArray[np.uint8]) -> dict[str, str]:
    """Return the category that most photos of each product answer; of equal ones, that of the nearest photo."""
    counted: dict[str, dict[str, list[int]]] = {}
    for name, answer, distance in zip(product.tolist(), category.tolist(), bits.tolist(), strict=True):
        counted.setdefault(name, {}).setdefault(answer, []).append(distance)
    return {
        name: min(votes, key=lambda answer: (-len(votes[answer]), min(votes[answer])))
        for name, votes in counted.items()
    }
