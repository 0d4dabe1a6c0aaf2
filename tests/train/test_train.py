from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from conftest import SMALL
from drawn_shop import photo, run_python, shelf, write
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog, changing
from shelfwise.embed import embed
from shelfwise.errors import CatalogError, OptionError
from shelfwise.images.draw import KINDS
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import TrainOptions
from shelfwise.predict import predict
from shelfwise.train import train


def small_shop(tmp_path: Path, **kinds: str) -> Path:
    """Embed a shop of one photo a name: `train_a_1="mug"` is train/a/1.jpg, a drawn mug."""
    for number, (name, kind) in enumerate(kinds.items()):
        write(tmp_path / "small" / (name.replace("_", "/") + ".jpg"), photo(kind, 300 + number))
    ingest(FolderSource(tmp_path / "small"), tmp_path / "small.catalog")
    embed(tmp_path / "small.catalog", SMALL)
    return tmp_path / "small.catalog"


def test_a_bundle_knows_the_twelve_shelves_and_files_new_photos_right(drawn_bundle: Path, drawn_folder: Path):
    bundle = Bundle.load(drawn_bundle)
    assert sorted(bundle.categories) == sorted(shelf(kind) for kind in KINDS)
    answers = list(predict(bundle, [drawn_folder / "test"]))
    right = sum(answer.answers[0][0] in answer.photo for answer in answers)
    assert len(answers) == 48
    assert right >= 44


def test_the_facts_say_what_was_learned_from(drawn_bundle: Path):
    facts = Bundle.load(drawn_bundle).facts
    assert (facts["products"], facts["photos"], facts["categories"], facts["smallest_category"]) == (96, 96, 12, 8)
    assert (facts["without_photo"], facts["without_category"], facts["dimension"]) == (0, 0, 1280)
    assert set(facts["estimates"]) == {"leave_one_out", "leave_look_alikes_out", "validation"}
    assert facts["estimates"]["leave_one_out"]["products"] == 96
    assert facts["estimates"]["validation"]["products"] == 36
    assert set(facts["catalog"]["versions"]) == {
        "embeddings__lite0-96-fp32",
        "corrections",
        "images",
        "products",
        "quarantine",
        "taxonomy",
    }
    json.dumps(facts, allow_nan=False)


def test_left_out_answers_are_kept_for_every_product_learned_from(drawn_bundle: Path, embedded_catalog: Path):
    left_out = Bundle.load(drawn_bundle).left_out()
    rows = Catalog(embedded_catalog).products(["product_id", "category", "split"]).to_pylist()
    truth = {row["product_id"]: row["category"] for row in rows if row["split"] == "train"}
    assert {i: left_out.categories[c] for i, c in zip(left_out.product_ids, left_out.truth, strict=True)} == truth
    share = Bundle.load(drawn_bundle).facts["estimates"]["leave_one_out"]["top1"]["value"]
    assert share == pytest.approx(left_out.right.mean())


def test_learning_from_two_splits_takes_the_products_of_both(embedded_catalog: Path, tmp_path: Path):
    summary = train(embedded_catalog, tmp_path / "x.bundle", TrainOptions(learn_from="train+val"))
    assert summary.facts["products"] == 96 + 36
    assert "validation" not in summary.facts["estimates"]


def test_learning_twice_gives_the_same_bits(embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path):
    train(embedded_catalog, tmp_path / "again.bundle")
    for file in ("classifier.safetensors", "golden.safetensors", "left_out.parquet", "held_out.parquet"):
        assert (tmp_path / "again.bundle" / file).read_bytes() == (drawn_bundle / file).read_bytes()


def test_a_single_file_can_be_written_instead_of_a_folder(embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path):
    summary = train(embedded_catalog, tmp_path / "x.bundle.zip")
    bundle = Bundle.load(tmp_path / "x.bundle.zip")
    assert bundle.id == summary.bundle_id
    known = Bundle.load(drawn_bundle).classifier.stored()[1]
    assert {n: t.tobytes() for n, t in bundle.classifier.stored()[1].items()} == {
        n: t.tobytes() for n, t in known.items()
    }


@pytest.mark.parametrize("learn_from", ["trian", "train+trian", "", "train+"])
def test_a_split_that_is_not_there_is_an_error_that_lists_the_splits(
    embedded_catalog: Path, tmp_path: Path, learn_from: str
):
    with pytest.raises(CatalogError, match="it has: test, train, val"):
        train(embedded_catalog, tmp_path / "x.bundle", TrainOptions(learn_from=learn_from))
    assert list(tmp_path.iterdir()) == []


def test_a_catalog_without_splits_says_so(tmp_path: Path):
    catalog = small_shop(tmp_path, a_1="mug", b_1="boot")
    with pytest.raises(CatalogError, match="no split train; none of its products has one: see  shelfwise split"):
        train(catalog, tmp_path / "x.bundle")


def test_one_category_alone_is_an_error(tmp_path: Path):
    catalog = small_shop(tmp_path, train_a_1="mug", train_a_2="mug", test_b_1="boot")
    with pytest.raises(CatalogError, match=r"nothing to tell apart: .* of 1 categories"):
        train(catalog, tmp_path / "x.bundle")
    assert not (tmp_path / "x.bundle").exists()


def test_a_bundle_that_exists_is_refused_before_any_work(drawn_bundle: Path, embedded_catalog: Path):
    before = (drawn_bundle / "MANIFEST.json").read_bytes()
    with pytest.raises(OptionError, match="exists already: choose another name with --to"):
        train(embedded_catalog, drawn_bundle)
    assert (drawn_bundle / "MANIFEST.json").read_bytes() == before


def test_photos_that_were_not_embedded_are_counted_with_the_line_to_type(
    drawn_catalog: Path, embedded_catalog: Path, tmp_path: Path
):
    with pytest.raises(CatalogError, match=r"has no embeddings yet: type  shelfwise embed .*bare\.catalog"):
        train(drawn_catalog, tmp_path / "x.bundle")
    with pytest.raises(CatalogError, match=r"not embedded with lite0@64: type  shelfwise embed .* --backbone lite0@64"):
        train(embedded_catalog, tmp_path / "x.bundle", TrainOptions(backbone="lite0@64"))
    more = shutil.copytree(embedded_catalog, tmp_path / "more.catalog")
    product = {"product_id": "late", "category": shelf("mug"), "split": "train"}
    with changing(more, "add") as change:
        change.append_products([product])
        change.append_images(
            [{"image_id": "late#0", "product_id": "late", "position": 0, "status": "ok", "sha256": bytes(32)}]
        )
    with pytest.raises(CatalogError, match=r"1 of 97 photos have no embedding lite0-96-fp32: type  shelfwise embed"):
        train(more, tmp_path / "x.bundle")


def test_products_without_a_category_or_a_usable_photo_are_left_aside_and_counted(tmp_path: Path):
    kinds = {"a/1": "mug", "a/2": "mug", "b/1": "boot", "b/2": "boot", "stray": "boot"}
    for number, (name, kind) in enumerate(kinds.items()):
        write(tmp_path / "shop/train" / f"{name}.jpg", photo(kind, number))
    write(tmp_path / "shop/train/b/broken.jpg", photo("boot", 9)[:200])
    ingest(FolderSource(tmp_path / "shop"), tmp_path / "shop.catalog")
    embed(tmp_path / "shop.catalog", SMALL)
    facts = train(tmp_path / "shop.catalog", tmp_path / "x.bundle").facts
    assert (facts["products"], facts["without_category"], facts["without_photo"]) == (4, 1, 1)


@pytest.mark.parametrize("head", ["ridge", "logistic"])
def test_a_category_with_one_product_does_not_stop_the_others(tmp_path: Path, head: str):
    names = {f"train_{kind}_{number}": kind for kind in ("mug", "boot") for number in range(6)}
    catalog = small_shop(tmp_path, **names, train_plate_1="plate")
    facts = train(catalog, tmp_path / "x.bundle", TrainOptions(head=head)).facts
    assert (facts["categories"], facts["smallest_category"]) == (3, 1)
    Bundle.load(tmp_path / "x.bundle")  # it checks that all weights are finite


def test_photos_may_lie_in_an_inner_node_and_the_inner_node_can_be_the_answer(tmp_path: Path):
    names = {f"train_Home_{number}": "mug" for number in range(4)} | {f"train_Home_Boots_{n}": "boot" for n in range(4)}
    catalog = small_shop(tmp_path, **names)
    train(catalog, tmp_path / "x.bundle")
    bundle = Bundle.load(tmp_path / "x.bundle")
    assert bundle.categories == ("Home", "Home/Boots")
    answer = next(predict(bundle, [tmp_path / "small/train/Home/2.jpg"]))
    assert answer.answers[0][0] == "Home"


@pytest.mark.slow
def test_the_logistic_head_answers_as_well_and_says_what_it_is(
    embedded_catalog: Path, drawn_folder: Path, tmp_path: Path
):
    facts = train(embedded_catalog, tmp_path / "x.bundle", TrainOptions(head="logistic")).facts
    assert facts["options"]["head"] == "logistic"
    assert facts["members"][0]["held_out_by"] == "5 folds of groups"
    answers = list(predict(tmp_path / "x.bundle", [drawn_folder / "test"]))
    assert sum(answer.answers[0][0] in answer.photo for answer in answers) >= 44


@pytest.mark.slow
def test_a_training_that_is_killed_leaves_no_bundle(embedded_catalog: Path, tmp_path: Path):
    code = """
import os, signal, sys
from contextlib import contextmanager
import shelfwise.files
from shelfwise.train import train
calls = []
plain = shelfwise.files.write_bytes
def write_bytes(path, data):
    calls.append(path)
    if len(calls) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    plain(path, data)
import shelfwise.bundle.members
shelfwise.bundle.members.write_bytes = write_bytes
train(sys.argv[1], sys.argv[2])
"""
    assert run_python(code, embedded_catalog, tmp_path / "x.bundle").returncode == -9
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    train(embedded_catalog, tmp_path / "x.bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["x.bundle"]
    Bundle.load(tmp_path / "x.bundle")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layers": "64"}, "--layers is for --head mlp, not for ridge"),
        ({"head": "ridge+logistic", "dropout": 0.1}, "--dropout is for --head mlp, not for ridge"),
        ({"learning_rate": 0.1}, "--learning-rate is for --head logistic and mlp, not for ridge"),
    ],
)
def test_options_that_the_heads_asked_for_do_not_know_are_refused(options: dict, said: str):
    with pytest.raises(OptionError, match=said):
        TrainOptions(**options)
