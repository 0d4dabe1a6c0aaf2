"""The network of a bundle as a backbone: its vectors serve other heads."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from drawn_shop import photo
from shelfwise.backbones.cards import find_card, parse_spec, parse_specs
from shelfwise.backbones.extractor import Extractor
from shelfwise.bundle import Bundle
from shelfwise.bundle.members import NETWORK_WEIGHTS
from shelfwise.embed import embed
from shelfwise.errors import BackboneError, OptionError
from shelfwise.evaluate import evaluate
from shelfwise.images.preprocess import prepare
from shelfwise.networks.find import find_network, new_network
from shelfwise.networks.stages import Vectors
from shelfwise.options import EmbedOptions, NetworkOptions, TrainOptions
from shelfwise.train import train
from shelfwise.train.run import SEEN_BEFORE

PICTURES = [photo("mug", 3), photo("boot", 4)]


@pytest.fixture(scope="module")
def tuned(drawn_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("tuned") / "tuned.bundle"
    options = TrainOptions(network="small-cnn", epochs=2, learning_rate=0.003)
    train(drawn_catalog, to, options, NetworkOptions(side="32", augment="none", log="none"))
    return to


def test_the_vectors_are_those_of_the_trained_network(tuned: Path):
    network = new_network(find_network("small-cnn"), 12, 0.0, 0)
    network.load_state_dict(safetensors.torch.load(Bundle.load(tuned).kept[NETWORK_WEIGHTS]()))
    extractor = Extractor(parse_spec(str(tuned)))
    pixels = np.stack([prepare(picture, extractor.preprocessing) for picture in PICTURES])
    photos = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    with torch.no_grad():
        expected = Vectors(network).eval()(photos).numpy()
    np.testing.assert_allclose(extractor.vectors_of(PICTURES), expected, atol=1e-4, rtol=1e-4)


def test_tuned_vectors_stand_beside_packaged_ones_under_a_head_that_carries_the_network(
    tuned: Path, drawn_catalog: Path, tmp_path: Path
):
    shutil.copytree(drawn_catalog, tmp_path / "shop.catalog")
    both = f"lite0@96+{tuned}"
    embed(tmp_path / "shop.catalog", EmbedOptions(backbone=both, precision="fp32"))
    embed(tmp_path / "shop.catalog", EmbedOptions(backbone="lite0@32", precision="fp32"))
    summary = train(tmp_path / "shop.catalog", tmp_path / "both.bundle", TrainOptions(backbone=both))
    assert SEEN_BEFORE.format(names="tuned") in summary.facts["notes"]
    shutil.move(tuned, tmp_path / "away.bundle")  # the new bundle carries the network itself
    try:
        bundle = Bundle.load(tmp_path / "both.bundle")
        assert [spec.card.name for spec in bundle.layout.specs] == ["lite0", "tuned"]
        features = bundle.features_of(PICTURES)
        np.testing.assert_allclose(np.linalg.norm(features[:, 1280:], axis=1), 1, atol=1e-5)
        evaluate(tmp_path / "both.bundle", tmp_path / "shop.catalog", to=tmp_path / "report")
    finally:
        shutil.move(tmp_path / "away.bundle", tuned)


def test_the_network_is_called_like_its_folder_and_keeps_its_own_head_as_it_was(tuned: Path, tmp_path: Path):
    shutil.copytree(tuned, tmp_path / "of books, 2.bundle")
    spec = parse_spec(f"{tmp_path}/of books, 2.bundle/middle")
    assert (spec.card.name, spec.view, spec.side_px) == ("of-books--2", "middle", 32)
    assert spec.card.sha256 == find_card(str(tuned)).sha256
    assert spec.card.unit_length and not Bundle.load(tuned).layout.specs[0].card.unit_length


def test_what_is_no_network_in_a_folder_is_told_with_what_to_do(tuned: Path, drawn_bundle: Path, tmp_path: Path):
    Bundle.load(tuned).save(tmp_path / "one.zip")
    with pytest.raises(OptionError, match="unpack it, and name the folder"):
        parse_specs(str(tmp_path / "one.zip"))
    with pytest.raises(OptionError, match="carries no network, but a head on packaged backbones"):
        parse_specs(str(drawn_bundle))
    with pytest.raises(OptionError, match="is no folder of a bundle"):
        parse_specs(str(tmp_path / "missing.bundle"))
    (tmp_path / "odd.bundle").mkdir()
    (tmp_path / "odd.bundle/bundle.json").write_text('{"layout": [{}]}')
    with pytest.raises(BackboneError, match=r"bundle\.json: KeyError"):
        parse_specs(str(tmp_path / "odd.bundle"))


def test_two_backbones_of_the_same_name_do_not_stand_side_by_side(tuned: Path, tmp_path: Path):
    shutil.copytree(tuned, tmp_path / "lite0.bundle")
    with pytest.raises(OptionError, match="two backbones are called 'lite0': rename one of the folders"):
        parse_specs(f"lite0+{tmp_path}/lite0.bundle")
    with pytest.raises(OptionError, match="is named twice"):
        parse_specs(f"{tuned}+{tuned}")
    assert len(parse_specs(f"{tuned}+{tuned}/middle")) == 2


def test_a_network_looks_at_photos_of_its_own_side_alone(tuned: Path):
    assert parse_spec(f"{tuned}@32").side_px == 32
    with pytest.raises(OptionError, match="takes photos of its own side alone: leave out @64"):
        parse_spec(f"{tuned}@64")


def test_changed_weights_are_refused(tuned: Path, tmp_path: Path):
    shutil.copytree(tuned, tmp_path / "changed.bundle")
    (graph,) = (tmp_path / "changed.bundle/backbones").glob("*.onnx")
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    with pytest.raises(BackboneError, match="the card pins"):
        Extractor(parse_spec(str(tmp_path / "changed.bundle")))
