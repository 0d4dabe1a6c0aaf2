"""Products of several photos, scored as products and photo by photo, against counts by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drawn_products import DAMAGED, LOST, products_catalog
from drawn_shop import shelfwise
from shelfwise.backbones.products import ProductFeatures, read_products
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.classifiers.pools import KINDS
from shelfwise.evaluate import EvaluateSummary, evaluate
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import score
from shelfwise.metrics.intervals import Proportion, wilson_interval
from shelfwise.options import TrainOptions
from shelfwise.train import train


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return products_catalog(tmp_path_factory.mktemp("products"))


@pytest.fixture(scope="module", params=["scores", "concat"])
def bundle(request: pytest.FixtureRequest, catalog: Path) -> Bundle:
    path = catalog.with_name(f"{request.param}.bundle")
    train(catalog, path, TrainOptions(pool=request.param))
    return Bundle.load(path)


@pytest.fixture(scope="module")
def summary(bundle: Bundle, catalog: Path) -> EvaluateSummary:
    return evaluate(bundle, catalog)


@pytest.fixture(scope="module")
def data(bundle: Bundle, catalog: Path) -> ProductFeatures:
    return read_products(Catalog(catalog), bundle.layout, ["test"])


def right(bundle: Bundle, vectors: np.ndarray, category: str) -> bool:
    """Ask about one product of these photos alone."""
    said = bundle.probabilities(vectors, np.zeros(len(vectors), np.int64))
    return bundle.categories[int(said[0].argmax())] == category


def test_products_are_counted_by_their_number_of_usable_photos(
    bundle: Bundle, summary: EvaluateSummary, data: ProductFeatures
) -> None:
    by_hand: dict[str, list[bool]] = {}
    for number, category in enumerate(data.categories):
        own = data.photos[data.product == number]
        by_hand.setdefault(str(len(own)), []).append(right(bundle, own, category))
    found = summary.metrics["by_photo_count"]
    assert set(found) == set(by_hand) == {"1", "2", "3"}
    for photos, answers in by_hand.items():
        share = Proportion(float(np.mean(answers)), len(answers))
        low, high = wilson_interval(share)
        assert found[photos]["products"] == share.n
        assert found[photos]["top1"] == pytest.approx({"value": share.value, "low": low, "high": high})
    total = sum(of["products"] * of["top1"]["value"] for of in found.values())
    assert total == pytest.approx(summary.metrics["top1"]["value"] * summary.metrics["products"])


def test_photos_alone_are_answered_one_by_one(bundle: Bundle, summary: EvaluateSummary, data: ProductFeatures) -> None:
    alone = np.array([right(bundle, data.photos[n : n + 1], data.categories[p]) for n, p in enumerate(data.product)])
    photos = summary.metrics["photos"]
    assert photos["photos"] == len(data.photos)
    assert 0 < photos["top1"]["value"] < 1
    assert photos["top1"]["value"] == pytest.approx(alone.mean())
    count = np.bincount(data.product)
    for number, found in summary.metrics["by_photo_count"].items():
        assert found["alone"]["value"] == pytest.approx(alone[count[data.product] == int(number)].mean())


def test_a_damaged_photo_is_left_out_and_a_product_without_another_is_counted(
    summary: EvaluateSummary, data: ProductFeatures
) -> None:
    assert DAMAGED in data.product_ids
    assert LOST not in data.product_ids
    assert summary.metrics["products_without_photo"] == 1


def test_one_photo_a_product_scores_photos_as_products(embedded_catalog: Path, drawn_bundle: Path) -> None:
    metrics = evaluate(drawn_bundle, embedded_catalog).metrics
    assert list(metrics["by_photo_count"]) == ["1"]
    assert metrics["photos"]["photos"] == metrics["products"]
    for name in ("top1", "macro_f1", "log_loss"):
        assert metrics["photos"][name] == {key: metrics[name][key] for key in ("value", "low", "high")}


def test_intervals_of_photos_draw_whole_products(bundle: Bundle, data: ProductFeatures) -> None:
    truth = np.array([bundle.categories.index(category) for category in data.categories])[data.product]
    ids = data.product_ids[data.product].astype(np.str_)
    answers = Answers.from_probabilities(ids, truth.astype(np.int32), bundle.probabilities(data.photos), bundle.columns)
    found = score(answers, seed=3, product=data.product).figures["top1"]
    rng, products, shares = np.random.default_rng(3), len(data), []
    for _ in range(1000):
        drawn = rng.integers(0, products, products, dtype=np.int32)
        photos = np.concatenate([np.flatnonzero(data.product == p) for p in drawn])
        shares.append(answers.right[photos].mean())
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])))


def test_copies_of_a_photo_leave_the_interval_as_wide_as_it_was(bundle: Bundle, data: ProductFeatures) -> None:
    truth = np.array([bundle.categories.index(category) for category in data.categories], dtype=np.int32)
    once = Answers.from_probabilities(
        data.product_ids.astype(np.str_), truth, bundle.probabilities(data.photos, data.product), bundle.columns
    )
    product = np.repeat(np.arange(len(once)), 4)
    repeated = score(once.take(product), product=product).figures
    for name, estimate in score(once).figures.items():
        assert (repeated[name].low, repeated[name].high) == pytest.approx((estimate.low, estimate.high)), name
    assert repeated["top1"] != score(once.take(product)).figures["top1"]


def test_the_command_tells_what_further_photos_bring(catalog: Path, bundle: Bundle, summary: EvaluateSummary) -> None:
    path = catalog.with_name(f"{bundle.facts['members'][0]['pool']}.bundle")
    ran = shelfwise("evaluate", path, catalog)
    assert ran.returncode == 0, ran.stderr
    photos = summary.metrics["photos"]
    assert f"photos alone: {photos['top1']['value']:.1%} of {photos['photos']} right" in ran.stdout
    table = ran.stdout[ran.stdout.index("photos a product") :].splitlines()
    assert [line.split()[:2] for line in table[1:4]] == [
        [count, str(found["products"])] for count, found in summary.metrics["by_photo_count"].items()
    ]


def test_train_tells_which_pools_were_tried(catalog: Path) -> None:
    ran = shelfwise("train", catalog, "--to", catalog.with_name("auto.bundle"))
    assert ran.returncode == 0, ran.stderr
    told = [line for line in ran.stdout.splitlines() if line.startswith("photos pooled by")]
    assert sorted(line.split()[3] for line in told) == sorted(KINDS)
    (taken,) = (line.split()[3] for line in told if "  taken" in line)
    assert Bundle.load(catalog.with_name("auto.bundle")).classifier.members[0].pool.kind == taken
