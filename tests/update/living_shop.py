"""Copies of the drawn shop and its bundle, to be changed, and what learning from scratch would give."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shelfwise.backbones.products import ProductFeatures, read_named_products
from shelfwise.bundle import Bundle
from shelfwise.bundle.learned import Learned
from shelfwise.catalog import Catalog
from shelfwise.statistics.head import Head
from shelfwise.statistics.ridge import Spectrum, fit


@dataclass(frozen=True)
class LivingShop:
    catalog: Path
    bundle: Path

    def learned(self) -> Learned:
        return Bundle.load(self.bundle).learned()

    def ids(self, split: str) -> list[str]:
        rows = Catalog(self.catalog).products(["product_id", "split"]).to_pylist()
        return [row["product_id"] for row in rows if row["split"] == split]

    def products(self, ids) -> ProductFeatures:
        return read_named_products(Catalog(self.catalog), Bundle.load(self.bundle).layout, list(ids))


def copied(catalog: Path, bundle: Path, to: Path, name: str = "shop.bundle") -> LivingShop:
    shutil.copytree(catalog, to / "shop.catalog")
    if name.endswith(".zip"):
        Bundle.load(bundle).save(to / name)
    else:
        shutil.copytree(bundle, to / name)
    return LivingShop(to / "shop.catalog", to / name)


def assert_learned_as_from_scratch(shop: LivingShop, shelf_of: dict[str, str]) -> None:
    """Compare sums and head with those of learning from these products on these shelves at the bundle's penalty, to 1e-8."""
    bundle = Bundle.load(shop.bundle)
    learned = bundle.learned()
    assert dict(zip(learned.product_ids, np.array(bundle.categories)[learned.column], strict=True)) == shelf_of
    data = shop.products(shelf_of)
    column = bundle.columns.of(np.array([shelf_of[product] for product in data.product_ids], dtype=object))
    scratch = Learned.of(data.product_ids, data.x, column, len(bundle.categories), learned.penalty)
    for name, array in scratch.statistics.to_arrays().items():
        np.testing.assert_allclose(learned.statistics.to_arrays()[name], array, atol=1e-8)
    expected = fit(Spectrum.from_rows(data.x), scratch.statistics, learned.penalty)
    assert_same_head(head_of(bundle), expected)


def head_of(bundle: Bundle) -> Head:
    return bundle.classifier.members[0].model.head


def assert_same_head(found: Head, expected: Head) -> None:
    """The head in the file is float32: it must be the float64 one, rounded."""
    np.testing.assert_allclose(found.weight, expected.weight, atol=1e-7)
    np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-6)
