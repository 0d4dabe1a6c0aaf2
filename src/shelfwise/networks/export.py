"""From torch to ONNX: the graph that serves what torch has trained."""

from __future__ import annotations

import logging
import warnings

import torch
from torch import nn


def to_onnx(network: nn.Module, side_px: int, output: str) -> bytes:
    """Write a network as one ONNX file: `photos` float (n, 3, side, side), normalized, to `output`, for any n.

    Weights lie inside the file, batch norms are folded into what precedes them.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    photos = torch.zeros((2, 3, side_px, side_px))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of exporter and optimizer, about themselves
        program = torch.onnx.export(
            network.eval().cpu(), (photos,), dynamo=True, optimize=True, verbose=False, external_data=False,
            input_names=["photos"], output_names=[output], dynamic_shapes=({0: torch.export.Dim("n")},),
        )  # fmt: skip
    return bytes(program.model_proto.SerializeToString())
