"""States of a run that it goes on from, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from shelfwise.errors import OptionError
from shelfwise.files import remove_leftovers, write_bytes

_KEPT = 2
_STATE = "state"


@dataclass(frozen=True)
class Checkpoint:
    """A state: tensors by name, and JSON values."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run in a folder: the last two, each a safetensors file whose name ends in its sha256.

    made_of: what must not differ between the run that stopped and the one that goes on.
    """

    def __init__(self, folder: Path, made_of: Mapping[str, Any]) -> None:
        self.folder, self._made_of = folder, json.loads(json.dumps(made_of))
        self.notes: list[str] = []

    def save(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any], step: int) -> None:
        """Write a state; raises ValueError for a number that is not finite, and writes nothing then."""
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise ValueError(f"{name} holds a number that is not finite")
        contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        told = json.dumps({"made_of": self._made_of, "values": dict(values)})
        data = safetensors.torch.save(contiguous, {_STATE: told})
        digest = hashlib.sha256(data).hexdigest()[:16]
        write_bytes(self.folder / f"{step:012}-{digest}.safetensors", data)
        for old in self._files()[_KEPT:]:
            old.unlink()

    def last(self) -> Checkpoint | None:
        """Return the last state that is whole; None where there is none.

        One that is damaged is told of in `notes`. Raises OptionError when the run that stopped learned otherwise.
        """
        remove_leftovers(self.folder / "x")
        for file in self._files():
            data = file.read_bytes()
            if hashlib.sha256(data).hexdigest()[:16] != file.stem.partition("-")[2]:
                self.notes.append(f"{file} is damaged: going on from the one before")
                continue
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            state = json.loads(header["__metadata__"][_STATE])
            self._refuse_other(state["made_of"])
            return Checkpoint(safetensors.torch.load(data), state["values"])
        return None

    def _refuse_other(self, made_of: dict[str, Any]) -> None:
        differing = sorted(k for k in {*made_of, *self._made_of} if made_of.get(k) != self._made_of.get(k))
        if differing:
            told = ", ".join(f"{k} {made_of.get(k)!r} is now {self._made_of.get(k)!r}" for k in differing[:4])
            raise OptionError(
                f"{self.folder} holds a run that learned otherwise ({told}): give the same options to go on, or remove the folder"
            )

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"), reverse=True)
