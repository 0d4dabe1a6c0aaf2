"""The training loop: steps, epochs, held-out products after each, checkpoints, the best weights kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from shelfwise.errors import LossError
from shelfwise.progress import Progress
from shelfwise.train.network.augment import number_of
from shelfwise.train.network.checkpoints import Checkpoint, Checkpoints
from shelfwise.train.network.held_out import HeldOut
from shelfwise.train.network.losses import Loss
from shelfwise.train.network.mixing import mixed
from shelfwise.train.network.optimizers import grouped_parameters, new_optimizer
from shelfwise.train.network.order import order_of
from shelfwise.train.network.samples import Samples
from shelfwise.train.network.schedules import factor
from shelfwise.train.network.settings import Settings
from shelfwise.train.network.trained_part import TrainedPart, set_trained

Log = Callable[[dict[str, Any]], None]
NameSamples = Callable[[NDArray[np.int64]], list[str]]


@dataclass
class State:
    """Where a run is: epoch from 0, step within it, steps in all, the curve so far, and which epoch was the best."""

    epoch: int = 0
    step: int = 0
    steps: int = 0
    loss_sum: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    best: int = -1
    seconds: float = 0.0


@dataclass(frozen=True)
class Material:
    """What a run learns from: samples of an epoch, the column (n,) of each, held-out products, and names for messages."""

    samples: Samples
    column: NDArray[np.int32]
    held: HeldOut
    name: NameSamples


class Loop:
    """Trains a network; stopped at any moment, it goes on from the last checkpoint to the same bits.

    Order, changes of photos and dropout are drawn from the seed, the epoch and the step, never from what came before.
    """

    def __init__(
        self, network: nn.Module, part: TrainedPart, settings: Settings, material: Material, loss: Loss,
        checkpoints: Checkpoints, accelerator: Accelerator, log: Log, checkpoint_s: float,
    ) -> None:  # fmt: skip
        self._network, self._part, self._settings, self._material = network, part, settings, material
        self._loss, self._checkpoints, self._accelerator, self._log = loss, checkpoints, accelerator, log
        self._checkpoint_s = checkpoint_s
        self._optimizer = new_optimizer(grouped_parameters(network, part, settings), settings)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        self._state = State()
        self._best: dict[str, Tensor] = {}
        self._average: dict[str, Tensor] = {}
        self._wrapped: nn.Module = network

    def run(self, progress: Progress) -> State:
        """Train to the end, and leave the best weights in the network."""
        found = self._checkpoints.last()
        if found is not None:
            self._restore(found)
        elif self._settings.ema:
            self._average = _copied(self._network)
        while self._state.epoch < self._settings.epochs and not self._gains_nothing():
            self._train_epoch(progress)
        self._network.load_state_dict(self._best)
        return self._state

    def _train_epoch(self, progress: Progress) -> None:
        state, settings = self._state, self._settings
        self._set_trained()
        parts = self._parts(state.epoch)
        saved, started = time.monotonic(), time.monotonic()
        with progress.task(self._told(), len(parts) * settings.batch) as advance:
            advance(state.step * settings.batch)
            own = [self._own_share(part) for part in parts[state.step :]]
            for part, inputs in zip(own, self._material.samples.batches(state.epoch, own), strict=True):
                self._train_step(part, inputs, len(parts))
                state.step, state.steps = state.step + 1, state.steps + 1
                advance(settings.batch)
                if time.monotonic() - saved > self._checkpoint_s and state.step < len(parts):
                    state.seconds, started = state.seconds + time.monotonic() - started, time.monotonic()
                    self._save()
                    saved = time.monotonic()
        loss, accuracy = self._judged()
        state.seconds += time.monotonic() - started
        row = {
            "epoch": state.epoch + 1, "loss": state.loss_sum / len(parts), "held_loss": loss, "held_accuracy": accuracy,
            "rate": self._rates[0] * self._factor(state.epoch + 1.0), "side_px": settings.sides_px[0],
            "seconds": round(state.seconds, 1),
        }  # fmt: skip
        state.curve.append(row)
        self._log(row)
        if state.best < 0 or self._is_better(row, state.curve[state.best]):
            state.best, self._best = len(state.curve) - 1, _copied(self._answering())
        state.epoch, state.step, state.loss_sum = state.epoch + 1, 0, 0.0
        self._save()

    def _train_step(self, part: NDArray[np.int64], inputs: Tensor, steps: int) -> None:
        state, settings, device = self._state, self._settings, self._accelerator.device
        torch.manual_seed(number_of(settings.seed, state.epoch, state.step, self._accelerator.process_index))
        rate = self._factor(state.epoch + state.step / steps)
        for group, asked in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = asked * rate
        target = self._loss.target(torch.from_numpy(self._material.column[part]))
        inputs, target = mixed(inputs, target, settings, (state.epoch, state.step, self._accelerator.process_index))
        with self._accelerator.autocast():
            scores = self._wrapped(inputs.to(device))
        loss = self._loss(scores.float(), target.to(device))
        self._refuse_not_finite(loss, "the loss", part)
        self._accelerator.backward(loss)
        learning = [p for p in self._network.parameters() if p.grad is not None]
        norm = nn.utils.clip_grad_norm_(learning, settings.clip_norm or float("inf"))
        self._refuse_not_finite(norm, "the gradient", part)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        state.loss_sum += float(self._accelerator.reduce(loss.detach(), "mean"))
        self._average_weights()

    def _average_weights(self) -> None:
        decay, steps = self._settings.ema, self._state.steps
        if decay:
            decay = min(decay, (1 + steps) / (10 + steps))  # early weights are soon forgotten
            for name, value in self._network.state_dict().items():
                if value.is_floating_point():
                    self._average[name].lerp_(value, 1 - decay)
                else:
                    self._average[name].copy_(value)

    def _refuse_not_finite(self, value: Tensor, what: str, part: NDArray[np.int64]) -> None:
        if not bool(torch.isfinite(value)):
            names = self._material.name(part)
            raise LossError(
                f"loss_not_finite: {what} is {float(value)} in epoch {self._state.epoch + 1}, step {self._state.step + 1}, of "
                f"the photos {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}; the last checkpoint is whole. Lower "
                "--learning-rate, or set --clip-norm 1, or look at these photos"
            )

    def _judged(self) -> tuple[float, float]:
        """Return log-loss and accuracy of the held-out products, answered by the weights that would be kept now."""
        if not self._average:
            return self._material.held.judge(self._network)
        learned = _copied(self._network)
        self._network.load_state_dict(self._average)
        judged = self._material.held.judge(self._network)
        self._network.load_state_dict(learned)
        return judged

    def _answering(self) -> dict[str, Tensor]:
        return self._average or self._network.state_dict()

    def _is_better(self, row: dict[str, float], best: dict[str, float]) -> bool:
        return (row["held_accuracy"], -row["held_loss"]) > (best["held_accuracy"], -best["held_loss"])

    def _gains_nothing(self) -> bool:
        patience = self._settings.early_stopping
        return bool(patience) and self._state.best >= 0 and len(self._state.curve) - 1 - self._state.best >= patience

    def _factor(self, done: float) -> float:
        return factor(self._settings, done, [row["held_loss"] for row in self._state.curve])

    def _parts(self, epoch: int) -> list[NDArray[np.int64]]:
        order = order_of(self._material.column, epoch, self._settings)
        return [order[start : start + self._settings.batch] for start in range(0, len(order), self._settings.batch)]

    def _own_share(self, part: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what this process computes of a step: every process as many, so that their mean is the mean of all."""
        processes = self._accelerator.num_processes
        return part[self._accelerator.process_index :: processes] if processes > 1 else part

    def _set_trained(self) -> None:
        """Freeze what does not learn in this epoch, and wrap the network anew where several processes learn."""
        frozen = _frozen_stages(self._part, self._settings.gradual, self._state.epoch)
        set_trained(self._network, self._part, frozen, self._settings.freezes_batch_norm)
        self._wrapped = (
            self._accelerator.prepare_model(self._network) if self._accelerator.num_processes > 1 else self._network
        )

    def _told(self) -> str:
        last = f", held-out {self._state.curve[-1]['held_accuracy']:.1%}" if self._state.curve else ""
        return f"epoch {self._state.epoch + 1} of {self._settings.epochs}{last}"

    def _save(self) -> None:
        if not self._accelerator.is_main_process:
            return
        optimizer, numbers = _flat(self._optimizer.state_dict()["state"])
        tensors = {
            **{f"network.{k}": v for k, v in self._network.state_dict().items()},
            **{f"best.{k}": v for k, v in self._best.items()},
            **{f"average.{k}": v for k, v in self._average.items()},
            **{f"optimizer.{k}": v for k, v in optimizer.items()},
        }
        try:
            self._checkpoints.save(tensors, asdict(self._state) | {"optimizer": numbers}, self._state.steps)
        except ValueError as error:
            raise LossError(f"loss_not_finite: {error}; the last checkpoint is whole. Lower --learning-rate") from error

    def _restore(self, found: Checkpoint) -> None:
        def under(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in found.tensors.items() if k.startswith(prefix)}

        self._network.load_state_dict(under("network."))
        self._best, self._average = under("best."), under("average.")
        values = dict(found.values)
        state = _nested(under("optimizer."), values.pop("optimizer"))
        self._optimizer.load_state_dict(self._optimizer.state_dict() | {"state": state})
        self._state = State(**values)


def _frozen_stages(part: TrainedPart, gradual: int, epoch: int) -> int:
    """Return how many stages do not learn yet: all but the head at first, one less every `gradual` epochs."""
    return max(0, len(part.stages) - 1 - epoch // gradual) if gradual else 0


def _copied(state: nn.Module | dict[str, Tensor]) -> dict[str, Tensor]:
    values = state.state_dict() if isinstance(state, nn.Module) else state
    return {name: value.detach().clone() for name, value in values.items()}


def _flat(state: dict[int, dict[str, Any]]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Divide an optimizer's state into tensors and other values, by `parameter.name`."""
    named = {f"{parameter}.{name}": value for parameter, values in state.items() for name, value in values.items()}
    tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    return tensors, {name: value for name, value in named.items() if name not in tensors}


def _nested(tensors: dict[str, Tensor], numbers: dict[str, Any]) -> dict[int, dict[str, Any]]:
    state: dict[int, dict[str, Any]] = {}
    for name, value in (tensors | numbers).items():
        parameter, _, key = name.partition(".")
        state.setdefault(int(parameter), {})[key] = value
    return state
