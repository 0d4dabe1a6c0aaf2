"""Bundles that answer together, against the answers of each alone put together by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn_shop import photo, shelfwise, write
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.classifiers.parts import placed, seen
from shelfwise.embed import embed
from shelfwise.errors import CatalogError, LabelMismatchError, OptionError
from shelfwise.evaluate import evaluate
from shelfwise.images.draw import KINDS
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import EmbedOptions, EvaluateOptions, NetworkOptions, TrainOptions
from shelfwise.predict import predict
from shelfwise.reshelve import rename
from shelfwise.train import train

SHELVES = KINDS[:5]
COUNTS = {"train": 5, "val": 11, "test": 3}
BACKBONES = ("lite0@64", "lite0@32")


def drawn_catalog(folder: Path, kinds: tuple[str, ...] = SHELVES) -> Path:
    for split, (count, first) in {split: (n, 100 * place) for place, (split, n) in enumerate(COUNTS.items())}.items():
        for kind in kinds:
            for seed in range(first, first + count):
                write(folder / "photos" / split / kind / f"{seed}.jpg", photo(kind, seed, 64))
    ingest(FolderSource(folder / "photos"), folder / "shop.catalog")
    return folder / "shop.catalog"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalog, two bundles on frozen vectors, and a network that only its bundle has."""
    folder = tmp_path_factory.mktemp("together")
    catalog = drawn_catalog(folder)
    for backbone in BACKBONES:
        embed(catalog, EmbedOptions(backbone=backbone, precision="fp32"))
        train(catalog, folder / f"{backbone.replace('@', '-')}.bundle", TrainOptions())
    how = NetworkOptions(start="random", side="32", augment="none", log="none", seed=1)
    train(catalog, folder / "small.bundle", TrainOptions(network="small-cnn", epochs=4, learning_rate=0.003), how)
    return folder


@pytest.fixture(scope="module")
def together(shop: Path) -> Path:
    bundles = [shop / f"{name}.bundle" for name in ("lite0-64", "lite0-32", "small")]
    train(shop / "shop.catalog", shop / "together.bundle", TrainOptions(ensemble=tuple(bundles)))
    return shop / "together.bundle"


def test_they_answer_with_the_weighted_mean_of_what_each_says_alone(shop: Path, together: Path):
    bundle = Bundle.load(together)
    pictures = [file.read_bytes() for file in sorted((shop / "photos" / "test").rglob("*.jpg"))]
    mean = np.zeros((len(pictures), len(SHELVES)))
    for member in bundle.facts["members"]:
        alone = Bundle.load(shop / f"{member['name']}.bundle")
        x = alone.features_of(pictures)
        (only,) = alone.classifier.members
        said = only.log_probabilities(x, np.arange(len(x)), len(x))
        mean += member["weight"] * np.maximum(said, -30)
    expected = bundle.classifier.calibration.apply(mean.astype(np.float32), bundle.columns)
    np.testing.assert_allclose(bundle.probabilities(bundle.features_of(pictures)), expected, atol=1e-4)
    assert sum(member["weight"] for member in bundle.facts["members"]) == pytest.approx(1)
    named = {member["name"] for member in bundle.facts["members"] + bundle.facts["ensemble"]["left_away"]}
    assert named == {"lite0-64", "lite0-32", "small"}


def test_what_is_told_of_them_is_of_products_that_none_learned_from(shop: Path, together: Path):
    bundle = Bundle.load(together)
    products = Catalog(shop / "shop.catalog").products(["product_id", "split"]).to_pylist()
    split = {row["product_id"]: row["split"] for row in products}
    assert {split[name] for name in bundle.learned_product_ids()} == {"train"}
    assert {split[name] for name in bundle.held_out().product_ids} == {"val"}
    assert len(bundle.held_out()) == len(SHELVES) * COUNTS["val"] == bundle.facts["held_out_products"]
    right = evaluate(together, shop / "shop.catalog").metrics
    assert right["products"] == len(SHELVES) * COUNTS["test"]
    assert right["products_learned_from"] == 0
    assert bundle.facts["estimates"]["validation"]["top1"]["value"] > 0.8


def test_photos_are_answered_as_the_catalog_is_and_strange_ones_are_told(shop: Path, together: Path):
    photos = sorted((shop / "photos" / "val").rglob("*.jpg"))
    answers = list(predict(together, photos))
    right = np.mean([answer.answers[0][0] == file.parent.name for answer, file in zip(answers, photos, strict=True)])
    assert right == pytest.approx(
        evaluate(together, shop / "shop.catalog", options=EvaluateOptions(split="val")).metrics["top1"]["value"]
    )
    bundle = Bundle.load(together)
    noise = np.random.default_rng(0).normal(size=(20, bundle.layout.dimension)).astype(np.float32)
    known = bundle.answered(bundle.features_of([file.read_bytes() for file in photos[::5]]))[1]
    strange = bundle.answered(noise)[1]
    assert known is not None
    assert strange is not None
    assert np.median(strange) < 0.05 < np.median(known)


def test_the_command_tells_weights_and_a_zip_is_as_good(shop: Path, tmp_path: Path):
    asked = ["train", shop / "shop.catalog", "--to", tmp_path / "two.bundle.zip"]
    asked += ["--ensemble", shop / "lite0-64.bundle", "--ensemble", shop / "small.bundle"]
    done = shelfwise(*asked)
    assert done.returncode == 0, done.stderr
    assert "of the validation split" in done.stdout
    assert "lite0-64" in done.stdout
    facts = Bundle.load(tmp_path / "two.bundle.zip").facts
    assert facts["options"]["learn_from"] == "train"
    assert facts["ensemble"]["held_out_by"] == "validation"
    assert json.dumps(facts)
    page = evaluate(tmp_path / "two.bundle.zip", shop / "shop.catalog", tmp_path / "report").report
    assert "the validation split, which none of them learned from" in Path(page or "").read_text()
    on_val = evaluate(
        tmp_path / "two.bundle.zip", shop / "shop.catalog", tmp_path / "val", EvaluateOptions(split="val")
    )
    assert "How much each bundle has to say" in Path(on_val.report or "").read_text()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["lite0-64"], "at least two bundles"),
        (["lite0-64", "lite0-64"], "at least two bundles, of different names"),
    ],
)
def test_fewer_than_two_are_refused(shop: Path, tmp_path: Path, names: list[str], said: str):
    bundles = tuple(shop / f"{name}.bundle" for name in names)
    with pytest.raises(OptionError, match=said):
        train(shop / "shop.catalog", tmp_path / "x.bundle", TrainOptions(ensemble=bundles))


def test_other_options_are_refused():
    with pytest.raises(OptionError, match="--head is for what is learned anew, not for --ensemble"):
        TrainOptions(ensemble=(Path("a"), Path("b")), head="logistic")
    with pytest.raises(OptionError, match="--network is for what is learned anew"):
        TrainOptions(ensemble=(Path("a"), Path("b")), network="lite0")


def test_bundles_of_other_categories_are_refused_by_name(shop: Path, tmp_path: Path):
    fewer = drawn_catalog(tmp_path, SHELVES[:4])
    embed(fewer, EmbedOptions(backbone=BACKBONES[0], precision="fp32"))
    train(fewer, tmp_path / "fewer.bundle", TrainOptions())
    asked = TrainOptions(ensemble=(shop / "lite0-64.bundle", tmp_path / "fewer.bundle"))
    with pytest.raises(LabelMismatchError, match=f"1 are known to one of them alone: {SHELVES[4]}"):
        train(shop / "shop.catalog", tmp_path / "x.bundle", asked)


def test_a_category_that_is_called_otherwise_is_refused_with_both_names(shop: Path, tmp_path: Path):
    renamed = shutil.copytree(shop / "lite0-32.bundle", tmp_path / "renamed.bundle")
    rename(renamed, SHELVES[1], "Else")
    said = f"{SHELVES[1]}: Else / {SHELVES[1]}"
    with pytest.raises(LabelMismatchError, match=f"other names in lite0-64 than in renamed: {said}"):
        asked = TrainOptions(ensemble=(shop / "lite0-64.bundle", renamed))
        train(shop / "shop.catalog", tmp_path / "x.bundle", asked)
    other = shutil.copytree(shop / "lite0-64.bundle", tmp_path / "other.bundle")
    rename(other, SHELVES[1], "Else")
    with pytest.raises(LabelMismatchError, match=f"other names in the catalog than in the bundles: {said}"):
        train(shop / "shop.catalog", tmp_path / "x.bundle", TrainOptions(ensemble=(other, renamed)))


def test_products_that_one_of_them_learned_from_do_not_weigh(shop: Path, tmp_path: Path):
    catalog = shutil.copytree(shop / "shop.catalog", tmp_path / "shop.catalog")
    train(catalog, tmp_path / "all.bundle", TrainOptions(learn_from="train+val"))
    asked = TrainOptions(ensemble=(shop / "lite0-64.bundle", tmp_path / "all.bundle"))
    with pytest.raises(CatalogError, match="of the 55 in val they learned from 55, and 0 are left, 50 are needed"):
        train(catalog, tmp_path / "x.bundle", asked)
    assert not (tmp_path / "x.bundle").exists()


@given(widths=st.lists(st.integers(1, 5), min_size=1, max_size=6), seed=st.integers(0, 999))
def test_parts_are_placed_where_the_slices_lie(widths: list[int], seed: int):
    rng = np.random.default_rng(seed)
    stops = np.cumsum(widths)
    slices = [(int(stop - width), int(stop)) for stop, width in zip(stops, widths, strict=True)]
    own = tuple(slices[place] for place in rng.permutation(len(slices))[: rng.integers(1, len(slices) + 1)])
    x = rng.normal(size=(3, int(stops[-1]))).astype(np.float32)
    inner = seen(x, own)
    d = inner.shape[1]
    start = int(rng.integers(0, d))
    parts = rng.choice([0, 1]) * ((start, int(rng.integers(start + 1, d + 1))),)
    np.testing.assert_array_equal(seen(x, placed(parts, own)), seen(inner, parts))
