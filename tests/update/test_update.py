"""Products that come, go and move: the bundle is what learning from scratch at its penalty gives."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from living_shop import LivingShop, assert_learned_as_from_scratch, copied, head_of

from commands_here import refused, run
from drawn_shop import photo, write
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.corrections.decide import Correction
from shelfwise.corrections.make import correct
from shelfwise.errors import CatalogError, LabelMismatchError, OptionError
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import TrainOptions, UpdateOptions
from shelfwise.train import train
from shelfwise.update import update

MUG, PLATE = "Home/Kitchen/Mug", "Home/Kitchen/Plate"


@pytest.fixture(params=["shop.bundle", "shop.bundle.zip"])
def shop(request: pytest.FixtureRequest, embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path) -> LivingShop:
    return copied(embedded_catalog, drawn_bundle, tmp_path, request.param)


@pytest.fixture
def folder_shop(embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path) -> LivingShop:
    return copied(embedded_catalog, drawn_bundle, tmp_path)


def shelves(shop: LivingShop, *splits: str) -> dict[str, str]:
    rows = Catalog(shop.catalog).products(["product_id", "category", "split"]).to_pylist()
    return {row["product_id"]: row["category"] for row in rows if row["split"] in splits}


def test_a_split_that_is_added_and_products_that_go_give_what_scratch_gives(shop: LivingShop):
    before = Bundle.load(shop.bundle)
    done = update(shop.bundle, shop.catalog, UpdateOptions(add_split="val"))
    assert (done.added, done.removed, done.products, done.categories) == (36, 0, 132, 12)
    expected = shelves(shop, "train", "val")
    assert_learned_as_from_scratch(shop, expected)
    gone = shop.ids("train")[3:7]
    done = update(shop.bundle, shop.catalog, UpdateOptions(remove=tuple(gone)))
    assert (done.added, done.removed, done.products) == (0, 4, 128)
    assert_learned_as_from_scratch(shop, {product: c for product, c in expected.items() if product not in gone})
    after = Bundle.load(shop.bundle)
    assert after.id == done.bundle_id != before.id
    assert after.classifier.calibration == before.classifier.calibration
    assert [entry["products_changed"] for entry in after.facts["updates"]] == [36, 4]
    assert sorted(path.name for path in shop.bundle.parent.iterdir()) == ["shop.bundle", "shop.catalog"] or (
        shop.bundle.suffix == ".zip"
    )


def test_what_is_added_and_removed_again_leaves_the_head_as_it_was(folder_shop: LivingShop):
    before = head_of(Bundle.load(folder_shop.bundle))
    new = tuple(folder_shop.ids("test"))
    update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(add=new))
    assert np.abs(head_of(Bundle.load(folder_shop.bundle)).weight - before.weight).max() > 1e-3
    update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(remove=new))
    after = head_of(Bundle.load(folder_shop.bundle))
    np.testing.assert_allclose(after.weight, before.weight, atol=1e-7)
    assert "updates" in Bundle.load(folder_shop.bundle).facts


def test_a_category_comes_with_its_first_product_and_goes_with_its_last(folder_shop: LivingShop):
    mugs = [product for product, category in shelves(folder_shop, "train").items() if category == MUG]
    done = update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(remove=tuple(mugs)))
    assert (done.lost_categories, done.categories) == ([MUG], 11)
    bundle = Bundle.load(folder_shop.bundle)
    assert MUG not in bundle.categories
    assert MUG in bundle.taxonomy.nodes
    assert bundle.held_out().categories == bundle.categories
    done = update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(add=tuple(mugs)))
    assert (done.new_categories, done.categories) == ([MUG], 12)
    assert_learned_as_from_scratch(folder_shop, shelves(folder_shop, "train"))


def test_a_shelf_that_the_bundle_has_never_seen_comes_from_the_catalogs_tree(drawn_folder: Path, tmp_path: Path):
    """Learn without the garden, then add it: the columns and the tree are those of learning from all."""
    from conftest import SMALL
    from shelfwise.embed import embed

    shutil.copytree(drawn_folder / "train" / "Home", tmp_path / "photos" / "train" / "Home")
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "shop.catalog")
    embed(tmp_path / "shop.catalog", SMALL)
    train(tmp_path / "shop.catalog", tmp_path / "shop.bundle")
    shop = LivingShop(tmp_path / "shop.catalog", tmp_path / "shop.bundle")
    before = set(Bundle.load(shop.bundle).categories)
    write(tmp_path / "photos" / "train" / "Garden" / "Pots" / "Clay" / "pot.jpg", photo("plate", 999))
    ingest(FolderSource(tmp_path / "photos"), shop.catalog)
    embed(shop.catalog, SMALL)
    done = update(shop.bundle, shop.catalog, UpdateOptions(add_split="train"))
    assert (done.added, done.new_categories) == (1, ["Garden/Pots/Clay"])
    bundle = Bundle.load(shop.bundle)
    assert set(bundle.categories) == before | {"Garden/Pots/Clay"}
    assert bundle.taxonomy.names("Garden/Pots/Clay") == ("Garden", "Pots", "Clay")
    assert_learned_as_from_scratch(shop, shelves(shop, "train"))


def test_products_that_were_corrected_in_the_catalog_are_followed(folder_shop: LivingShop):
    moved = [product for product, category in shelves(folder_shop, "train").items() if category == MUG][:2]
    correct(
        folder_shop.catalog,
        [Correction(action="move", product_id=product, category=PLATE, was=MUG) for product in moved],
        origin="test",
    )
    done = update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(moved=True))
    assert (done.moved, done.added, done.removed) == (2, 0, 0)
    assert_learned_as_from_scratch(folder_shop, shelves(folder_shop, "train"))
    with pytest.raises(OptionError, match="nothing to do"):
        update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(moved=True))


def test_what_looks_familiar_follows_the_products(folder_shop: LivingShop):
    before = Bundle.load(folder_shop.bundle).classifier.familiarity
    update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(add_split="val"))
    bundle = Bundle.load(folder_shop.bundle)
    data = folder_shop.products(shelves(folder_shop, "train", "val"))
    means = np.stack([data.x[data.categories == category].mean(axis=0) for category in bundle.categories])
    towards = means - means.mean(axis=0)
    found = bundle.classifier.familiarity
    np.testing.assert_allclose(found.center, means.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.directions, towards / np.linalg.norm(towards, axis=1, keepdims=True), atol=1e-5)
    np.testing.assert_array_equal(found.held_out, before.held_out)


def test_a_dry_run_counts_and_writes_nothing(folder_shop: LivingShop):
    before = Bundle.load(folder_shop.bundle).id
    done = update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(add_split="val", dry_run=True))
    assert (done.added, done.products, done.bundle_id) == (36, 132, "")
    assert Bundle.load(folder_shop.bundle).id == before


def test_another_name_leaves_the_old_bundle_alone(folder_shop: LivingShop, tmp_path: Path):
    before = Bundle.load(folder_shop.bundle).id
    done = update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(add_split="val"), tmp_path / "new.bundle.zip")
    assert Bundle.load(folder_shop.bundle).id == before
    assert Bundle.load(tmp_path / "new.bundle.zip").id == done.bundle_id
    with pytest.raises(OptionError, match="exists already"):
        update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(add_split="test"), tmp_path / "new.bundle.zip")


def test_a_product_whose_photos_changed_cannot_be_taken_out(folder_shop: LivingShop):
    """A second photo of the same product, of which nothing was learned."""
    from conftest import SMALL
    from shelfwise.catalog import changing
    from shelfwise.embed import embed

    one, other = folder_shop.ids("train")[:2]
    with changing(folder_shop.catalog, "a second photo") as change:
        images = change.catalog._read("images").to_pylist()
        picture = next(row for row in images if row["product_id"] == other)
        change.append_images([picture | {"product_id": one, "image_id": "second", "position": 1}])
    embed(folder_shop.catalog, SMALL)
    with pytest.raises(OptionError, match=f"the product '{one}' was learned with other photos"):
        update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(remove=(one,)))


def test_products_that_cannot_be_used_are_named(folder_shop: LivingShop):
    first = folder_shop.ids("train")[0]
    for options, error, said in (
        (UpdateOptions(add=(first,)), OptionError, "was learned before"),
        (UpdateOptions(add=("nobody",)), CatalogError, "'nobody' was not found"),
        (UpdateOptions(remove=(folder_shop.ids("val")[0],)), OptionError, "was never learned"),
        (UpdateOptions(add=(first, first)), OptionError, "twice"),
        (UpdateOptions(add_split="nope"), CatalogError, "no split nope; it has: test, train, val"),
        (UpdateOptions(add_split="train"), OptionError, "all 96 products of the split 'train' were learned before"),
        (UpdateOptions(), OptionError, "nothing to do"),
        (UpdateOptions(add=("@nowhere.txt",)), OptionError, "cannot be read"),
    ):
        with pytest.raises(error, match=said):
            update(folder_shop.bundle, folder_shop.catalog, options)


def test_a_bundle_without_sums_says_what_to_do(embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path):
    replace(Bundle.load(drawn_bundle), kept={}).save(tmp_path / "bare.bundle")
    with pytest.raises(OptionError, match=r"keeps no sums .* learn anew with {2}shelfwise train"):
        update(tmp_path / "bare.bundle", embedded_catalog, UpdateOptions(add_split="val"))


@pytest.mark.slow
def test_a_head_learned_by_gradient_keeps_no_sums(embedded_catalog: Path, tmp_path: Path):
    train(embedded_catalog, tmp_path / "l.bundle", TrainOptions(head="logistic"))
    assert not (tmp_path / "l.bundle" / "statistics.safetensors").exists()
    assert Bundle.load(tmp_path / "l.bundle").kept == {}


def test_a_shelf_that_is_called_otherwise_in_the_catalog_is_refused(folder_shop: LivingShop):
    from shelfwise.reshelve import rename

    rename(folder_shop.catalog, MUG, "Cup")
    with pytest.raises(LabelMismatchError, match="shelfwise taxonomy rename"):
        update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(add_split="val"))
    rename(folder_shop.bundle, MUG, "Cup")
    assert update(folder_shop.bundle, folder_shop.catalog, UpdateOptions(add_split="val")).added == 36


def test_the_command_reads_ids_from_files_and_tells_what_it_did(
    folder_shop: LivingShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    val, test = folder_shop.ids("val"), folder_shop.ids("test")
    ids = write(tmp_path / "ids.txt", "\n".join(val[:5]).encode() + b"\n\n")
    code, out, _ = run(capsys, "update", folder_shop.bundle, folder_shop.catalog, "--add", f"@{ids}", "--add", test[0])
    assert code == 0
    assert "learned 6, forgotten 0, moved 0" in out
    assert "next    shelfwise evaluate" in out
    code, out, _ = run(
        capsys, "update", folder_shop.bundle, folder_shop.catalog, "--add-split", "val", "--dry-run", "--json"
    )
    told = json.loads(out)
    assert (code, told["added"], told["known"], told["bundle_id"]) == (0, 31, 5, "")
    said = refused(capsys, "update", folder_shop.bundle, folder_shop.catalog, "--remove", "nobody")
    assert "'nobody' was not found" in said
