"""The processes that train one network together, started by torchrun or accelerate; one alone is the usual case."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.utils import broadcast_object_list
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

Value = TypeVar("Value")

_PATIENCE = timedelta(days=7)
"""The others wait so long for the main process, which computes activations and answers held-out products alone."""


def new_accelerator() -> Accelerator:
    """Join the processes that were started together, on the best device that is there."""
    waiting = InitProcessGroupKwargs(timeout=_PATIENCE)
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), kwargs_handlers=[waiting])
    if accelerator.num_processes > 1:
        atexit.unregister(_leave)
        atexit.register(_leave)
    return accelerator


def _leave() -> None:
    """Leave the others in order: a process that did not was seen to abort at its end, presumably in a thread that waited."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


class Processes:
    """What a process computes of a step, and how the processes come to the same sums."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self.count, self.place = int(accelerator.num_processes), int(accelerator.process_index)

    def share(self, part: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
        """Return what this process computes of a step, and the weight by which its mean enters the mean of all.

        Where there are fewer samples than processes, one that is left over computes the first sample at weight 0.
        """
        own = part[self.place :: self.count]
        return (own, len(own) / len(part)) if len(own) else (part[:1], 0.0)

    def wrapped(self, network: nn.Module) -> nn.Module:
        """Return the network as what averages its gradients over the processes."""
        if self.count == 1:
            return network
        device = self._accelerator.device
        return nn.parallel.DistributedDataParallel(network, [device] if device.type == "cuda" else None)

    def total(self, values: Tensor) -> Tensor:
        """Sum values (k,) over the processes."""
        summed: Tensor = self._accelerator.reduce(values, "sum") if self.count > 1 else values
        return summed

    def from_main(self, compute: Callable[[], Value]) -> Value:
        """Compute a value in the main process alone and give it to all; the others wait."""
        if self.count == 1:
            return compute()
        value = [compute() if self.place == 0 else None]
        broadcast_object_list(value)
        return value[0]  # type: ignore[return-value]
