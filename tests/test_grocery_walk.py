"""The whole walk on the Grocery Store Dataset's official split: what the README promises, measured again."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shelfwise.evaluate import evaluate
from shelfwise.options import TrainOptions
from shelfwise.train import train

pytestmark = pytest.mark.slow


def shelfwise(*words: object) -> dict:
    """Run a command as a user would and return what it prints as JSON."""
    command = shutil.which("shelfwise", path=str(Path(sys.executable).parent))
    assert command
    done = subprocess.run([command, *map(str, words), "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def walk(grocery: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Ingest, embed with the default preset, train on `train` alone, evaluate on `test`."""
    folder = tmp_path_factory.mktemp("walk")
    catalog, bundle, report = folder / "grocery.catalog", folder / "grocery.bundle", folder / "report"
    found = {"folder": folder, "catalog": catalog, "bundle": bundle}
    found["ingest"] = shelfwise("ingest", "grocery", grocery, "--to", catalog)
    found["embed"] = shelfwise("embed", catalog)
    found["train"] = shelfwise("train", catalog, "--to", bundle)
    found["evaluate"] = shelfwise("evaluate", bundle, catalog, "--split", "test", "--to", report)
    found["metrics"] = json.loads((report / "metrics.json").read_text())
    found["page"] = (report / "index.html").read_text()
    return found


def test_the_counts_of_the_import_add_up(walk: dict) -> None:
    counts = walk["ingest"]
    assert counts["products_by_split"] == {"iconic": 81, "train": 2640, "val": 296, "test": 2485}
    assert counts["photos"] == counts["images"] + counts["quarantined"] + counts["duplicates"] == 5502
    assert counts["products"] == 5502


def test_the_default_reaches_its_floor_learning_from_train_alone(walk: dict) -> None:
    metrics = walk["metrics"]
    assert metrics["products"] == 2485
    assert metrics["top1"]["value"] >= 0.765
    assert metrics["levels"]["coarse"]["top1"]["value"] >= 0.87
    assert metrics["levels"]["fine"]["top1"]["value"] == metrics["top1"]["value"]


def test_every_figure_has_its_interval_and_the_leave_one_out_estimate(walk: dict) -> None:
    metrics = walk["metrics"]
    figures = [metrics[name] for name in ("top1", "top5", "macro_f1")]
    figures += [level["top1"] for level in metrics["levels"].values()]
    assert set(metrics["levels"]) == {"top", "coarse", "fine"}
    for figure in figures:
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        assert 0 <= figure["leave_one_out"] <= 1
    printed = {name: value for name, value in walk["evaluate"].items() if name != "report"}
    assert printed == metrics


def test_the_report_says_that_leave_one_out_is_not_to_be_believed_here(walk: dict) -> None:
    assert walk["metrics"]["top1"]["leave_one_out"] > 0.95
    assert walk["train"]["calibrated_on"] == "validation"
    assert any("not independent" in note for note in walk["train"]["notes"])
    assert "not independent" in walk["page"]


def test_train_and_validation_together_reach_more(walk: dict) -> None:
    bundle = walk["folder"] / "both.bundle"
    train(walk["catalog"], bundle, TrainOptions(learn_from="train+val"))
    assert evaluate(bundle, walk["catalog"]).metrics["top1"]["value"] >= 0.775


def test_predict_from_files_gives_the_answers_of_evaluate(walk: dict, grocery: Path) -> None:
    kiwis = grocery / "dataset/test/Fruit/Kiwi"
    predictions = shelfwise("predict", walk["bundle"], kiwis)["predictions"]
    assert len(predictions) == len(list(kiwis.glob("*.jpg")))
    right = sum(prediction["answers"][0]["category"] == "Fruit/Kiwi" for prediction in predictions)
    from shelfwise.backbones.products import read_products
    from shelfwise.bundle import Bundle
    from shelfwise.catalog import Catalog

    bundle = Bundle.load(walk["bundle"])
    data = read_products(Catalog(walk["catalog"]), bundle.layout, ["test"])
    rows = data.categories == "Fruit/Kiwi"
    answered = bundle.probabilities(data.x[rows]).argmax(axis=1)
    assert right == sum(bundle.categories[column] == "Fruit/Kiwi" for column in answered)
