"""Level heads rest on one head for all categories: they change with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from living_shop import LivingShop, copied

from shelfwise import reshelve
from shelfwise.bundle import Bundle
from shelfwise.classifiers.levels import Levels
from shelfwise.options import TrainOptions, UpdateOptions
from shelfwise.train import train
from shelfwise.update import update


@pytest.fixture(scope="module")
def leveled(embedded_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("levels") / "l.bundle"
    train(embedded_catalog, path, TrainOptions(hierarchy="levels"))
    return path


@pytest.fixture
def shop(embedded_catalog: Path, leveled: Path, tmp_path: Path) -> LivingShop:
    return copied(embedded_catalog, leveled, tmp_path)


def test_products_come_and_shelves_merge_and_the_bundle_answers_for_its_new_columns(shop: LivingShop):
    done = update(shop.bundle, shop.catalog, UpdateOptions(add_split="val"))
    assert (done.added, done.products) == (36, 132)
    reshelve.merge(shop.bundle, "Home/Kitchen/Mug", "Home/Kitchen/Plate")
    bundle = Bundle.load(shop.bundle)
    data = shop.products(shop.ids("test"))
    truth = np.where(data.categories == "Home/Kitchen/Mug", "Home/Kitchen/Plate", data.categories)
    assert isinstance(bundle.classifier.members[0].model, Levels)
    answers = np.array(bundle.categories)[bundle.probabilities(data.x).argmax(axis=1)]
    assert len(bundle.categories) == 11
    assert (answers == truth).mean() > 0.9
    np.testing.assert_allclose(bundle.live().probabilities(data.x), bundle.probabilities(data.x), atol=1e-5)


def test_a_tree_that_grows_deeper_or_flatter_is_answered_for(shop: LivingShop):
    before = Bundle.load(shop.bundle)
    x = shop.products(shop.ids("test")).x
    reshelve.move(shop.bundle, "Home/Kitchen", "Fashion/Shoes")
    deeper = Bundle.load(shop.bundle)
    assert deeper.taxonomy.depth == 4
    assert (deeper.probabilities(x).argmax(axis=1) == before.probabilities(x).argmax(axis=1)).mean() > 0.9
