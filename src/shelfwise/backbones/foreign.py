"""Make a foreign ONNX graph look like ours: uint8 photos in, one vector a photo out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from shelfwise.backbones.cards import BackboneCard, BackboneSpec
from shelfwise.errors import BackboneError

# Names of our own tensors begin so, lest they meet those of the graph.
_OURS = "shelfwise."


def from_pixels(data: bytes, spec: BackboneSpec) -> onnx.ModelProto:
    """Put normalization before, and pooling behind, a graph that maps float (n, 3, h, w) to its own outputs.

    data: content of an .onnx file. The result is tried on two grey photos of the spec's side. Raises BackboneError for
    what is no ONNX graph, weights outside the file, inputs or an output that are not what the card says, and a vector
    of another width than the card's.
    """
    card = spec.card
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own, whose class depends on how protobuf was built
        raise BackboneError(f"{card.name}: {card.file} is no ONNX graph ({error})") from error
    _refuse_external_data(model, card)
    _surround(model, card, _input_name(model, card))
    _try(model, spec)
    return model


def _refuse_external_data(model: onnx.ModelProto, card: BackboneCard) -> None:
    """Refuse weights in other files: ONNX Runtime would open whatever path the graph names."""
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    tensors = [*_stored_tensors(model.graph), *_tensors_in(nodes)]
    if any(tensor.data_location == TensorProto.EXTERNAL or tensor.external_data for tensor in tensors):
        raise BackboneError(f"{card.name}: the graph keeps weights in another file; only graphs in one file are taken")


def _stored_tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)


def _tensors_in(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    """Yield the tensors in attributes of nodes, and in the graphs inside those (If, Loop)."""
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in [attribute.g] * attribute.HasField("g") + [*attribute.graphs]:
            yield from _stored_tensors(graph)
            yield from _tensors_in(graph.node)


def _input_name(model: onnx.ModelProto, card: BackboneCard) -> str:
    """Return the name of the input of photos, once input and output are what the card says."""
    graph = model.graph
    stored = {tensor.name for tensor in graph.initializer}
    fed = [value for value in graph.input if value.name not in stored]
    if len(fed) != 1:
        raise BackboneError(f"{card.name}: the graph has {len(fed)} inputs, one of photos is needed")
    if fed[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        raise BackboneError(f"{card.name}: the input {fed[0].name!r} takes no float32 numbers, which is needed")
    if card.output not in {name for node in graph.node for name in node.output}:
        known = ", ".join(value.name for value in graph.output)
        raise BackboneError(f"{card.name}: the graph computes no {card.output!r}; its outputs are: {known}")
    return str(fed[0].name)


def _surround(model: onnx.ModelProto, card: BackboneCard, input_name: str) -> None:
    """Put our nodes and our input and output around the graph's own."""
    graph = model.graph

    def constant(name: str, values: list[float]) -> str:
        graph.initializer.append(helper.make_tensor(_OURS + name, TensorProto.FLOAT, [1, 3, 1, 1], values))
        return _OURS + name

    scale = constant("scale", [255 * s for s in card.std])
    shift = constant("shift", [m / s for m, s in zip(card.mean, card.std, strict=True)])
    before = [
        helper.make_node("Transpose", [_OURS + "pixels"], [_OURS + "first"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", [_OURS + "first"], [_OURS + "float"], to=TensorProto.FLOAT),
        helper.make_node("Div", [_OURS + "float", scale], [_OURS + "scaled"]),
        helper.make_node("Sub", [_OURS + "scaled", shift], [input_name]),
    ]
    nodes = [*before, *graph.node, *_pooling(model, card)]
    del graph.node[:], graph.output[:], graph.value_info[:]
    for value in [value for value in graph.input if value.name == input_name]:
        graph.input.remove(value)
    graph.node.extend(nodes)
    graph.input.insert(0, helper.make_tensor_value_info(_OURS + "pixels", TensorProto.UINT8, ["n", "h", "w", 3]))
    graph.output.append(helper.make_tensor_value_info(_OURS + "vector", TensorProto.FLOAT, ["n", "d"]))


def _pooling(model: onnx.ModelProto, card: BackboneCard) -> list[onnx.NodeProto]:
    vector = [_OURS + "vector"]

    def integers(name: str, values: list[int], shape: list[int]) -> str:
        model.graph.initializer.append(helper.make_tensor(_OURS + name, TensorProto.INT64, shape, values))
        return _OURS + name

    if card.pool == "none":
        return [helper.make_node("Identity", [card.output], vector)]
    if card.pool == "map":
        pooled = helper.make_node("GlobalAveragePool", [card.output], [_OURS + "pooled"])
        return [pooled, helper.make_node("Flatten", [_OURS + "pooled"], vector, axis=1)]
    if card.pool == "first":
        return [helper.make_node("Gather", [card.output, integers("zero", [0], [])], vector, axis=1)]
    if max(opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")) < 18:
        return [helper.make_node("ReduceMean", [card.output], vector, axes=[1], keepdims=0)]
    return [helper.make_node("ReduceMean", [card.output, integers("tokens", [1], [1])], vector, keepdims=0)]


def _try(model: onnx.ModelProto, spec: BackboneSpec) -> None:
    """Run the graph once, so that one that cannot work is refused before it is cached."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    grey = np.full((2, spec.side_px, spec.side_px, 3), 128, dtype=np.uint8)
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        (vector,) = session.run([_OURS + "vector"], {_OURS + "pixels": grey})
    except Exception as error:  # ONNX Runtime's errors have no class in common but this one
        said = str(error).partition("\n")[0]
        raise BackboneError(f"{spec}: two photos of {spec.side_px} px do not pass through the graph: {said}") from error
    if vector.shape != (2, *spec.widths):
        raise BackboneError(
            f"{spec}: {spec.card.output!r} pooled by {spec.card.pool!r} is of shape {vector.shape} for two photos, "
            f"the card says {(2, *spec.widths)}"
        )
