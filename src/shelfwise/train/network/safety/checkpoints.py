"""States of a run that it goes on from, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from shelfwise.errors import CatalogError, OptionError
from shelfwise.files import write_bytes
from shelfwise.train.network.safety.differences import differing_options

_KEPT = 2
_STATE = "state"


@dataclass(frozen=True)
class Origin:
    """What a run is made of.

    settings: what must not differ between the run that stopped and the one that goes on; categories: their ids, in the order
    of the scores; photos: (n,) uint64, a digest of each photo with its product and category, in order; machine: what the last
    bits depend on, nothing else.
    """

    settings: Mapping[str, Any]
    categories: tuple[str, ...]
    photos: NDArray[np.uint64]
    machine: Mapping[str, Any]

    @property
    def photos_file(self) -> str:
        """Name the file that holds the digests of the photos."""
        return f"photos-{hashlib.sha256(self.photos.tobytes()).hexdigest()[:16]}.u64"

    def described(self) -> dict[str, Any]:
        """Return what a checkpoint says of it, as JSON values."""
        categories = hashlib.sha256("\0".join(self.categories).encode()).hexdigest()
        told = {"settings": self.settings, "categories": categories, "photos": self.photos_file}
        return dict(json.loads(json.dumps(told | {"machine": self.machine})))


@dataclass(frozen=True)
class Checkpoint:
    """A state: tensors by name, and JSON values. photos_changed: the photos are no longer those that it learned from."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]
    photos_changed: bool


class Checkpoints:
    """The checkpoints of one run in a folder: the last two, each a safetensors file whose name ends in its sha256.

    notes: what was found there that whoever goes on should know.
    """

    def __init__(self, folder: Path, origin: Origin, accept_changes: bool = False) -> None:
        self.folder, self._origin, self._accept_changes = folder, origin, accept_changes
        self.notes: list[str] = []

    def save(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any], step: int) -> None:
        """Write a state; raises ValueError for a number that is not finite, and writes nothing then."""
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise ValueError(f"{name} holds a number that is not finite")
        photos = self.folder / self._origin.photos_file
        if not photos.exists():
            write_bytes(photos, self._origin.photos.tobytes())
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        told = json.dumps({"origin": self._origin.described(), "values": dict(values)}, allow_nan=False)
        data = safetensors.torch.save(contiguous, {_STATE: told})
        write_bytes(self.folder / f"{step:012}-{_digest(data)}.safetensors", data)
        for old in self._files()[_KEPT:]:
            old.unlink()

    def last(self) -> Checkpoint | None:
        """Return the last state that is whole; None where none was ever written.

        One that is damaged is told of in `notes`. Raises OptionError where the run that stopped learned otherwise, or nothing is
        whole, and CatalogError where its photos changed and that was not accepted.
        """
        files = self._files()
        for place, file in enumerate(files):
            data = file.read_bytes()
            if _digest(data) == file.stem.partition("-")[2]:
                for damaged in files[:place]:
                    self.notes.append(f"the checkpoint {damaged} is damaged: going on from the one before")
                return self._checked(data)
        if files:
            raise OptionError(
                f"every checkpoint in {self.folder} is damaged: remove that folder to learn from the beginning"
            )
        return None

    def tidy(self) -> None:
        """Remove what a killed or damaged save left; only for the process that writes."""
        for leftover in self.folder.glob(".*.part"):
            leftover.unlink()
        for file in self._files():
            if _digest(file.read_bytes()) != file.stem.partition("-")[2]:
                file.unlink()

    def _checked(self, data: bytes) -> Checkpoint:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        state = json.loads(header["__metadata__"][_STATE])
        before, now = state["origin"], self._origin.described()
        self._refuse_other(before, now)
        changed = before["photos"] != now["photos"]
        if changed:
            self._refuse_changed(before["photos"])
        if before["machine"] != now["machine"]:
            there, here = before["machine"], now["machine"]
            told = ", ".join(f"{key} {there[key]} is now {here[key]}" for key in here if there[key] != here[key])
            self.notes.append(f"the run began elsewhere ({told}): it goes on, but not to the same last bits")
        return Checkpoint(safetensors.torch.load(data), state["values"], changed)

    def _refuse_other(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        differing = differing_options(before["settings"], now["settings"])
        if before["categories"] != now["categories"]:
            differing.append("the categories, or their order, are others")
        if differing:
            raise OptionError(
                f"{self.folder} holds a run that learned otherwise ({'; '.join(differing[:4])}): give the same options to go "
                f"on, or remove {self.folder.parent} to learn from the beginning"
            )

    def _refuse_changed(self, photos_before: str) -> None:
        file = self.folder / photos_before
        before = np.fromfile(file, np.uint64) if file.exists() else np.zeros(0, np.uint64)
        added = len(np.setdiff1d(self._origin.photos, before))
        removed = len(np.setdiff1d(before, self._origin.photos))
        told = f"+{added:,}, -{removed:,} photos" if added or removed else "the same photos in another order"
        if not self._accept_changes:
            raise CatalogError(
                f"dataset_changed: the catalog is not what the run in {self.folder.parent} learned from ({told}): "
                "--accept-changes goes on with what is there now, or remove that folder to learn from the beginning"
            )
        self.notes.append(f"the catalog changed since the run began ({told}), which was accepted")

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"), reverse=True)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
