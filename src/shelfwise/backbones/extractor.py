"""Run a backbone: photos to vectors."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from shelfwise.backbones.cards import BackboneSpec
from shelfwise.backbones.graphs import graph_file
from shelfwise.images.preprocess import Preprocessing, prepare

# Share of each side that the view of the middle shows: what EfficientNets are evaluated with (crop_pct in timm).
# Source: docs/experiments.md, which part of the photo to look at.
MIDDLE = 0.875


class Extractor:
    """A backbone ready to run; calls from several threads at once are fine.

    threads: cores that one call uses; with one call per core, keep 1. embedded: the weights of a foreign card, where a
    bundle carries them.
    """

    def __init__(self, spec: BackboneSpec, *, threads: int = 1, embedded: bytes | None = None) -> None:
        self.spec = spec
        middle = MIDDLE if spec.view == "middle" else 1.0
        self.preprocessing = Preprocessing(side_px=spec.side_px, fit=spec.card.fit, middle=middle)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        graph = graph_file(spec, embedded).read_bytes()
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._input, self._output = self._session.get_inputs()[0].name, self._session.get_outputs()[0].name

    def vectors(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute raw vectors (n, d) of prepared photos (n, side, side, 3)."""
        vectors: NDArray[np.float32] = self._session.run([self._output], {self._input: pixels})[0]
        return vectors

    def vectors_of(self, pictures: list[bytes]) -> NDArray[np.float32]:
        """Compute raw vectors (n, d) of encoded photos; raises ImageError for one that cannot be used."""
        return self.vectors(np.stack([prepare(data, self.preprocessing) for data in pictures]))
