"""Activations in front of the first trained stage, computed once by ONNX Runtime, kept in files as float16."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor

from shelfwise.engines.local import available_cores, map_ordered
from shelfwise.errors import DiskFullError
from shelfwise.files import disk_full, room_for, write_json
from shelfwise.progress import Progress
from shelfwise.train.network.augment import number_of
from shelfwise.train.network.photos import Numbers
from shelfwise.train.network.samples import Samples

_BATCH = 8
_SPARE = 1.2
"""Share of the needed room that must be free. Source: docs/reliability.md, T6."""


@dataclass(frozen=True)
class Trunk:
    """The frozen part of a network as an ONNX graph; shape: of what it gives for one photo."""

    graph: bytes
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """What one view of one photo takes."""
        return 2 * int(np.prod(self.shape))

    def session(self) -> Callable[[Tensor], NDArray[np.float16]]:
        """Load the graph; what it returns takes normalized photos (m, 3, side, side), from several threads at once."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        loaded = ort.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])

        def run(photos: Tensor) -> NDArray[np.float16]:
            (activations,) = loaded.run(None, {"photos": photos.numpy()})
            with np.errstate(over="ignore"):
                return np.asarray(activations.astype(np.float16))

        return run


class Cached:
    """The cached activations of several views; a sample of an epoch is one view of a photo, drawn for that epoch."""

    def __init__(self, files: list[Path], shape: tuple[int, ...], seed: int) -> None:
        self._views = [np.memmap(file, np.float16, "r").reshape(-1, *shape) for file in files]
        self._seed = seed

    def __len__(self) -> int:
        return len(self._views[0])

    def batches(self, epoch: int, parts: Iterable[Numbers]) -> Iterator[Tensor]:
        """Yield activations (m, ...) as float32."""
        for part in parts:
            views = [number_of(self._seed, epoch, int(photo), "view") % len(self._views) for photo in part]
            rows = [self._views[view][photo] for view, photo in zip(views, part, strict=True)]
            yield torch.from_numpy(np.stack(rows).astype(np.float32))


def fill(
    trunk: Trunk,
    samples: Samples,
    views: int,
    file_of: Callable[[int], Path],
    made_of: Mapping[str, Any],
    progress: Progress,
    label: str,
) -> list[Path]:
    """Compute the activations of `views` views of all samples that are not there yet; return their files.

    A file holds the float16 rows of one view, in order; a run that was stopped goes on behind its last whole row, unless it was
    made of anything else. Raises DiskFullError before anything is written where there is no room.
    """
    files = [file_of(view) for view in range(views)]
    folder = files[0].parent
    _begin(folder, made_of)
    row_bytes = trunk.size_bytes
    there = [file.stat().st_size // row_bytes if file.exists() else 0 for file in files]
    missing = views * len(samples) - sum(there)
    if not missing:
        return files
    _refuse_without_room(folder, missing * row_bytes)
    run = trunk.session()
    with progress.task(label, views * len(samples)) as advance:
        advance(sum(there))
        for view, (file, done) in enumerate(zip(files, there, strict=True)):
            with room_for(file, missing * row_bytes), file.open("ab") as out:
                out.truncate(done * row_bytes)
                rows = np.arange(done, len(samples))
                parts = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
                for activations in map_ordered(run, samples.batches(view, parts), available_cores()):
                    out.write(activations.tobytes())
                    advance(len(activations))
                out.flush()
                os.fsync(out.fileno())
    return files


def _begin(folder: Path, made_of: Mapping[str, Any]) -> None:
    """Make the folder, and empty it where it holds activations that were made of anything else."""
    told, description = json.loads(json.dumps(made_of)), folder / "cache.json"
    if description.exists() and json.loads(description.read_bytes()) != told:
        for file in folder.iterdir():
            file.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    if not description.exists():
        for file in folder.iterdir():
            file.unlink()
        write_json(description, told)


def _refuse_without_room(folder: Path, size_bytes: int) -> None:
    import shutil

    if shutil.disk_usage(folder).free < _SPARE * size_bytes:
        error: DiskFullError = disk_full(folder, int(_SPARE * size_bytes))
        raise error
