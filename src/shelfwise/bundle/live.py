"""A bundle that takes products in, and lets them go, while it answers: every change counts in the next answer.

The answers are those of a head learned from the same products at the alpha of the moment when it was opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.bundle.learned import Learned, digests, listed
from shelfwise.bundle.model import Bundle
from shelfwise.bundle.single_head import single_head
from shelfwise.columns import Columns
from shelfwise.errors import OptionError, TaxonomyError
from shelfwise.statistics.corrected import CorrectedHead
from shelfwise.statistics.solve import System

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Photos = NDArray[np.float32] | Sequence[bytes]


class LiveBundle:
    """An opened bundle; photos are feature vectors (n, d) or encoded pictures. Raises OptionError as `Bundle.learned`."""

    def __init__(self, bundle: Bundle) -> None:
        learned, single = bundle.learned(), single_head(bundle.classifier)
        assert single is not None, "`Bundle.learned` refuses other bundles"
        self.bundle, self._single = bundle, single
        self._categories = list(bundle.categories)
        self._head = CorrectedHead.of_system(System.of(learned.statistics, learned.penalty), learned.statistics)
        self._products = _Products(learned)
        self._shown: Columns | None = None

    @property
    def columns(self) -> Columns:
        """The categories that it can answer with now: those that hold products."""
        if self._shown is None:
            there = np.flatnonzero(self._head.counts > 0.5)
            self._shown = Columns(tuple(self._categories[column] for column in there), self.bundle.taxonomy)
        return self._shown

    def add(self, product_id: str, photos: Photos, category: str) -> None:
        """Learn a product from its photos; raises OptionError where it was learned before."""
        if product_id in self._products:
            raise OptionError(f"{listed([product_id])} learned before: remove it first where it is to be learned anew")
        column, x = self._column(category), self._rows(photos)
        for row in self._head.whiten(x):
            self._head.add(row, column)
        self._products.put(product_id, column, x)
        self._shown = None

    def remove(self, product_id: str, photos: Photos) -> None:
        """Forget a product; its photos must be those that it was learned with."""
        if len(self._products) < 2:
            raise OptionError("no product would be left to have learned from")
        x = self._rows(photos)
        column = self._products.take(product_id, x)
        for row in self._head.whiten(x):
            self._head.forget(row, column)
        self._shown = None

    def move(self, product_id: str, photos: Photos, category: str) -> None:
        """Put a product on another shelf; its photos must be those that it was learned with."""
        x, new = self._rows(photos), self._column(category)
        old = self._products.take(product_id, x)
        for row in self._head.whiten(x):
            self._head.move(row, old, new)
        self._products.put(product_id, new, x)
        self._shown = None

    def probabilities(self, photos: Photos, product: NDArray[np.integer[Any]] | None = None) -> NDArray[np.float32]:
        """Return calibrated probabilities (p, c) of the categories of `columns`, as `Bundle.probabilities` does."""
        x = self._features(photos)
        shows = np.arange(len(x)) if product is None else np.asarray(product)
        products, member = int(shows[-1]) + 1 if len(shows) else 0, self._single.member
        log_probabilities = member.pool.log_probabilities(self._answers, member.seen(x), shows, products)
        return self.bundle.classifier.calibration.apply(log_probabilities, self.columns)

    def _answers(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = self._head.scores(self._head.whiten(rows))[:, self._head.counts > 0.5]
        return self._single.log_probabilities(scores, self.columns)

    def _features(self, photos: Photos) -> NDArray[np.float32]:
        if isinstance(photos, np.ndarray):
            return np.atleast_2d(photos).astype(np.float32, copy=False)
        return self.bundle.features_of(list(photos))

    def _rows(self, photos: Photos) -> NDArray[np.float32]:
        """Return the head's rows (m, d) of one product."""
        x = self._features(photos)
        if not len(x) or not np.isfinite(x).all():
            raise OptionError("a product needs at least one photo, with finite numbers")
        return self._single.rows_of(x, np.zeros(len(x), dtype=np.int64), 1)[0]

    def _column(self, category: str) -> int:
        if category not in self.bundle.taxonomy.nodes:
            raise TaxonomyError(f"the bundle's taxonomy holds no category {category!r}: see  shelfwise taxonomy add")
        if category not in self._categories:
            self._categories.append(category)
        return self._categories.index(category)


class _Products:
    """The products that are learned now: their columns, and what tells their rows apart."""

    def __init__(self, learned: Learned) -> None:
        columns, digest = learned.column.tolist(), learned.digest.tolist()
        self._known: dict[str, tuple[int, int]] = dict(
            zip(learned.product_ids, zip(columns, digest, strict=True), strict=True)
        )

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, product_id: str) -> bool:
        return product_id in self._known

    def put(self, product_id: str, column: int, x: NDArray[np.float32]) -> None:
        self._known[product_id] = column, _digest(x)

    def take(self, product_id: str, x: NDArray[np.float32]) -> int:
        """Take a product out and return its column."""
        if product_id not in self._known:
            raise OptionError(f"{listed([product_id])} never learned, and cannot be taken out")
        column, digest = self._known[product_id]
        if digest != _digest(x):
            raise OptionError(f"{listed([product_id])} learned with other photos: give these")
        del self._known[product_id]
        return column


def _digest(x: NDArray[np.float32]) -> int:
    return int(digests(x, np.zeros(len(x), dtype=np.int64))[0])
