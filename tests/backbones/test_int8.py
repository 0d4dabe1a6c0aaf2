from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from drawn_backbones import GROCERY, cosines, picture
from onnx import TensorProto, numpy_helper

from shelfwise.backbones import BackboneSpec, Extractor
from shelfwise.backbones.cards import parse_spec
from shelfwise.backbones.graphs import graph_file, weights_file
from shelfwise.backbones.lite import build_lite
from shelfwise.backbones.quantize import calibration_batches, quantize
from shelfwise.backbones.weights import read_state_dict
from shelfwise.images.draw import KINDS, draw_product
from shelfwise.images.preprocess import Preprocessing, prepare


def int8(text: str) -> BackboneSpec:
    return replace(parse_spec(text), precision="int8")


def part_cosines(pixels: np.ndarray, text: str) -> np.ndarray:
    """Cosine of every photo's int8 and fp32 vector, (n, parts)."""
    spec = parse_spec(text)
    cuts = np.cumsum(spec.widths)[:-1]
    fp32, quantized = (np.split(Extractor(s).vectors(pixels), cuts, axis=1) for s in (spec, int8(text)))
    return np.stack([cosines(a, b) for a, b in zip(fp32, quantized, strict=True)], axis=1)


# A small side keeps the calibration short; the accuracy is measured at the real sides below.
SMALL = "lite0@64:1"


def test_every_convolution_of_the_graph_runs_in_int8() -> None:
    path = graph_file(int8(SMALL))
    graph = onnx.load(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 49  # Source: EfficientNet-Lite0 has a stem, 16 blocks of 3 (one of 2), and a head
    for node in convolutions:
        x, weight = (made_by[name] for name in node.input[:2])
        assert x.op_type == weight.op_type == "DequantizeLinear"
        values, scales = constants[weight.input[0]], constants[weight.input[1]]
        assert values.dtype == np.int8 and scales.shape == (len(values),), "int8 weights, one scale a channel"
        assert constants[x.input[2]].dtype == np.uint8, "uint8 activations"
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["QuantizeLinear"] >= len(convolutions)
    floats = [
        tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1
    ]
    assert not floats
    assert path.stat().st_size < 0.35 * graph_file(parse_spec(SMALL)).stat().st_size


def test_a_graph_built_twice_is_the_same_graph_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    spec = parse_spec(SMALL)
    state = read_state_dict(weights_file(spec.card), spec.card.sha256)
    first, second = (quantize(build_lite(state, spec.stages), spec.card.side_px) for _ in range(2))
    assert first == second == graph_file(int8(SMALL)).read_bytes()
    assert not caplog.records


def test_calibration_pictures_are_the_same_every_time_and_use_the_whole_range() -> None:
    first, second = (np.concatenate([b["pixels"] for b in calibration_batches(64)]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (96, 64, 64, 3) and first.dtype == np.uint8
    assert first.min() == 0 and first.max() == 255
    assert len(np.unique(first.reshape(96, -1), axis=0)) == 96


def test_vectors_of_drawn_photos_hardly_change_in_int8_even_at_a_small_side() -> None:
    pixels = np.stack([picture(64), *(draw_product(kind, 3, 64) for kind in KINDS)])
    assert part_cosines(pixels, SMALL).mean() > 0.97


@pytest.mark.slow
@pytest.mark.parametrize("text", ["lite0:3", "lite1:3", "lite2:3"])
def test_vectors_of_drawn_photos_hardly_change_in_int8(text: str) -> None:
    side = parse_spec(text).side_px
    pixels = np.stack([draw_product(kind, seed, side) for kind in KINDS for seed in (1, 2)])
    found = part_cosines(pixels, text)
    assert (found.mean(axis=0) > 0.97).all(), found.mean(axis=0)  # plain drawings move more than photos do: 0.976-0.992


def real_photos(pattern: str, step: int) -> list[Path]:
    return sorted(GROCERY.glob(pattern))[::step]


@pytest.mark.slow
@pytest.mark.skipif(not GROCERY.is_dir(), reason=f"the Grocery photos are not at {GROCERY}: set SHELFWISE_DATA")
@pytest.mark.parametrize(("pattern", "step"), [("test/**/*.jpg", 60), ("iconic-images-and-descriptions/**/*.jpg", 2)])
@pytest.mark.parametrize("text", ["lite0:3", "lite1:3", "lite2:3"])
def test_vectors_of_real_photos_hardly_change_in_int8(text: str, pattern: str, step: int) -> None:
    preprocessing = Preprocessing(parse_spec(text).side_px)
    photos = real_photos(pattern, step)
    pixels = np.stack([prepare(photo.read_bytes(), preprocessing) for photo in photos])
    found = part_cosines(pixels, text)
    assert (found.mean(axis=0) > 0.98).all(), found.mean(axis=0)
    assert found.min() > 0.95
