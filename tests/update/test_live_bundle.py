"""A bundle that learns while it answers: as learned from scratch at the alpha that it was opened with."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from living_shop import LivingShop, copied

from shelfwise.bundle import Bundle
from shelfwise.classifiers.flat import log_softmax
from shelfwise.errors import OptionError, TaxonomyError
from shelfwise.statistics.ridge import Spectrum

MUG, PLATE = "Home/Kitchen/Mug", "Home/Kitchen/Plate"


@pytest.fixture
def shop(embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path) -> LivingShop:
    return copied(embedded_catalog, drawn_bundle, tmp_path)


def from_scratch(bundle: Bundle, x, shelf, asked, alpha: float) -> dict[str, np.ndarray]:
    """Solve the normal equations at alpha and answer, by category."""
    names = sorted(set(shelf))
    targets = np.array([[name == one for one in names] for name in shelf], dtype=float)
    rows, mean = x.astype(float) - x.mean(axis=0, dtype=float), x.mean(axis=0, dtype=float)
    weight = np.linalg.solve(rows.T @ rows + alpha * np.eye(x.shape[1]), rows.T @ (targets - targets.mean(axis=0)))
    scores = (asked - mean) @ weight + targets.mean(axis=0)
    powers = np.exp(log_softmax(scores, bundle.classifier.members[0].model.temperature))
    return dict(zip(names, powers.T, strict=True))


def test_after_products_came_went_and_moved_it_answers_as_if_learned_from_scratch(shop: LivingShop):
    bundle = Bundle.load(shop.bundle)
    live = bundle.live()
    data = shop.products([*shop.ids("train"), *shop.ids("val")])
    spectrum, penalty = Spectrum.from_rows(shop.products(shop.ids("train")).x), bundle.learned().penalty
    place = {product: row for row, product in enumerate(data.product_ids)}
    shelf = {product: data.categories[place[product]] for product in shop.ids("train")}
    for product in shop.ids("val")[:20]:
        live.add(product, data.x[[place[product]]], data.categories[place[product]])
        shelf[product] = data.categories[place[product]]
    mugs = [product for product, category in shelf.items() if category == MUG]
    for product in mugs:  # the whole shelf goes
        live.remove(product, data.x[[place[product]]])
        del shelf[product]
    boots = [product for product, category in shelf.items() if category == PLATE][:3]
    for product in boots:
        live.move(product, data.x[[place[product]]], "Home/Kitchen")
        shelf[product] = "Home/Kitchen"
    assert MUG not in live.columns.categories
    assert "Home/Kitchen" in live.columns.categories
    rows = np.array([place[product] for product in shelf])
    asked = data.x[:50]
    expected = from_scratch(bundle, data.x[rows], list(shelf.values()), asked, spectrum.alpha(penalty))
    log_expected = np.log(np.stack([expected[category] for category in live.columns.categories], axis=1))
    calibrated = bundle.classifier.calibration.apply(log_expected.astype(np.float32), live.columns)
    np.testing.assert_allclose(live.probabilities(asked), calibrated, atol=1e-5)


def test_before_any_change_it_answers_as_the_bundle(shop: LivingShop):
    bundle = Bundle.load(shop.bundle)
    x = shop.products(shop.ids("test")).x
    live = bundle.live()
    assert live.columns.categories == bundle.categories
    np.testing.assert_allclose(live.probabilities(x), bundle.probabilities(x), atol=1e-5)


def test_a_product_given_as_pictures_is_learned_as_from_the_catalog(shop: LivingShop):
    from shelfwise.catalog import Catalog

    bundle, data = Bundle.load(shop.bundle), shop.products(shop.ids("val")[:1])
    picture = Catalog(shop.catalog).image_bytes(data.first_image)
    by_picture, by_vector = bundle.live(), bundle.live()
    by_picture.add("new", picture, data.categories[0])
    by_vector.add("new", data.x, data.categories[0])
    np.testing.assert_allclose(by_picture.probabilities(picture), by_vector.probabilities(data.x), atol=1e-4)


def test_what_makes_no_sense_is_refused_and_changes_nothing(shop: LivingShop):
    live, data = Bundle.load(shop.bundle).live(), shop.products(shop.ids("train")[:2])
    first, other = data.product_ids
    before = live.probabilities(data.x)
    for error, said, change in (
        (OptionError, "learned before", lambda: live.add(first, data.x[:1], MUG)),
        (OptionError, "never learned", lambda: live.remove("nobody", data.x[:1])),
        (OptionError, "other photos", lambda: live.remove(first, data.x[1:])),
        (TaxonomyError, "taxonomy add", lambda: live.add("new", data.x[:1], "Nowhere")),
        (TaxonomyError, "taxonomy add", lambda: live.move(first, data.x[:1], "Nowhere")),
        (OptionError, "at least one photo", lambda: live.add("new", data.x[:0], MUG)),
        (OptionError, "finite", lambda: live.add("new", data.x[:1] * np.nan, MUG)),
    ):
        with pytest.raises(error, match=said):
            change()
    np.testing.assert_array_equal(live.probabilities(data.x), before)
    live.remove(other, data.x[1:])


def test_adding_a_product_and_asking_takes_less_than_a_tenth_of_a_second(shop: LivingShop):
    live, data = Bundle.load(shop.bundle).live(), shop.products(shop.ids("val"))
    seconds = []
    for row, product in enumerate(data.product_ids[:15]):
        started = time.perf_counter()
        live.add(product, data.x[[row]], data.categories[row])
        live.probabilities(data.x[[row]])
        seconds.append(time.perf_counter() - started)
    assert np.median(seconds) < 0.1
