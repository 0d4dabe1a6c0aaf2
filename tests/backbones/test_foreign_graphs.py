from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from drawn_backbones import SIDE, WIDTH, patch_graph, patch_map, picture, write_card
from onnx import TensorProto, helper, numpy_helper

from shelfwise.backbones import Extractor, parse_specs
from shelfwise.backbones.cards import parse_spec
from shelfwise.backbones.graphs import graph_file
from shelfwise.errors import BackboneError

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)
PIXELS = np.stack([picture(SIDE), picture(SIDE)[::-1], np.full((SIDE, SIDE, 3), 255, np.uint8)])
POOLED = {
    ("map", "map"): lambda m: m.mean(axis=(2, 3)),
    ("tokens", "mean"): lambda m: m.mean(axis=(2, 3)),
    ("tokens", "first"): lambda m: m[:, :, 0, 0],
    ("pooled", "none"): lambda m: m.max(axis=(2, 3)),
    ("activated", "map"): lambda m: m.mean(axis=(2, 3)),  # a tensor inside, which is no output
}


def vectors(folder: Path, model: onnx.ModelProto, **card: Any) -> np.ndarray:
    path = write_card(folder, model.SerializeToString(), **card)
    return Extractor(parse_spec(str(path))).vectors(PIXELS)


@pytest.mark.parametrize("opset", [13, 17, 18, 20])
@pytest.mark.parametrize(("output", "pool"), POOLED)
def test_vectors_equal_the_network_worked_out_patch_by_patch(
    tmp_path: Path, output: str, pool: str, opset: int
) -> None:
    expected = POOLED[output, pool](patch_map(PIXELS, MEAN, STD))
    found = vectors(tmp_path, patch_graph(opset=opset), output=output, pool=pool)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    "names", [{"input_name": "pixels"}, {"inner": "vector"}, {"input_name": "vector", "inner": "pixels"}]
)
def test_a_graph_may_use_the_names_that_ours_use(tmp_path: Path, names: dict[str, str]) -> None:
    found = vectors(tmp_path, patch_graph(**names), output="tokens", pool="mean")
    np.testing.assert_allclose(found, patch_map(PIXELS, MEAN, STD).mean(axis=(2, 3)), atol=1e-4)


def test_a_graph_of_the_old_kind_whose_weights_are_inputs_too_is_taken(tmp_path: Path) -> None:
    model = patch_graph(opset=13)
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    np.testing.assert_allclose(vectors(tmp_path, model), patch_map(PIXELS, MEAN, STD).mean(axis=(2, 3)), atol=1e-4)


def test_another_normalization_on_the_card_gives_other_vectors_although_a_graph_is_cached(tmp_path: Path) -> None:
    first = vectors(tmp_path, patch_graph())
    second = vectors(tmp_path, patch_graph(), mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 1.0])
    np.testing.assert_allclose(second, patch_map(PIXELS, (0, 0, 0), (1, 1, 1)).mean(axis=(2, 3)), atol=1e-4)
    assert not np.allclose(first, second, atol=1e-2)


def keeps_outside(tensor: onnx.TensorProto, path: Path) -> onnx.TensorProto:
    path.write_bytes(numpy_helper.to_array(tensor).tobytes())
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": str(path), "offset": "0", "length": str(path.stat().st_size)}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def outside_initializer(model: onnx.ModelProto, path: Path) -> None:
    keeps_outside(model.graph.initializer[0], path)


def outside_constant(model: onnx.ModelProto, path: Path) -> None:
    bias = keeps_outside(model.graph.initializer.pop(1), path)
    model.graph.node.insert(0, helper.make_node("Constant", [], ["bias"], value=bias))


def outside_branch(model: onnx.ModelProto, path: Path) -> None:
    bias = model.graph.initializer.pop(1)
    made = [helper.make_tensor_value_info("made", TensorProto.FLOAT, [WIDTH])]
    branches = [
        helper.make_graph([helper.make_node("Constant", [], ["made"], value=value)], "branch", [], made)
        for value in (onnx.TensorProto.FromString(bias.SerializeToString()), keeps_outside(bias, path))
    ]
    node = helper.make_node("If", ["always"], ["bias"], then_branch=branches[0], else_branch=branches[1])
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "always"))
    model.graph.node.insert(0, node)


@pytest.mark.parametrize("outside", [outside_initializer, outside_constant, outside_branch])
def test_weights_in_another_file_are_refused_wherever_the_graph_hides_them(tmp_path: Path, outside: Any) -> None:
    model = patch_graph()
    outside(model, tmp_path / "weights.bin")
    with pytest.raises(BackboneError, match="keeps weights in another file"):
        vectors(tmp_path, model)


def test_a_branch_that_keeps_its_weights_inside_is_taken(tmp_path: Path) -> None:
    model = patch_graph()
    outside_branch(model, tmp_path / "weights.bin")
    branch = {attribute.name: attribute.g for attribute in model.graph.node[0].attribute}
    branch["else_branch"].CopyFrom(branch["then_branch"])
    np.testing.assert_allclose(vectors(tmp_path, model), patch_map(PIXELS, MEAN, STD).mean(axis=(2, 3)), atol=1e-4)


def of_type(model: onnx.ModelProto, kind: int) -> onnx.ModelProto:
    model.graph.input[0].type.tensor_type.elem_type = kind
    return model


@pytest.mark.parametrize(
    ("model", "card", "said"),
    [
        (patch_graph(inputs=("mask",)), {}, "has 2 inputs, one of photos is needed"),
        (of_type(patch_graph(), TensorProto.FLOAT16), {}, "'photos' takes no float32 numbers"),
        (patch_graph(), {"output": "logits"}, "computes no 'logits'; its outputs are: map, tokens, pooled"),
        (patch_graph(), {"output": "photos"}, "computes no 'photos'"),
        (patch_graph(), {"widths": [4]}, r"is of shape \(2, 5\) for two photos, the card says \(2, 4\)"),
        (patch_graph(), {"output": "tokens", "pool": "none"}, r"is of shape \(2, 16, 5\)"),
        (patch_graph(), {"output": "map", "pool": "first"}, r"is of shape \(2, 4, 4\)"),
        (patch_graph(), {"output": "pooled", "pool": "map"}, "do not pass through the graph"),
    ],
)
def test_a_graph_that_is_not_what_its_card_says_is_refused(
    tmp_path: Path, model: onnx.ModelProto, card: dict[str, Any], said: str
) -> None:
    spec = parse_spec(str(write_card(tmp_path, model.SerializeToString(), **card)))
    with pytest.raises(BackboneError, match=said):
        graph_file(spec)
    with pytest.raises(BackboneError, match=said):  # and nothing of it was cached
        graph_file(spec)


def test_a_side_that_the_graph_cannot_take_is_refused(tmp_path: Path) -> None:
    model = patch_graph()
    model.graph.initializer[2].CopyFrom(numpy_helper.from_array(np.array([-1, WIDTH, 16]), "flat"))
    path = write_card(tmp_path, model.SerializeToString(), output="tokens", pool="mean")
    assert graph_file(parse_spec(str(path))).is_file()
    with pytest.raises(BackboneError, match=r"patches@72: two photos of 72 px do not pass through the graph"):
        graph_file(parse_spec(f"{path}@72"))


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    path = write_card(tmp_path, b"<!doctype html>")
    with pytest.raises(BackboneError, match="is no ONNX graph"):
        graph_file(parse_spec(str(path)))


def test_a_graph_that_changed_since_its_card_was_written_is_refused(tmp_path: Path) -> None:
    content = patch_graph().SerializeToString()
    path = write_card(tmp_path, content, title="before")
    changed = patch_graph(opset=16).SerializeToString()
    path.write_bytes(changed)
    with pytest.raises(BackboneError, match=r"patches: sha256 of .*patches\.onnx is \w+, the card pins"):
        graph_file(parse_spec(f"{path}@40"))
    path.unlink()
    with pytest.raises(BackboneError, match=r"patches\.onnx does not exist"):
        graph_file(parse_spec(f"{path}@48"))


def test_weights_that_a_bundle_carries_need_no_file_and_are_checked_too(tmp_path: Path) -> None:
    content = patch_graph().SerializeToString()
    path = write_card(tmp_path, content)
    spec = parse_spec(f"{path}@56")
    path.unlink()
    with pytest.raises(BackboneError, match="the card pins"):
        Extractor(spec, embedded=content + b"\0")
    assert Extractor(spec, embedded=content).vectors(np.zeros((1, 56, 56, 3), np.uint8)).shape == (1, WIDTH)


def test_a_foreign_graph_stands_beside_ours(tmp_path: Path) -> None:
    path = write_card(tmp_path, patch_graph().SerializeToString())
    specs = parse_specs(f"lite0@64+{path}")
    assert [sum(spec.widths) for spec in specs] == [1280, WIDTH]
