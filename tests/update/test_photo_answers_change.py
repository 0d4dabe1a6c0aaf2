"""Bundles that answer for photos: products come, go and move with all of theirs, as if learned from scratch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from living_shop import LivingShop, copied, head_of

from commands_here import run
from drawn_products import products_catalog
from drawn_shop import write
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.classifiers.familiarity import unit
from shelfwise.classifiers.flat import Flat
from shelfwise.classifiers.heads import Linear
from shelfwise.options import TrainOptions
from shelfwise.statistics.solve import System
from shelfwise.train import train

MUG, PLATE, BOOT = "Home/Kitchen/Mug", "Home/Kitchen/Plate", "Fashion/Shoes/Boot"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> LivingShop:
    """Four products of each kind with 1 to 3 photos, learned with the pool that is the usual one."""
    folder = tmp_path_factory.mktemp("products")
    catalog = products_catalog(folder)
    train(catalog, folder / "shop.bundle")
    return LivingShop(catalog, folder / "shop.bundle")


@pytest.fixture
def shop(trained: LivingShop, tmp_path: Path) -> LivingShop:
    return copied(trained.catalog, trained.bundle, tmp_path)


def shelf_of(shop: LivingShop) -> dict[str, str]:
    rows = Catalog(shop.catalog).products(["product_id", "category", "split"]).to_pylist()
    return {row["product_id"]: row["category"] for row in rows if row["split"] == "train"}


def on(shop: LivingShop, category: str) -> list[str]:
    return [product for product, shelf in shelf_of(shop).items() if shelf == category]


def alpha_of(x: np.ndarray, penalty: float) -> float:
    """Return the penalty times the mean eigenvalue of the centered Gram matrix of rows (n, d)."""
    return penalty * len(x) * float(x.var(axis=0, dtype=float).mean())


def head_from_scratch(x: np.ndarray, shelf: np.ndarray, categories, alpha: float) -> Linear:
    """Solve the centered normal equations of the photos."""
    targets = (shelf[:, None] == np.array(categories)).astype(float)
    rows, mean = x.astype(float) - x.mean(axis=0, dtype=float), x.mean(axis=0, dtype=float)
    weight = np.linalg.solve(rows.T @ rows + alpha * np.eye(x.shape[1]), rows.T @ (targets - targets.mean(axis=0)))
    return Linear(weight.astype(np.float32), (targets.mean(axis=0) - mean @ weight).astype(np.float32))


def answering_with(bundle: Bundle, head: Linear) -> Bundle:
    (member,) = bundle.classifier.members
    assert isinstance(member.model, Flat)
    changed = replace(member, model=replace(member.model, head=head))
    return replace(bundle, classifier=replace(bundle.classifier, members=(changed,)))


def assert_answers_as_trained_anew(shop: LivingShop, to: Path) -> None:
    """Train on the catalog as it is now: its sums, solved at the penalty of the bundle that was changed, answer alike."""
    bundle = Bundle.load(shop.bundle)
    train(shop.catalog, to, TrainOptions(pool="scores"))
    anew, learned = Bundle.load(to), bundle.learned()
    theirs, order = anew.learned(), [anew.categories.index(category) for category in bundle.categories]
    sums, counts = theirs.statistics.sums[:, order], theirs.statistics.counts[order]
    np.testing.assert_allclose(learned.statistics.gram, theirs.statistics.gram, atol=1e-8)
    np.testing.assert_allclose(learned.statistics.sums, sums, atol=1e-8)
    np.testing.assert_array_equal(learned.statistics.counts, counts)
    ours, others = (dict(zip(one.product_ids, one.digest, strict=True)) for one in (learned, theirs))
    assert ours == others
    head = Linear.of(System.of(theirs.statistics, learned.penalty).head(sums, counts))
    test = shop.products(shop.ids("test"))
    assert len(test.photos) > len(test) == 47
    np.testing.assert_allclose(
        bundle.probabilities(test.photos, test.product),
        answering_with(bundle, head).probabilities(test.photos, test.product),
        atol=1e-5,
    )
    data = shop.products(shelf_of(shop))
    shelf, alpha = data.categories[data.product].astype(str), alpha_of(data.photos, learned.penalty)
    scratch = head_from_scratch(data.photos, shelf, bundle.categories, alpha)
    np.testing.assert_allclose(head_of(bundle).weight, scratch.weight, atol=1e-6)
    np.testing.assert_allclose(head_of(bundle).intercept, scratch.intercept, atol=1e-5)


def test_the_usual_pool_keeps_the_sums_of_all_photos(trained: LivingShop):
    bundle = Bundle.load(trained.bundle)
    learned, data = bundle.learned(), trained.products(trained.ids("train"))
    assert bundle.classifier.members[0].pool.kind == "scores"
    assert len(learned) == len(data) == 48
    assert learned.statistics.weight == learned.rows.sum() == len(data.photos) == 96
    np.testing.assert_allclose(learned.statistics.total, data.photos.sum(axis=0, dtype=float), atol=1e-8)


def test_by_commands_products_go_and_come_back_shelves_merge_and_split(
    shop: LivingShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    both = (shop.catalog, shop.bundle)
    before = head_of(Bundle.load(shop.bundle))
    gone = [on(shop, MUG)[0], *on(shop, PLATE)]
    removes = [word for product in gone for word in ("--remove", product)]
    code, out, _ = run(capsys, "update", shop.bundle, shop.catalog, *removes, "--json")
    told = json.loads(out)
    assert (code, told["removed"], told["products"], told["lost_categories"]) == (0, 5, 43, [PLATE])
    code, out, _ = run(capsys, "update", shop.bundle, shop.catalog, "--add-split", "train", "--json")
    told = json.loads(out)
    assert (code, told["added"], told["products"], told["new_categories"]) == (0, 5, 48, [PLATE])
    np.testing.assert_allclose(
        np.sort(head_of(Bundle.load(shop.bundle)).intercept), np.sort(before.intercept), atol=1e-6
    )
    for target in both:
        code, out, _ = run(capsys, "taxonomy", "merge", target, MUG, PLATE, "--json")
        assert (code, json.loads(out)["gone"]) == (0, [MUG])
    lines = [f"{product},Tall boot" for product in on(shop, BOOT)[:2]]
    file = write(tmp_path / "shelves.csv", "\n".join(["product_id,category", *lines]).encode())
    for target in both:
        catalog = ("--catalog", shop.catalog) if target == shop.bundle else ()
        code, out, _ = run(capsys, "taxonomy", "split", target, BOOT, "--products", file, *catalog, "--json")
        assert (code, json.loads(out)["products"]) == (0, 2)
    assert "Fashion/Shoes/Tall boot" in Bundle.load(shop.bundle).categories
    assert_answers_as_trained_anew(shop, tmp_path / "anew.bundle")


def test_products_that_moved_in_the_catalog_and_a_shelf_that_goes_are_followed(
    shop: LivingShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from shelfwise.corrections.decide import Correction
    from shelfwise.corrections.make import correct

    moved = on(shop, MUG)[1:3]
    wanted = [Correction(action="move", product_id=product, category=PLATE, was=MUG) for product in moved]
    correct(shop.catalog, wanted, origin="test")
    code, out, _ = run(capsys, "update", shop.bundle, shop.catalog, "--moved", "--json")
    assert (code, json.loads(out)["moved"]) == (0, 2)
    assert_answers_as_trained_anew(shop, tmp_path / "anew.bundle")
    code, out, _ = run(capsys, "taxonomy", "remove", shop.bundle, MUG, "--catalog", shop.catalog, "--json")
    assert (code, json.loads(out)["products"]) == (0, 2)
    bundle = Bundle.load(shop.bundle)
    data = shop.products([product for product, shelf in shelf_of(shop).items() if shelf != MUG])
    shelf = data.categories[data.product].astype(str)
    alpha = alpha_of(data.photos, bundle.learned().penalty)
    scratch = head_from_scratch(data.photos, shelf, bundle.categories, alpha)
    np.testing.assert_allclose(head_of(bundle).weight, scratch.weight, atol=1e-6)
    means = np.stack([data.photos[shelf == category].mean(axis=0) for category in bundle.categories])
    np.testing.assert_allclose(bundle.classifier.familiarity.directions, unit(means - means.mean(axis=0)), atol=1e-5)


@pytest.mark.parametrize("pool", ["scores", "gate"])
def test_a_live_bundle_learns_moves_and_forgets_all_photos_of_a_product(trained: LivingShop, tmp_path: Path, pool: str):
    """At the alpha of the beginning; the gate stays as it was learned."""
    path = tmp_path / "l.bundle"
    train(trained.catalog, path, TrainOptions(pool=pool))
    bundle = Bundle.load(path)
    live, known = bundle.live(), bundle.learned()
    data = trained.products([*trained.ids("train"), *trained.ids("test")])
    photos = {product: data.photos[data.product == row] for row, product in enumerate(data.product_ids)}
    shelf = {
        product: bundle.categories[column] for product, column in zip(known.product_ids, known.column, strict=True)
    }
    for product in trained.ids("test"):
        if product in photos and product.endswith(("-2", "-3")):
            shelf[product] = data.categories[list(photos).index(product)]
            live.add(product, photos[product], shelf[product])
    for product in [product for product in shelf if shelf[product] == MUG]:
        live.remove(product, photos[product])
        del shelf[product]
    for product in [product for product in shelf if shelf[product] == PLATE][:3]:
        live.move(product, photos[product], BOOT)
        shelf[product] = BOOT
    x = np.concatenate([photos[product] for product in shelf])
    of_rows = np.repeat(list(shelf.values()), [len(photos[product]) for product in shelf])
    alpha = alpha_of(trained.products(known.product_ids).photos, known.penalty)
    head = head_from_scratch(x, of_rows, live.columns.categories, alpha)
    (member,) = answering_with(bundle, head).classifier.members
    expected = bundle.classifier.calibration.apply(
        member.log_probabilities(data.photos, data.product, len(data)), live.columns
    )
    np.testing.assert_allclose(live.probabilities(data.photos, data.product), expected, atol=1e-4)
    many = next(product for product in shelf if len(photos[product]) == 3)
    with pytest.raises(ValueError, match="other photos"):
        live.remove(many, photos[many][:2])
