"""What checks find, as numbers in a catalog's inventory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Kinds in the order of the page, with their title.
KINDS = {
    "exact_repeat": "The same picture, byte for byte",
    "near_repeat": "The same picture, saved again",
    "listed_twice": "Products that are listed twice",
    "useful_repeat": "One picture that many products of a category share",
    "placeholder": "Pictures that show no product",
    "blank": "Blank pictures",
    "several_categories": "One picture on several shelves",
    "across_splits": "The same product or picture in several splits",
    "group_differs": "One group, different pictures",
    "blurred": "Blurred",
    "dark": "Dark",
    "bright": "Too bright",
    "low_information": "Hardly anything on it",
    "odd_aspect": "Odd proportions",
    "tiny": "Tiny",
    "framed": "Framed",
    "wrong_shelf": "On the wrong shelf",
}


@dataclass(frozen=True, eq=False)
class Found:
    """k findings of one kind; arrays (k,) of numbers in the inventory.

    set: ascending from 0, equal for findings that belong together; product: rows of the product table; photo: photos, -1
    for a finding about a product as a whole; score: what the kind is ranked by, its meaning in docs/audit.md; kept:
    products that stay where others repeat them, -1 for none; shelf: numbers of the suggested categories, -1 for none;
    facts: figures about the kind for the page, JSON values.
    """

    kind: str
    set: NDArray[np.int32]
    product: NDArray[np.int32]
    photo: NDArray[np.int32]
    score: NDArray[np.float32]
    kept: NDArray[np.int32]
    shelf: NDArray[np.int32]
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        kind: str,
        *,
        set: NDArray[Any],  # noqa: A002
        product: NDArray[Any],
        photo: NDArray[Any] | None = None,
        score: NDArray[Any] | None = None,
        kept: NDArray[Any] | None = None,
        shelf: NDArray[Any] | None = None,
        facts: dict[str, Any] | None = None,
    ) -> Found:
        """Make findings; what is absent is -1, a score 1."""
        none = np.full(len(product), -1, np.int32)
        numbers = [none if values is None else np.asarray(values, np.int32) for values in (photo, kept, shelf)]
        scores = np.ones(len(product), np.float32) if score is None else np.asarray(score, np.float32)
        return cls(
            kind, np.asarray(set, np.int32), np.asarray(product, np.int32), numbers[0], scores, numbers[1], numbers[2],
            facts or {},
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.product)

    @property
    def sets(self) -> int:
        """Number of sets."""
        return len(np.unique(self.set))
