from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hiclass import metrics as hiclass
from sklearn.metrics import f1_score

from conftest import SMALL
from drawn_shop import photo, shelf, write
from shelfwise.backbones.products import read_products
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog, changing
from shelfwise.cli import main
from shelfwise.embed import embed
from shelfwise.errors import CatalogError, LabelMismatchError
from shelfwise.evaluate import evaluate
from shelfwise.images.draw import KINDS
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import EvaluateOptions, PredictOptions, TrainOptions
from shelfwise.predict import Prediction, predict
from shelfwise.taxonomy import Node, Taxonomy
from shelfwise.train import train

ALLOW = EvaluateOptions(allow_missing_classes=True)


def shop(root: Path, test: dict[str, bytes]) -> Path:
    """Embed a catalog with these test photos, and one training photo on each of the twelve shelves."""
    for kind in KINDS:
        write(root / "photos/train" / shelf(kind) / "1.jpg", photo(kind, 0))
    for name, data in test.items():
        write(root / "photos/test" / name, data)
    ingest(FolderSource(root / "photos"), root / "other.catalog")
    embed(root / "other.catalog", SMALL)
    return root / "other.catalog"


@pytest.fixture(scope="module")
def misfiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test split of 36 photos in which every fourth lies on a wrong shelf, so that the accuracy is worth counting."""
    photos = {}
    for number, kind in enumerate(kind for kind in KINDS for _ in range(3)):
        filed = KINDS[(KINDS.index(kind) + 1 + number % 5) % len(KINDS)] if number % 4 == 0 else kind
        photos[f"{shelf(filed)}/{kind}-{number}.jpg"] = photo(kind, 400 + number)
    return shop(tmp_path_factory.mktemp("misfiled"), photos)


@pytest.fixture(scope="module")
def by_hand(misfiled: Path, drawn_bundle: Path) -> list[tuple[str, Prediction]]:
    """The shelf that each test photo lies on, and all that predict says about the file."""
    root = misfiled.parent / "photos/test"
    predictions = list(predict(drawn_bundle, [root], PredictOptions(top=12)))
    return [(str(Path(p.photo).parent.relative_to(root)), p) for p in predictions]


def test_the_accuracy_is_that_of_a_count_by_hand_over_the_files(
    misfiled: Path, drawn_bundle: Path, by_hand: list[tuple[str, Prediction]]
):
    metrics = evaluate(drawn_bundle, misfiled).metrics
    right = [truth == prediction.answers[0][0] for truth, prediction in by_hand]
    among = [truth in [category for category, _, _ in prediction.answers[:5]] for truth, prediction in by_hand]
    assert metrics["products"] == len(by_hand) == 36
    assert 20 < sum(right) < 30
    assert metrics["top1"]["value"] == pytest.approx(sum(right) / 36)
    assert metrics["top5"]["value"] == pytest.approx(sum(among) / 36)
    truths, answers = [truth for truth, _ in by_hand], [prediction.answers[0][0] for _, prediction in by_hand]
    labels = sorted(set(truths) | set(answers))
    assert metrics["macro_f1"]["value"] == pytest.approx(f1_score(truths, answers, labels=labels, average="macro"))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_accuracy_of_a_level_is_that_of_summed_probabilities(
    misfiled: Path, drawn_bundle: Path, by_hand: list[tuple[str, Prediction]], level: int
):
    right = 0
    for truth, prediction in by_hand:
        sums: dict[str, float] = {}
        for category, _, probability in prediction.answers:
            node = "/".join(category.split("/")[: level + 1])
            sums[node] = sums.get(node, 0) + probability
        right += max(sums, key=lambda node: sums[node]) == "/".join(truth.split("/")[: level + 1])
    assert evaluate(drawn_bundle, misfiled).metrics["levels"][f"level{level + 1}"]["top1"]["value"] == right / 36


def test_a_photo_is_answered_alike_from_its_file_and_from_the_catalog(
    misfiled: Path, drawn_bundle: Path, by_hand: list[tuple[str, Prediction]]
):
    bundle = Bundle.load(drawn_bundle)
    data = read_products(Catalog(misfiled), bundle.layout, ["test"])
    from_catalog = dict(zip(data.product_ids, bundle.probabilities(data.x), strict=True))
    assert len(from_catalog) == 36
    for _, prediction in by_hand:
        row = from_catalog[str(Path(prediction.photo).relative_to(misfiled.parent / "photos"))]
        assert prediction.answers[0][0] == bundle.categories[int(row.argmax())]
        told = {category: probability for category, _, probability in prediction.answers}
        np.testing.assert_allclose([told[category] for category in bundle.categories], row, atol=1e-5)


def test_every_figure_comes_with_its_interval_and_the_held_out_estimates(embedded_catalog: Path, drawn_bundle: Path):
    metrics = evaluate(drawn_bundle, embedded_catalog).metrics
    figures = {name: metrics[name] for name in ("top1", "top5", "macro_f1")}
    figures |= {level: metrics["levels"][level]["top1"] for level in ("level1", "level2", "level3")}
    for name, figure in figures.items():
        assert {"value", "low", "high", "leave_one_out", "leave_look_alikes_out"} <= set(figure), name
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] + 1e-12
        assert figure["high"] <= 1
        assert 0 <= figure["leave_one_out"] <= 1
    learned = Bundle.load(drawn_bundle)
    assert metrics["top1"]["leave_one_out"] == learned.facts["estimates"]["leave_one_out"]["top1"]["value"]
    assert metrics["bundle"] == learned.id
    assert (metrics["split"], metrics["products"], metrics["categories_in_split"]) == ("test", 48, 12)
    assert metrics["catalog_versions"] == Catalog(embedded_catalog).versions


def test_the_report_and_its_figures_are_written_where_asked(embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path):
    summary = evaluate(drawn_bundle, embedded_catalog, tmp_path / "report")
    assert summary.report == str(tmp_path / "report" / "index.html")
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"index.html", "metrics.json"}

    def strict(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    written = json.loads((tmp_path / "report/metrics.json").read_text(), parse_constant=strict)
    assert written == json.loads(json.dumps(summary.metrics))
    assert written["top1"]["value"] == evaluate(drawn_bundle, embedded_catalog).metrics["top1"]["value"]


def test_the_same_seed_gives_the_same_intervals(misfiled: Path, drawn_bundle: Path):
    first, again = (evaluate(drawn_bundle, misfiled, options=EvaluateOptions(seed=7)).metrics for _ in range(2))
    assert first == again


def test_another_split_is_answered_for_and_one_that_is_not_there_is_an_error(
    embedded_catalog: Path, drawn_bundle: Path
):
    assert evaluate(drawn_bundle, embedded_catalog, options=EvaluateOptions(split="val")).metrics["products"] == 36
    with pytest.raises(CatalogError, match="no split tset; it has: test, train, val"):
        evaluate(drawn_bundle, embedded_catalog, options=EvaluateOptions(split="tset"))


@pytest.fixture(scope="module")
def with_unknown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test split of six known photos and two of a shelf that the bundle has never seen."""
    known = {f"{shelf(kind)}/{kind}.jpg": photo(kind, 500) for kind in KINDS[:6]}
    unknown = {f"Home/Kitchen/Teapot/{number}.jpg": photo("mug", 600 + number) for number in range(2)}
    return shop(tmp_path_factory.mktemp("unknown"), known | unknown)


def test_a_category_that_the_bundle_does_not_know_is_an_error_with_both_lists(with_unknown: Path, drawn_bundle: Path):
    with pytest.raises(LabelMismatchError) as refused:
        evaluate(drawn_bundle, with_unknown)
    said = str(refused.value)
    assert "1 of the 7 categories of split 'test' are unknown to the bundle" in said
    unknown, in_split, in_bundle = (line for line in said.splitlines() if line.startswith("  "))
    assert unknown.split(":")[1].strip() == "Home/Kitchen/Teapot"
    assert len(in_split.split(",")) == 7
    assert all(shelf(kind) in in_bundle for kind in KINDS)
    assert "--allow-missing-classes" in said


def test_going_on_by_name_counts_products_of_unknown_categories_as_wrong(with_unknown: Path, drawn_bundle: Path):
    metrics = evaluate(drawn_bundle, with_unknown, options=ALLOW).metrics
    files = list(predict(drawn_bundle, [with_unknown.parent / "photos/test"]))
    right = sum(prediction.answers[0][0] in prediction.photo for prediction in files)
    assert right >= 5
    assert metrics["products"] == 8
    assert metrics["top1"]["value"] == pytest.approx(right / 8)
    assert metrics["levels"]["level1"]["top1"]["value"] >= 7 / 8  # a teapot taken for a mug is still Home


def test_a_catalog_need_not_hold_every_category_of_the_bundle(drawn_bundle: Path, tmp_path: Path):
    photos = {
        "train/Home/Kitchen/Mug/1": ("mug", 1),
        "test/Home/Kitchen/Mug/2": ("mug", 700),
        "test/Home/Kitchen/Plate/1": ("plate", 700),
    }
    for name, (kind, seed) in photos.items():
        write(tmp_path / "photos" / f"{name}.jpg", photo(kind, seed))
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "less.catalog")
    embed(tmp_path / "less.catalog", SMALL)
    assert evaluate(drawn_bundle, tmp_path / "less.catalog").metrics["top1"]["value"] == 1
    write(tmp_path / "photos/test/Home/Kitchen/Teapot/1.jpg", photo("mug", 701))
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "teapot.catalog")
    embed(tmp_path / "teapot.catalog", SMALL)
    metrics = evaluate(drawn_bundle, tmp_path / "teapot.catalog", tmp_path / "report", ALLOW).metrics
    assert (metrics["products"], metrics["top1"]["value"]) == (3, pytest.approx(2 / 3))
    assert "Teapot" in (tmp_path / "report/index.html").read_text(encoding="utf-8")


def test_an_unknown_category_may_lie_deeper_than_any_of_the_bundle(drawn_bundle: Path, tmp_path: Path):
    for name in ("train/Home/Kitchen/Mug/1", "test/Home/Kitchen/Pots/Tea/Green/1", "test/Home/Kitchen/Mug/2"):
        write(tmp_path / "photos" / f"{name}.jpg", photo("mug", len(name)))
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "deep.catalog")
    embed(tmp_path / "deep.catalog", SMALL)
    metrics = evaluate(drawn_bundle, tmp_path / "deep.catalog", tmp_path / "report", ALLOW).metrics
    assert metrics["top1"]["value"] == 0.5
    assert metrics["levels"]["level2"]["top1"]["value"] == 1
    assert metrics["levels"]["level5"]["top1"]["leave_one_out"] is None


def renamed(catalog: Path, to: Path, change: Callable[[Node], Node]) -> Path:
    """Copy a catalog and give its tree other nodes."""
    shutil.copytree(catalog, to)
    opened = Catalog(to)
    tree = Taxonomy([change(opened.taxonomy.nodes[node]) for node in opened.taxonomy.nodes_in_order])
    with changing(to, "rename") as change:
        change.replace_taxonomy(tree)
    return to


def test_an_id_that_has_another_name_in_the_catalog_is_an_error(
    embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path
):
    mug = shelf("mug")
    same = renamed(embedded_catalog, tmp_path / "same.catalog", lambda node: node)
    assert evaluate(drawn_bundle, same).metrics["products"] == 48
    other = renamed(
        embedded_catalog, tmp_path / "x.catalog", lambda n: Node(n.id, "Cup" if n.id == mug else n.name, n.parent)
    )
    for options in (None, ALLOW):
        with pytest.raises(LabelMismatchError) as refused:
            evaluate(drawn_bundle, other, options=options)
        assert "1 category ids have other names" in str(refused.value)
        assert f"{mug}: Home > Kitchen > Mug / Home > Kitchen > Cup" in str(refused.value)


def test_the_order_of_classes_in_the_catalog_does_not_matter(
    embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path
):
    shutil.copytree(embedded_catalog, tmp_path / "x.catalog")
    tree = Catalog(tmp_path / "x.catalog").taxonomy
    with changing(tmp_path / "x.catalog", "turn around") as change:
        change.replace_taxonomy(Taxonomy([tree.nodes[node] for node in reversed(list(tree.nodes_in_order))]))
    assert Catalog(tmp_path / "x.catalog").taxonomy.leaves != Catalog(embedded_catalog).taxonomy.leaves
    metrics, plain = (evaluate(drawn_bundle, c).metrics for c in (tmp_path / "x.catalog", embedded_catalog))
    assert metrics["top1"] == plain["top1"]
    assert metrics["levels"] == plain["levels"]


def test_a_bundle_of_other_backbones_than_the_catalog_says_what_to_type(drawn_catalog: Path, drawn_bundle: Path):
    with pytest.raises(
        CatalogError, match=r"have no embedding lite0-96-fp32: type  shelfwise embed .* --backbone lite0@96"
    ):
        evaluate(drawn_bundle, drawn_catalog)


def test_hierarchical_figures_are_those_of_hiclass_on_the_answers_of_predict(
    misfiled: Path, drawn_bundle: Path, by_hand: list[tuple[str, Prediction]]
):
    truths = [truth.split("/") for truth, _ in by_hand]
    answers = [prediction.answers[0][0].split("/") for _, prediction in by_hand]
    truths, answers = ([["/".join(w[: i + 1]) for i in range(3)] for w in ways] for ways in (truths, answers))
    metrics = evaluate(drawn_bundle, misfiled).metrics
    assert metrics["hierarchical_precision"]["value"] == pytest.approx(hiclass.precision(truths, answers))
    assert metrics["hierarchical_f1"]["value"] == pytest.approx(hiclass.f1(truths, answers))


@pytest.fixture(scope="module")
def other_bundle(misfiled: Path) -> Path:
    """A bundle that learned the wrong shelves by heart, and so is right about some of them."""
    bundle = misfiled.with_name("by-heart.bundle")
    train(misfiled, bundle, TrainOptions(learn_from="test"))
    return bundle


def test_two_bundles_are_compared_on_the_same_products(
    misfiled: Path, drawn_bundle: Path, other_bundle: Path, tmp_path: Path
):
    options = EvaluateOptions(against=(other_bundle, drawn_bundle))
    found = evaluate(drawn_bundle, misfiled, tmp_path / "report", options).metrics
    alone = evaluate(other_bundle, misfiled).metrics
    other, same = found["against"]
    assert (other["name"], same["name"]) == ("by-heart.bundle", "shop.bundle")
    assert other["top1"] == alone["top1"]["value"] != found["top1"]["value"]
    assert other["lead"]["top1"]["value"] == pytest.approx(found["top1"]["value"] - alone["top1"]["value"])
    counts = other["lead"]["levels"]["level3"]
    assert counts["only_first"] - counts["only_second"] == round(36 * counts["value"])
    assert same["lead"]["top1"] == {"value": 0, "low": 0, "high": 0, "only_first": 0, "only_second": 0, "p_value": 1}
    assert json.loads((tmp_path / "report/metrics.json").read_text())["against"] == found["against"]
    assert "by-heart.bundle" in (tmp_path / "report/index.html").read_text()


def test_the_curves_end_where_all_products_are_kept(misfiled: Path, drawn_bundle: Path):
    metrics = evaluate(drawn_bundle, misfiled).metrics
    assert list(metrics["risk_coverage"]["levels"]) == ["level1", "level2", "level3"]
    for level, curve in metrics["risk_coverage"]["levels"].items():
        assert curve["points"][-1]["coverage"] == 1
        assert curve["points"][-1]["risk"] == pytest.approx(1 - metrics["levels"][level]["top1"]["value"])
    assert metrics["risk_coverage"]["points"] == metrics["risk_coverage"]["levels"]["level3"]["points"]


def test_the_command_line_compares_bundles(
    misfiled: Path, drawn_bundle: Path, other_bundle: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(drawn_bundle), str(misfiled), "--against", str(other_bundle)])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "against by-heart.bundle" in said
    assert "hierarchical F1" in said


def test_the_page_says_when_the_split_is_the_one_that_set_the_calibration(
    embedded_catalog: Path, drawn_bundle: Path, tmp_path: Path
):
    bundle = Bundle.load(drawn_bundle)
    for source, split, is_said in (("validation", "val", True), ("validation", "test", False), ("x", "val", False)):
        judged = replace(bundle, facts={**bundle.facts, "calibrated_on": source})
        evaluate(judged, embedded_catalog, tmp_path / source / split, EvaluateOptions(split=split, max_error=0.2))
        page = (tmp_path / source / split / "index.html").read_text()
        assert ("These products set the calibration" in page) == is_said
        assert f"--split {split} --max-error 0.2" in page


def test_products_that_the_bundle_learned_from_are_told(drawn_bundle: Path, embedded_catalog: Path, tmp_path: Path):
    seen = evaluate(drawn_bundle, embedded_catalog, tmp_path, EvaluateOptions(split="train")).metrics
    assert seen["products_learned_from"] == seen["products"] == 96
    assert any("learned from 96 of these 96 products" in note for note in seen["notes"])
    assert "The bundle knows these products" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert (
        evaluate(drawn_bundle, embedded_catalog, None, EvaluateOptions(split="test")).metrics["products_learned_from"]
        == 0
    )
