from pathlib import Path

import numpy as np
import pytest

from shelfwise.backbones.products import embedded_layout
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import take_inventory
from shelfwise.embed import embed
from shelfwise.ingest import GrocerySource, ingest
from shelfwise.options import EmbedOptions
from shelfwise.shelves.judge import judge_rows
from shelfwise.shelves.left_out import Filed
from shelfwise.shelves.rank import wrong_shelves
from shelfwise.shelves.vectors import Vectors


@pytest.mark.slow
def test_groceries_put_on_wrong_shelves_are_the_first_to_be_doubted(grocery: Path, tmp_path: Path) -> None:
    """The figures with better vectors and beside cleanlab are in benchmarks/results/wrong_shelves.md."""
    path = tmp_path / "grocery.catalog"
    ingest(GrocerySource(grocery / "dataset"), path)
    embed(path, EmbedOptions(backbone="lite0"))
    catalog = Catalog(path)
    inventory, layout = take_inventory(catalog), embedded_layout(catalog)
    learned = [inventory.splits.index(name) for name in ("train", "val")]
    products = np.flatnonzero(np.isin(inventory.split, learned))
    assert len(products) == 2936
    rng, category = np.random.default_rng(0), inventory.category.copy()
    moved = rng.choice(products, 147, replace=False)
    category[moved] = (category[moved] + rng.integers(1, 81, 147)) % 81
    filed = Filed.of(products, category[products], products)
    judged = judge_rows(Vectors(catalog, inventory, layout), filed, category, 81)
    suspects = wrong_shelves(judged, catalog.taxonomy, inventory, 147)
    right = np.isin(suspects.product, moved)
    assert right.mean() >= 0.95
    assert (suspects.shelf == inventory.category[suspects.product])[right].mean() >= 0.9
    assert suspects.misplaced[right].mean() > 0.9
