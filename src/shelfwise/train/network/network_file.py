"""A network that learned attributes as one ONNX file: its vectors, its attributes' probabilities, and a card beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from shelfwise.errors import OptionError
from shelfwise.files import write_bytes
from shelfwise.metrics.attributes import best_threshold, crossed_answers, micro_f1
from shelfwise.networks.export import to_onnx
from shelfwise.networks.find import Blueprint
from shelfwise.networks.stages import Vectors
from shelfwise.train.network.inputs.photos import Photos
from shelfwise.train.network.result import card_of, head_of
from shelfwise.train.network.settings import Settings

_ON_CARD = ("title", "license", "sha256", "side_px", "widths", "mean", "std", "fit", "output", "pool")


def refuse_name(to: Path, learn: str) -> None:
    """Raise OptionError for a name that what is learned cannot be written to."""
    if learn == "attributes" and to.suffix != ".onnx":
        raise OptionError(
            f"--to {to}: attributes are learned into an .onnx file with a card beside it: name it --to NAME.onnx"
        )
    if learn == "category" and to.suffix == ".onnx":
        raise OptionError(f"--to {to}: categories are learned into a bundle, by convention NAME.bundle")
    if to.suffix == ".onnx" and to.with_suffix(".toml").exists():
        raise OptionError(
            f"{to.with_suffix('.toml')} exists already: choose another name with --to, or remove it first"
        )


def figures_of(probabilities: NDArray[np.float32], held: Photos) -> dict[str, Any]:
    """Return micro-F1 of held-out products by the other half's best threshold, and the best threshold of all of them."""
    labels = held.column.astype(np.bool_)
    return {
        "micro_f1": micro_f1(crossed_answers(probabilities, labels), labels),
        "threshold": best_threshold(probabilities, labels),
        "products": len(labels),
    }


def write_network_file(
    network: nn.Module, blueprint: Blueprint, settings: Settings, names: Sequence[str], threshold: float, to: Path
) -> str:
    """Write NAME.onnx and NAME.toml, and return the graph's sha256.

    The graph maps normalized photos to `vector` (n, d) and `attributes` (n, l), probabilities; its metadata
    `shelfwise.attributes` names these and says from which probability on one is answered.
    """
    vectors = to_onnx(Vectors(network), settings.sides_px[-1], "vector")
    card = card_of(blueprint, settings, vectors, to.stem).to_dict()
    graph = _with_attributes(vectors, network, names, threshold)
    card["sha256"] = hashlib.sha256(graph).hexdigest()
    write_bytes(to, graph)
    lines = [f"{key} = {json.dumps(card[key])}\n" for key in _ON_CARD]
    write_bytes(to.with_suffix(".toml"), "".join(lines).encode())
    return str(card["sha256"])


def _with_attributes(graph: bytes, network: nn.Module, names: Sequence[str], threshold: float) -> bytes:
    model, head = onnx.load_model_from_string(graph), head_of(network)
    for name, values in (("head.weight", head.weight), ("head.bias", head.intercept)):
        model.graph.initializer.append(numpy_helper.from_array(values, f"shelfwise.{name}"))
    model.graph.node.extend([
        helper.make_node("Gemm", ["vector", "shelfwise.head.weight", "shelfwise.head.bias"], ["shelfwise.scores"]),
        helper.make_node("Sigmoid", ["shelfwise.scores"], ["attributes"]),
    ])  # fmt: skip
    model.graph.output.append(helper.make_tensor_value_info("attributes", TensorProto.FLOAT, ["n", len(names)]))
    told = {"names": list(names), "threshold": threshold}
    helper.set_model_props(model, {"shelfwise.attributes": json.dumps(told, ensure_ascii=False)})
    return bytes(model.SerializeToString())
