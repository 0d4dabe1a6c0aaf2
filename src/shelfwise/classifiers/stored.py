"""How classifiers lie in a file: a description as JSON values, and named tensors that are checked when they are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "classifier.safetensors"
Stored = tuple[dict[str, Any], dict[str, "NDArray[np.float32]"]]


def prefixed(prefix: str, tensors: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Name tensors below a prefix."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


@dataclass(frozen=True)
class Tensors:
    """Named tensors that are taken one by one, each with the shape that it must have."""

    tensors: dict[str, NDArray[np.float32]]
    prefix: str = ""
    file: str = FILE
    taken: set[str] = field(default_factory=set)

    def under(self, prefix: str) -> Tensors:
        """Return those below a prefix."""
        return Tensors(self.tensors, f"{self.prefix}{prefix}.", self.file, self.taken)

    def take(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return a tensor; raises BundleError where it is missing, misshapen, or not finite float32."""
        name = self.prefix + name
        tensor = self.tensors.get(name)
        if tensor is None:
            raise BundleError(self.file, f"lacks {name}")
        if tensor.shape != shape:
            raise BundleError(
                self.file, f"{name} has the shape {tensor.shape}, the categories and backbones ask for {shape}"
            )
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            raise BundleError(self.file, f"{name} holds values that are not finite float32 numbers")
        self.taken.add(name)
        return tensor

    def refuse_rest(self) -> None:
        """Raise BundleError for tensors that nobody took."""
        rest = sorted(set(self.tensors) - self.taken)
        if rest:
            raise BundleError(self.file, f"holds {rest[0]}, which belongs to nothing")


def positive(value: object, name: str) -> float:
    """Read a positive finite number; raises BundleError for anything else."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < np.inf:
        raise BundleError("bundle.json", f"the {name} {value!r} is no positive number")
    return float(value)
