"""Answers for the products of a catalog, in the layout that the Cdiscount challenge asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.backbones.products import read_named_products
from shelfwise.bundle import Bundle
from shelfwise.bundle.own_vectors import compute_own_vectors
from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError, OptionError
from shelfwise.files import write_bytes
from shelfwise.formats.csv_write import write_csv
from shelfwise.progress import SILENT, Progress

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("_id", "category_id")
_BLOCK = 8192


@dataclass(frozen=True, slots=True)
class SubmissionSummary:
    """Counts of a submission; unanswered: products without a usable photo, which have no row."""

    file: str
    products: int
    photos: int
    unanswered: int
    unanswered_example: str

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)


def submit(
    bundle: Path | str, catalog: Path | str, to: Path | str, split: str | None = None, *, progress: Progress = SILENT
) -> SubmissionSummary:
    """Write `_id,category_id`, a row a product, in the order of the catalog; all photos of a product answer together.

    Products need no category. Raises OptionError where the file exists, CatalogError for a split that the catalog does not
    have, and where vectors are missing that the bundle does not carry the network for.
    """
    to = Path(to)
    if to.exists():
        raise OptionError(f"--submission {to} exists already: choose another name, or remove it first")
    loaded, opened = Bundle.load(bundle), Catalog(catalog)
    products = _products(opened, split)
    compute_own_vectors(loaded, opened, products, split or "products", progress)
    ids = products.column("product_id").to_pylist()
    rows, answered, photos = [], set(), 0
    with progress.task("answer", len(ids)) as advance:
        for start in range(0, len(ids), _BLOCK):
            asked = ids[start : start + _BLOCK]
            data = read_named_products(opened, loaded.layout, asked)
            best = loaded.probabilities(data.photos, data.product).argmax(axis=1) if len(data) else np.empty(0, int)
            for name, column in zip(data.product_ids.tolist(), best.tolist(), strict=True):
                rows.append(dict(zip(COLUMNS, (name, loaded.categories[column]), strict=True)))
                answered.add(name)
            photos += len(data.photos)
            advance(len(asked))
    write_bytes(to, b"".join(write_csv(rows, COLUMNS)))
    without = [name for name in ids if name not in answered]
    return SubmissionSummary(str(to), len(rows), photos, len(without), without[0] if without else "")


def _products(catalog: Catalog, split: str | None) -> pa.Table:
    import pyarrow.compute as pc

    products = catalog.products(["product_id", "split"])
    if split is None:
        return products
    chosen = products.filter(pc.equal(products.column("split"), split))
    if not len(chosen):
        there = ", ".join(sorted(set(products.column("split").unique().to_pylist()) - {None})) or "none"
        raise CatalogError(f"the catalog has no split {split}; it has: {there}")
    return chosen
