"""What ONNX Runtime serves is what torch has trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from drawn_shop import photo
from shelfwise.backbones.cards import BackboneSpec
from shelfwise.backbones.extractor import Extractor
from shelfwise.images.preprocess import prepare
from shelfwise.networks.export import to_onnx
from shelfwise.networks.find import Blueprint, find_network, new_network
from shelfwise.networks.stages import Vectors
from shelfwise.networks.start import start_pretrained
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.train.network.inputs.samples import Normalization
from shelfwise.train.network.result import card_of
from shelfwise.train.network.settings import settle

SIDE_PX = 64


def trained(blueprint: Blueprint) -> nn.Module:
    """A network whose batch norms have seen photos, so that its numbers are of the size of trained ones."""
    network = new_network(blueprint, 5, 0.0, 0)
    if blueprint.fetch:
        start_pretrained(network, blueprint, accepts_license=False)
        return network.eval()
    torch.manual_seed(0)
    network.train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.randn(8, 3, SIDE_PX, SIDE_PX))
    return network.eval()


def vectors_both_ways(name: str, pictures: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, d) by the bundle's own way, and by torch."""
    blueprint = find_network(name)
    network = trained(blueprint)
    settings = settle(TrainOptions(network=name), NetworkOptions(side=str(SIDE_PX)), blueprint)
    graph = to_onnx(Vectors(network), SIDE_PX, "vector")
    extractor = Extractor(BackboneSpec(card_of(blueprint, settings, graph, "served"), SIDE_PX, 0), embedded=graph)
    normalize, wanted, served = Normalization(blueprint.mean, blueprint.std), [], []
    for start in range(0, len(pictures), 50):
        part = pictures[start : start + 50]
        pixels = np.stack([prepare(picture, extractor.preprocessing) for picture in part])
        with torch.no_grad():
            wanted.append(Vectors(network).eval()(normalize(torch.from_numpy(pixels).permute(0, 3, 1, 2))).numpy())
        served.append(extractor.vectors_of(part))
    return np.concatenate(served), np.concatenate(wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lite0", "resnet18-transformer", "se-resnet18"])
def test_served_vectors_of_500_grocery_photos_are_torchs(name: str, grocery: Path):
    photos = sorted((grocery / "dataset/test").rglob("*.jpg"))
    pictures = [file.read_bytes() for file in photos[:: len(photos) // 500][:500]]
    assert len(pictures) == 500
    served, wanted = vectors_both_ways(name, pictures)
    assert np.abs(wanted).max() > 0.1 and wanted.std(axis=0).max() > 0.01
    np.testing.assert_allclose(served, wanted, atol=1e-4, rtol=1e-4)


def test_served_vectors_are_torchs():
    served, wanted = vectors_both_ways("small-cnn", [photo("mug", n, 48) for n in range(4)])
    np.testing.assert_allclose(served, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side_px"), [("vgg16+flatten", 50), ("lite0+dense=16,8", 48), ("resnet50-transformer", 40)]
)
def test_heads_and_odd_sides_are_exported(name: str, side_px: int):
    network = new_network(find_network(name), 3, 0.5, 0).eval()
    photos = torch.rand(3, 3, side_px, side_px)
    session = ort.InferenceSession(to_onnx(Vectors(network), side_px, "vector"), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        wanted = Vectors(network).eval()(photos).numpy()
    np.testing.assert_allclose(session.run(None, {"photos": photos.numpy()})[0], wanted, atol=1e-4, rtol=1e-4)
