"""Which learning rate to take: the loss while the rate grows from far too low until the network comes apart."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shelfwise.errors import LossError
from shelfwise.files import read_sealed_json, write_sealed_json
from shelfwise.progress import Progress
from shelfwise.train.network.descent.losses import Loss
from shelfwise.train.network.descent.optimizers import grouped_parameters, new_optimizer
from shelfwise.train.network.descent.trained_part import TrainedPart, set_trained
from shelfwise.train.network.inputs.augment import number_of
from shelfwise.train.network.inputs.mixing import mixed
from shelfwise.train.network.inputs.order import order_of
from shelfwise.train.network.inputs.samples import Samples
from shelfwise.train.network.settings import Settings

_LEAST, _MOST, _STEPS = 1e-7, 10.0, 100
"""Rates that are tried, and in how many steps. Source: fastai's lr_find."""
_SMOOTHING = 0.9
_APART = 4.0
"""The loss that is so many times the lowest ends the search. Source: fastai's lr_find."""
_NOISE, _STEPS_SEEN = 0.1, 7


@dataclass(frozen=True)
class RateSearch:
    """What a search found: rates (k,) of the body, the smoothed losses (k,) at each, in nats, and the rate to take.

    Where the loss never fell, that is the rate that was asked for.
    """

    rates: list[float]
    losses: list[float]
    rate: float

    def to_dict(self) -> dict[str, Any]:
        """Return the search as JSON values."""
        return asdict(self)


def find_rate(
    network: nn.Module, part: TrainedPart, settings: Settings, samples: Samples, column: NDArray[np.int32], loss: Loss,
    device: torch.device, progress: Progress,
) -> RateSearch:  # fmt: skip
    """Train a copy of a network for at most 100 steps, each with a higher rate than the one before.

    Other groups of weights learn as many times faster or slower than the body as they will.
    Raises LossError where the loss is no number from the start. Source: Smith, Cyclical Learning Rates (2017), section 3.3.
    """
    tried = copy.deepcopy(network).to(device)
    set_trained(tried, part, 0, settings.freezes_batch_norm)
    optimizer = new_optimizer(grouped_parameters(tried, part, replace(settings, rate=1.0)), settings)
    shares = [group["lr"] for group in optimizer.param_groups]
    rates: list[float] = []
    losses: list[float] = []
    mean, lowest = 0.0, inf
    with progress.task("try learning rates", _STEPS) as advance:
        for step, (inputs, target) in enumerate(_steps(samples, column, loss, settings)):
            rate = _LEAST * (_MOST / _LEAST) ** (step / (_STEPS - 1))
            for group, share in zip(optimizer.param_groups, shares, strict=True):
                group["lr"] = rate * share
            torch.manual_seed(number_of(settings.seed, step, "rate"))
            found = loss(tried(inputs.to(device)).float(), target.to(device))
            mean = _SMOOTHING * mean + (1 - _SMOOTHING) * float(found.detach())
            smoothed = mean / (1 - _SMOOTHING ** (step + 1))
            lowest = min(lowest, smoothed)
            if not isfinite(smoothed) or smoothed > _APART * lowest:
                break
            rates.append(rate)
            losses.append(smoothed)
            optimizer.zero_grad()
            found.backward()
            optimizer.step()
            advance(1)
    if not rates:
        raise LossError(
            "loss_not_finite: the loss is no number before anything was learned: look at the photos and --start"
        )
    return RateSearch(rates, losses, steepest(rates, losses) or settings.rate)


def kept_search(file: Path, made_of: Mapping[str, Any], search: Callable[[], RateSearch]) -> RateSearch:
    """Return the search that a stopped run kept in a file; make and keep it where there is none that is whole and of the same."""
    told = json.loads(json.dumps(made_of))
    with suppress(OSError, ValueError):
        kept = read_sealed_json(file)
        if kept["made_of"] == told:
            return RateSearch(**kept["search"])
    found = search()
    write_sealed_json(file, {"made_of": told, "search": found.to_dict()})
    return found


def _steps(
    samples: Samples, column: NDArray[np.int32], loss: Loss, settings: Settings
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield inputs and targets of as many steps as are tried, from the same epochs that the training begins with."""
    left = _STEPS
    for epoch in count():
        order = order_of(column, epoch, settings)
        parts = [order[start : start + settings.batch] for start in range(0, len(order), settings.batch)][:left]
        left -= len(parts)
        for step, (part, inputs) in enumerate(zip(parts, samples.batches(epoch, parts), strict=True)):
            yield mixed(inputs, loss.target(torch.from_numpy(column[part])), settings, (epoch, step, 0))
        if not left:
            return


def steepest(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the rate, of a row that grows by one factor, at which the loss falls fastest; None where it never fell.

    Looked at is the fall from the median of the first third to the lowest of all, without its first tenth, where noise would
    decide. Source: Smith (2017), section 3.3; docs/experiments.md, rates proposed and rates that learned best.
    """
    told = np.array(losses)
    lowest, begun = int(told.argmin()), float(np.median(told[: max(1, len(told) // 3)]))
    fall = begun - told[lowest]
    if fall <= 0 or not lowest:
        return None
    first = max(np.flatnonzero(begun - told[:lowest] < _NOISE * fall).tolist(), default=0)
    slope = np.convolve(np.gradient(told), np.full(_STEPS_SEEN, 1 / _STEPS_SEEN), "same")[: len(told)]
    return rates[first + int(slope[first : lowest + 1].argmin())]
