"""Pictures, ONNX graphs and weights files made by code, small enough to be worked out by hand."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import drawn_shop

GROCERY = drawn_shop.GROCERY / "dataset"


def picture(side: int) -> np.ndarray:
    """Integer arithmetic only, so that it is the same everywhere: gradients, a red block, a yellow disc, stripes."""
    v, u = np.mgrid[0:side, 0:side]
    pixels = np.stack([255 * u // (side - 1), 255 * v // (side - 1), (37 * u + 91 * v) % 256], axis=-1)
    pixels[side // 8 : side // 2, side // 4 : side // 2] = (210, 40, 30)
    pixels[(u - 2 * side // 3) ** 2 + (v - 2 * side // 3) ** 2 < (side // 5) ** 2] = (250, 240, 60)
    return pixels.astype(np.uint8)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


# A graph on photos of 32 px: one convolution of 8 x 8 patches, ReLU, and what the outputs are made of.
SIDE, PATCH, WIDTH = 32, 8, 5
WEIGHT = np.random.default_rng(7).normal(0, 0.1, (WIDTH, 3, PATCH, PATCH)).astype(np.float32)
BIAS = np.linspace(-0.5, 0.5, WIDTH).astype(np.float32)


def patch_graph(
    *, opset: int = 17, input_name: str = "photos", inner: str = "activated", inputs: tuple[str, ...] = ()
) -> onnx.ModelProto:
    """Build float (n, 3, 32, 32) -> `map` (n, 5, 4, 4), `tokens` (n, 16, 5) and `pooled` (n, 5)."""
    nodes = [
        helper.make_node("Conv", [input_name, "weight", "bias"], ["convolved"], strides=[PATCH, PATCH]),
        helper.make_node("Relu", ["convolved"], [inner]),
        helper.make_node("Identity", [inner], ["map"]),
        helper.make_node("Reshape", [inner, "flat"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("GlobalMaxPool", [inner], ["largest"]),
        helper.make_node("Flatten", ["largest"], ["pooled"]),
    ]
    constants = [
        numpy_helper.from_array(WEIGHT, "weight"),
        numpy_helper.from_array(BIAS, "bias"),
        numpy_helper.from_array(np.array([0, WIDTH, -1]), "flat"),
    ]
    fed = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 3, SIDE, SIDE]) for n in (input_name, *inputs)]
    shapes = {"map": ["n", WIDTH, 4, 4], "tokens": ["n", 16, WIDTH], "pooled": ["n", WIDTH]}
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "patches", fed, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def patch_map(pixels: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """Work out `map` (n, 5, 4, 4) patch by patch."""
    x = (pixels / 255.0 - np.array(mean)) / np.array(std)
    out = np.empty((len(x), WIDTH, 4, 4))
    for row, column in np.ndindex(4, 4):
        patch = x[:, row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH]
        out[:, :, row, column] = np.einsum("nhwc,dchw->nd", patch, WEIGHT) + BIAS
    return np.maximum(out, 0)


def write_card(folder: Path, graph: bytes, **changed: Any) -> Path:
    """Write an .onnx file and the card beside it; a field set to None is left out."""
    path = folder / "patches.onnx"
    path.write_bytes(graph)
    fields = {
        "title": "patches", "license": "MIT", "sha256": hashlib.sha256(graph).hexdigest(), "side_px": SIDE,
        "widths": [WIDTH], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.5], "output": "map", "pool": "map",
    } | changed  # fmt: skip
    lines = [f"{name} = {value!r}" for name, value in fields.items() if value is not None]
    path.with_suffix(".toml").write_text("\n".join(lines) + "\n")
    return path


# Opcodes of pickle protocol 2 that torch's files before 1.6 are made of.
def _plain(value: object) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def tensor_opcodes(key: str, kind: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    storage = (
        b"(" + _plain("storage") + f"ctorch\n{kind}\n".encode() + b"".join(map(_plain, (key, "cpu", 0, None))) + b"tQ"
    )
    rest = b"".join(map(_plain, (offset, shape, strides, False))) + b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"tR"


def state_dict_file(tensors: dict[str, bytes], storages: dict[str, np.ndarray], **parts: bytes) -> bytes:
    """Assemble a weights file; `parts` replaces the pickle of the header, the dict or the keys."""
    entries = b"".join(_plain(name) + opcodes for name, opcodes in tensors.items())
    header = b"".join(pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    pickled = b"\x80\x02ccollections\nOrderedDict\n)R(" + entries + b"u."
    file = (
        parts.get("header", header) + parts.get("state", pickled) + parts.get("keys", pickle.dumps(list(storages), 2))
    )
    return file + b"".join(len(values).to_bytes(8, "little") + values.tobytes() for values in storages.values())
