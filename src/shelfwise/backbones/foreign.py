"""Make a foreign ONNX graph look like ours: uint8 photos in, one vector a photo out."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from shelfwise.backbones.cards import BackboneCard
from shelfwise.errors import BackboneError


def from_pixels(model: onnx.ModelProto, card: BackboneCard) -> onnx.ModelProto:
    """Put normalization before, and pooling behind, a graph that maps float (n, 3, h, w) to its own outputs.

    Returns the same model, changed. Raises BackboneError for weights outside the file, and for inputs or an output that
    are not what the card says.
    """
    graph = model.graph
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in graph.initializer):
        raise BackboneError(f"{card.name}: the graph keeps its weights in another file; only graphs in one file are taken")
    fed = [value for value in graph.input if value.name not in {tensor.name for tensor in graph.initializer}]
    if len(fed) != 1:
        raise BackboneError(f"{card.name}: the graph has {len(fed)} inputs, one of photos is needed")
    if card.output not in {name for node in graph.node for name in node.output}:
        known = ", ".join(value.name for value in graph.output)
        raise BackboneError(f"{card.name}: the graph computes no {card.output!r}; its outputs are: {known}")

    def constant(name: str, values: list[float], shape: list[int]) -> str:
        graph.initializer.append(helper.make_tensor(name, TensorProto.FLOAT, shape, values))
        return name

    scale = constant("shelfwise.scale", [255 * s for s in card.std], [1, 3, 1, 1])
    shift = constant("shelfwise.shift", [m / s for m, s in zip(card.mean, card.std, strict=True)], [1, 3, 1, 1])
    before = [
        helper.make_node("Transpose", ["pixels"], ["shelfwise.first"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["shelfwise.first"], ["shelfwise.float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["shelfwise.float", scale], ["shelfwise.scaled"]),
        helper.make_node("Sub", ["shelfwise.scaled", shift], [fed[0].name]),
    ]
    nodes = [*before, *graph.node, *_pooling(model, card)]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", "h", "w", 3]))
    graph.output.append(helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", card.widths[0]]))
    onnx.checker.check_model(model)
    return model


def _pooling(model: onnx.ModelProto, card: BackboneCard) -> list[onnx.NodeProto]:
    def integers(name: str, values: list[int], shape: list[int]) -> str:
        model.graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, shape, values))
        return name

    if card.pool == "none":
        return [helper.make_node("Identity", [card.output], ["vector"])] if card.output != "vector" else []
    if card.pool == "map":
        pooled = helper.make_node("GlobalAveragePool", [card.output], ["shelfwise.pooled"])
        return [pooled, helper.make_node("Flatten", ["shelfwise.pooled"], ["vector"], axis=1)]
    if card.pool == "first":
        return [helper.make_node("Gather", [card.output, integers("shelfwise.zero", [0], [])], ["vector"], axis=1)]
    if max(opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")) < 18:
        return [helper.make_node("ReduceMean", [card.output], ["vector"], axes=[1], keepdims=0)]
    axes = integers("shelfwise.tokens", [1], [1])
    return [helper.make_node("ReduceMean", [card.output, axes], ["vector"], keepdims=0)]
