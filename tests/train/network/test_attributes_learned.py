"""Networks that learn attributes, several a product: what is written says what was learned."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from PIL import Image
from sklearn.metrics import f1_score

from drawn_shop import photo
from shelfwise.backbones.cards import find_card
from shelfwise.catalog import Catalog
from shelfwise.embed import embed
from shelfwise.errors import CatalogError, OptionError
from shelfwise.images.decode import decode
from shelfwise.images.preprocess import Preprocessing, prepare
from shelfwise.ingest import ingest
from shelfwise.ingest.table import TableSource
from shelfwise.options import EmbedOptions, NetworkOptions, TableOptions, TrainOptions
from shelfwise.train import TrainSummary, train
from shelfwise.train.network.judging.attributes import attribute_names, read_labeled_photos

KINDS = ("apple", "boot", "mug")
SPLITS = {"train": 18, "val": 7}
SMALL = TrainOptions(network="small-cnn", optimizer="adam", learning_rate=0.003, epochs=25)
HOW = NetworkOptions(learn="attributes", start="random", side="32", batch=8, augment="flip=0.5", log="none")


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog whose attributes can be seen: what is drawn, and whether the photo is dark; the last one has none."""
    root, number = tmp_path_factory.mktemp("tagged"), 0
    lines = ["id,image,tags,split"]
    for split, count in SPLITS.items():
        for kind in KINDS * count:
            number += 1
            pixels, is_dark = decode(photo(kind, number, 48)).pixels, number % 2 == 0
            Image.fromarray((pixels * (0.3 if is_dark else 1)).astype(np.uint8)).save(root / f"{number}.png")
            lines.append(f"{number},{number}.png,{kind}{' dark' * is_dark},{split}")
    (root / "tags.csv").write_text("\n".join([*lines, f"last,{number}.png,,val"]) + "\n")
    columns = TableOptions(id="id", image=("image",), attributes="tags", split="split", incomplete=True)
    ingest(TableSource(root / "tags.csv", columns), root / "tagged.catalog")
    return root / "tagged.catalog"


@pytest.fixture(scope="module")
def learned(tagged: Path) -> tuple[Path, TrainSummary]:
    to = tagged.with_name("tags.onnx")
    return to, train(tagged, to, SMALL, HOW)


def told_by(graph: Path, catalog: Path, split: str) -> tuple[np.ndarray, np.ndarray, dict[str, object]]:
    """What the written graph says of a split's photos, the labels of the table, and its metadata."""
    opened, card = Catalog(catalog), find_card(str(graph))
    told = json.loads({p.key: p.value for p in onnx.load(graph).metadata_props}["shelfwise.attributes"])
    products = [
        row for row in opened.products(["product_id", "attributes", "split"]).to_pylist() if row["split"] == split
    ]
    pixels = [prepare((catalog.parent / f"{p['product_id']}.png").read_bytes(), Preprocessing(card.side_px, card.fit))
              for p in products if p["product_id"] != "last"]  # fmt: skip
    inputs = ((np.stack(pixels) / 255 - card.mean) / card.std).transpose(0, 3, 1, 2).astype(np.float32)
    (answers,) = ort.InferenceSession(graph.read_bytes()).run(["attributes"], {"photos": inputs})
    labels = [[name in p["attributes"] for name in told["names"]] for p in products if p["product_id"] != "last"]
    return np.asarray(answers), np.array(labels), told


def test_labels_are_those_of_the_table(tagged: Path) -> None:
    catalog = Catalog(tagged)
    names = attribute_names(catalog, ["train"])
    assert names == ("apple", "boot", "dark", "mug")
    photos = read_labeled_photos(catalog, ["train"], names)
    rows = (line.split(",") for line in tagged.with_name("tags.csv").read_text().splitlines()[1:])
    tags = {row[0]: set(row[2].split()) for row in rows}
    for product, labels in zip(photos.product_ids, photos.column, strict=True):
        assert {name for name, has in zip(names, labels, strict=True) if has} == tags[product]


def test_the_written_graph_finds_attributes_as_well_as_was_said(
    learned: tuple[Path, TrainSummary], tagged: Path
) -> None:
    graph, summary = learned
    answers, labels, told = told_by(graph, tagged, "val")
    estimated = summary.facts["estimates"]["validation"]
    assert told == {"names": ["apple", "boot", "dark", "mug"], "threshold": estimated["threshold"]}
    found = f1_score(labels, answers >= told["threshold"], average="micro")
    assert found >= estimated["micro_f1"] - 1e-6  # one threshold for all is at least as good on those it was chosen on
    everything = f1_score(labels, np.ones_like(labels), average="micro")
    assert estimated["micro_f1"] > everything + 0.1
    assert answers[:, 2][labels[:, 2]].mean() > answers[:, 2][~labels[:, 2]].mean() + 0.5


def test_the_curve_tells_micro_f1_of_the_epoch_that_is_kept(learned: tuple[Path, TrainSummary]) -> None:
    facts = learned[1].facts
    best = facts["network"]["curve"][facts["network"]["best_epoch"] - 1]
    assert best["held_accuracy"] == pytest.approx(facts["estimates"]["validation"]["micro_f1"])
    assert facts["attributes"] == 4 and facts["smallest_attribute"] == 18 and facts["dimension"] == 128


def test_a_catalog_can_be_embedded_with_what_was_learned(learned: tuple[Path, TrainSummary], tagged: Path) -> None:
    graph, _ = learned
    card = tomllib.loads(graph.with_suffix(".toml").read_text())
    assert card["widths"] == [128] and card["side_px"] == 32 and card["output"] == "vector"
    summary = embed(tagged, EmbedOptions(backbone=str(graph), precision="fp32"))
    assert summary.to_dict()


def test_the_frozen_part_can_be_computed_once_for_attributes_too(tagged: Path) -> None:
    to = tagged.with_name("finetuned.onnx")
    how = NetworkOptions(
        learn="attributes",
        start="random",
        side="32",
        batch=8,
        log="none",
        finetune=True,
        tune="1",
        views=2,
        cutmix=1.0,
        mixup=0.2,
    )
    summary = train(tagged, to, TrainOptions(network="small-cnn", epochs=2), how)
    answers, labels, _ = told_by(to, tagged, "val")
    assert answers.shape == labels.shape and 0 <= summary.facts["estimates"]["validation"]["micro_f1"] <= 1
    assert not to.with_name("finetuned.onnx.training").exists()


@pytest.mark.parametrize(("learn", "name"), [("attributes", "tags.bundle"), ("category", "other.onnx")])
def test_what_is_learned_says_what_it_is_written_to(learn: str, name: str, tagged: Path) -> None:
    how = NetworkOptions(learn=learn, start="random")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"--to .*: (attributes|categories) are learned into"):
        train(tagged, tagged.with_name(name), TrainOptions(network="small-cnn"), how)


def test_a_card_that_is_there_already_is_not_overwritten(tagged: Path) -> None:
    tagged.with_name("taken.toml").write_text("")
    with pytest.raises(OptionError, match="exists already"):
        train(tagged, tagged.with_name("taken.onnx"), SMALL, HOW)


def test_a_catalog_without_attributes_is_refused(drawn_catalog: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="have no attributes"):
        train(drawn_catalog, tmp_path / "tags.onnx", SMALL, HOW)


@pytest.mark.parametrize("option", [{"class_weights": "balanced"}, {"sampling": "balanced"}])
def test_attributes_are_not_balanced(option: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="are for categories"):
        NetworkOptions(learn="attributes", **option)  # type: ignore[arg-type]
