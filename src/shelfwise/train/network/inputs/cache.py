"""Activations in front of the first trained stage, computed once by ONNX Runtime, kept in files as float16."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shelfwise.engines.local import available_cores, map_ordered
from shelfwise.errors import LossError
from shelfwise.files import disk_full, room_for
from shelfwise.networks.export import to_onnx
from shelfwise.progress import Progress
from shelfwise.train.network.inputs.augment import number_of
from shelfwise.train.network.inputs.photos import Numbers
from shelfwise.train.network.inputs.samples import Samples

_BATCH = 8
_SPARE = 1.2
"""Share of the needed room that must be free. Source: docs/reliability.md, T6."""

NamePhotos = Callable[[Numbers], list[str]]


@dataclass(frozen=True)
class Trunk:
    """The frozen part of a network: `graph` gives it as ONNX once it is needed; shape: of what it gives for one photo."""

    graph: Callable[[], bytes]
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """What one view of one photo takes."""
        return 2 * int(np.prod(self.shape))

    def load(self) -> Callable[[Tensor], NDArray[np.float32]]:
        """Load the graph; what it returns takes normalized photos (m, 3, side, side), from several threads at once."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = ort.InferenceSession(self.graph(), options, providers=["CPUExecutionProvider"])

        def run(photos: Tensor) -> NDArray[np.float32]:
            (activations,) = session.run(None, {"photos": photos.numpy()})
            return np.asarray(activations)

        return run


def trunk_of(front: nn.Module, side_px: int, progress: Progress) -> Trunk:
    """Describe the frozen part of a network as it stands in front of the others, for photos of a side."""

    @cache
    def graph() -> bytes:
        with progress.task("write the frozen part as ONNX", 1) as advance:
            exported = to_onnx(front, side_px, "activations")
            advance(1)
        return exported

    with torch.no_grad():
        return Trunk(graph, tuple(front(torch.zeros(1, 3, side_px, side_px)).shape[1:]))


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


def cache_of(folder: Path, made_of: Mapping[str, Any]) -> Path:
    """Name the folder of the activations that were made of `made_of` (JSON values): others lie beside it."""
    told = json.dumps(made_of, sort_keys=True)
    return folder / hashlib.sha256(told.encode()).hexdigest()[:16]


def digest_of(network: nn.Module) -> str:
    """Return what makes a network this one: its modules and their weights."""
    told = hashlib.sha256(repr(network).encode())
    for name, value in network.state_dict().items():
        told.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return told.hexdigest()


def remove_others(folder: Path, kept: set[Path]) -> None:
    """Remove the activations in a folder but for those that are still used."""
    for other in folder.iterdir() if folder.exists() else ():
        if other not in kept:
            shutil.rmtree(other)


def view_files(folder: Path, views: int) -> list[Path]:
    """Name the files of the views."""
    return [folder / f"view-{view}.f16" for view in range(views)]


def fill(
    trunk: Trunk, samples: Samples, name: NamePhotos, folder: Path, views: int, progress: Progress, label: str
) -> None:
    """Compute the activations of `views` views of all samples that are not there yet.

    A file holds the float16 rows of one view, in order; a run that was stopped goes on behind its last whole batch, and a
    second one waits for the first. Raises DiskFullError before anything is written where there is no room, LossError for
    activations that are no finite float16 numbers.
    """
    with _one_at_a_time(folder):
        files, rows = view_files(folder, views), len(samples)
        there = [_rows_there(file, trunk.row_bytes, rows) for file in files]
        missing = views * rows - sum(there)
        if not missing:
            return
        _refuse_without_room(folder, missing * trunk.row_bytes)
        compute = trunk.load()
        with progress.task(label, views * rows) as advance:
            advance(sum(there))
            for view, (file, done) in enumerate(zip(files, there, strict=True)):
                with room_for(file, missing * trunk.row_bytes):
                    _fill_view(file, done * trunk.row_bytes, _activations(compute, samples, name, view, done), advance)


def _activations(
    compute: Callable[[Tensor], NDArray[np.float32]], samples: Samples, name: NamePhotos, view: int, done: int
) -> Iterator[NDArray[np.float16]]:
    """Yield the rows of a view from `done` on, the same batches as if it had not been stopped there."""
    rows = np.arange(done, len(samples))
    parts = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    computed = map_ordered(compute, samples.batches(view, parts), available_cores())
    for part, activations in zip(parts, computed, strict=True):
        with np.errstate(over="ignore"):
            halves = activations.astype(np.float16)
        if not np.isfinite(halves).all():
            raise _not_finite(activations, name(part))
        yield halves


def _fill_view(
    file: Path, size_bytes: int, activations: Iterator[NDArray[np.float16]], advance: Callable[[int], None]
) -> None:
    with file.open("ab") as out:
        out.truncate(size_bytes)
        for rows in activations:
            out.write(rows.tobytes())
            advance(len(rows))
        out.flush()
        os.fsync(out.fileno())


def _not_finite(activations: NDArray[np.float32], names: list[str]) -> LossError:
    whole = activations[np.isfinite(activations)]
    is_too_large = len(whole) == activations.size
    why = (
        f"reach {np.abs(whole).max():.3g}, beyond the 65,504 that float16 holds: train without --finetune, or cut elsewhere, "
        "with --tune"
        if is_too_large
        else "are no numbers any more: the weights that it starts from are damaged, choose others with --start"
    )
    return LossError(f"activation_not_finite: the activations of {', '.join(names)} {why}")


def _rows_there(file: Path, row_bytes: int, rows: int) -> int:
    """Count the rows that need not be computed: all, or those of whole batches, so that the next ones come out the same."""
    found = file.stat().st_size // row_bytes if file.exists() else 0
    return rows if found >= rows else found - found % _BATCH


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a cache for writing; waits while another process does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _refuse_without_room(folder: Path, size_bytes: int) -> None:
    if shutil.disk_usage(folder).free < _SPARE * size_bytes:
        raise disk_full(folder, int(_SPARE * size_bytes))
