"""The training loop: steps, epochs, held-out products after each, checkpoints, the best weights kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from shelfwise.errors import LossError
from shelfwise.progress import Progress
from shelfwise.train.network.descent.average import WeightAverage
from shelfwise.train.network.descent.losses import Loss
from shelfwise.train.network.descent.optimizers import grouped_parameters, new_optimizer
from shelfwise.train.network.descent.schedules import rate_at
from shelfwise.train.network.descent.step_precision import computed
from shelfwise.train.network.descent.trained_part import TrainedPart, frozen_stages, set_trained
from shelfwise.train.network.inputs.augment import number_of
from shelfwise.train.network.inputs.mixing import mixed
from shelfwise.train.network.inputs.order import order_of
from shelfwise.train.network.inputs.resizing import side_of
from shelfwise.train.network.inputs.samples import Samples
from shelfwise.train.network.judging.held_out import Judge
from shelfwise.train.network.run_log import RunLog
from shelfwise.train.network.safety.checkpoints import Checkpoint, Checkpoints
from shelfwise.train.network.safety.determinism import deterministic
from shelfwise.train.network.safety.processes import Processes
from shelfwise.train.network.safety.stopping import StopSignals
from shelfwise.train.network.settings import Settings
from shelfwise.train.network.state import State, copied, flat, nested, prefixed, under

NameSamples = Callable[[NDArray[np.int64]], list[str]]


@dataclass(frozen=True)
class Material:
    """What a run learns from: samples and held-out products of each side in pixels, column (n,) or (n, l), names for messages."""

    samples: Callable[[int], Samples]
    column: NDArray[Any]
    held: Callable[[int], Judge]
    name: NameSamples


class Loop:
    """Trains a network; stopped at any moment, it goes on from the last checkpoint to the same bits.

    Order, changes of photos and dropout are drawn from the seed, the epoch and the step, never from what came before.
    """

    def __init__(
        self, network: nn.Module, part: TrainedPart, settings: Settings, material: Material, loss: Loss,
        checkpoints: Checkpoints, accelerator: Accelerator, log: RunLog, checkpoint_s: float,
        signals: StopSignals,
    ) -> None:  # fmt: skip
        self._network, self._part, self._settings, self._material = network, part, settings, material
        self._loss, self._checkpoints, self._accelerator, self._log = loss, checkpoints, accelerator, log
        self._checkpoint_s, self._processes, self._signals = checkpoint_s, Processes(accelerator), signals
        self._optimizer = new_optimizer(grouped_parameters(network, part, settings), settings)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        self._state = State()
        self._best: dict[str, Tensor] = {}
        self._average = WeightAverage(settings.ema)
        self._wrapped: nn.Module = network

    def run(self, found: Checkpoint | None, progress: Progress) -> State:
        """Train to the end, and leave the best weights in the network; found: where a stopped run is to go on.

        Asked to stop, it writes a checkpoint and raises KeyboardInterrupt.
        """
        if found is not None:
            self._restore(found)
        else:
            self._average.begin(self._network.state_dict())
        self._log.begin(self._state.curve)
        try:
            with deterministic(self._accelerator.device), self._signals.held(self._processes.count > 1):
                while self._state.epoch < self._settings.epochs and not self._gains_nothing():
                    self._train_epoch(progress)
        except KeyboardInterrupt:
            self._save()
            raise
        self._network.load_state_dict(self._best)
        return self._state

    def _train_epoch(self, progress: Progress) -> None:
        state, settings = self._state, self._settings
        self._set_trained()
        parts = self._parts(state.epoch)
        started = time.monotonic()
        photos, epochs_to_come = len(parts) * settings.batch, settings.epochs - state.epoch - 1
        with progress.task(self._told(), photos, photos * epochs_to_come) as advance:
            advance(state.step * settings.batch)
            for _ in self._steps(parts):
                advance(settings.batch)
            loss, accuracy = self._processes.from_main(self._judged)
        state.seconds += time.monotonic() - started
        self._end_epoch(loss, accuracy, len(parts))

    def _steps(self, parts: list[NDArray[np.int64]]) -> Iterator[None]:
        """Take the steps of an epoch that are left, each whole before anything can stop it."""
        state, saved = self._state, time.monotonic()
        own = [self._processes.share(part) for part in parts[state.step :]]
        batches = self._material.samples(self._side_px).batches(state.epoch, [rows for rows, _ in own])
        for (rows, weight), inputs in zip(own, batches, strict=True):
            with self._signals.held():
                is_asked = self._train_step(rows, weight, inputs, len(parts))
                state.step, state.steps = state.step + 1, state.steps + 1
                if is_asked:
                    raise KeyboardInterrupt
                if time.monotonic() - saved > self._checkpoint_s and state.step < len(parts):
                    self._save()
                    saved = time.monotonic()
            yield

    def _end_epoch(self, loss: float, accuracy: float, steps: int) -> None:
        state, settings = self._state, self._settings
        row = {
            "epoch": state.epoch + 1, "loss": state.loss_sum / steps, "held_loss": loss, "held_accuracy": accuracy,
            "rate": self._rate(settings.rate, state.epoch + 1 - 1 / steps), "side_px": self._side_px,
            "seconds": round(state.seconds, 1),
        }  # fmt: skip
        with self._signals.held():
            state.curve.append(row)
            self._log.add(row)
            if state.best < 0 or self._is_better(row, state.curve[state.best]):
                state.best, self._best = len(state.curve) - 1, copied(self._answering())
            state.epoch, state.step, state.loss_sum = state.epoch + 1, 0, 0.0
            self._save()

    def _train_step(self, rows: NDArray[np.int64], weight: float, inputs: Tensor, steps: int) -> bool:
        """Take a step with this process's share of it, and tell whether any process was asked to stop."""
        state, settings, device = self._state, self._settings, self._accelerator.device
        if len(inputs) != len(rows):
            raise RuntimeError(f"{len(inputs)} samples came where {len(rows)} were asked for")
        _draw_anew(settings.seed, state.epoch, state.step, self._processes.place)
        for group, asked in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = self._rate(asked, state.epoch + state.step / steps)
        target = self._loss.target(torch.from_numpy(self._material.column[rows]))
        inputs, target = mixed(inputs, target, settings, (state.epoch, state.step, self._processes.place))
        scores = computed(self._wrapped, inputs.to(device), settings.bf16)
        loss = self._loss(scores, target.to(device)) * weight
        total, stops = self._processes.total(torch.stack([loss.detach(), loss.new_tensor(float(self._signals.asked))]))
        self._refuse_not_finite(total, "the loss", rows)
        self._accelerator.backward(loss * self._processes.count)  # which are averaged
        learning = [p for p in self._network.parameters() if p.grad is not None]
        norm = nn.utils.clip_grad_norm_(learning, settings.clip_norm or float("inf"))
        self._refuse_not_finite(norm, "the gradient", rows)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        state.loss_sum += float(total)
        self._average.add(self._network.state_dict(), state.steps)
        return bool(stops)

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
        learned = copied(self._network) if self._average.values else {}
        try:
            if learned:
                self._network.load_state_dict(self._average.values)
            loss, accuracy = self._material.held(self._side_px).judge(self._network)
        finally:
            if learned:
                self._network.load_state_dict(learned)
        if not isfinite(loss):
            raise LossError(
                f"loss_not_finite: the loss of held-out products is {loss} after epoch {self._state.epoch + 1}; the last "
                "checkpoint is whole. Lower --learning-rate, or set --clip-norm 1"
            )
        return loss, accuracy

    def _answering(self) -> dict[str, Tensor]:
        return self._average.values or self._network.state_dict()

    def _is_better(self, row: dict[str, float], best: dict[str, float]) -> bool:
        """Prefer the larger side, which is the one that is served, then the higher accuracy, and of equal ones the lower loss.

        The loss alone would often stop too early: it grows where a network becomes too sure, which calibration mends later.
        """
        keys = [(each["side_px"], each["held_accuracy"], -each["held_loss"]) for each in (row, best)]
        return keys[0] > keys[1]

    def _gains_nothing(self) -> bool:
        patience, curve = self._settings.early_stopping, self._state.curve
        if not patience or not curve or curve[-1]["side_px"] < self._settings.sides_px[-1]:
            return False
        return len(curve) - 1 - self._state.best >= patience

    @property
    def _side_px(self) -> int:
        return side_of(self._settings.sides_px, self._settings.epochs, self._state.curve)

    def _rate(self, asked: float, done: float) -> float:
        return rate_at(asked, self._settings, done, [row["held_loss"] for row in self._state.curve])

    def _parts(self, epoch: int) -> list[NDArray[np.int64]]:
        """Divide the order of an epoch into steps; the same in every process."""
        order, n = order_of(self._material.column, epoch, self._settings), len(self._material.column)
        if self._settings.sampling == "once" and not np.array_equal(np.sort(order), np.arange(n)):
            raise RuntimeError(f"epoch {epoch + 1} does not show each of {n} samples once")
        return [order[start : start + self._settings.batch] for start in range(0, len(order), self._settings.batch)]

    def _set_trained(self) -> None:
        """Freeze what does not learn in this epoch."""
        frozen = frozen_stages(self._part, self._settings.gradual, self._state.epoch)
        set_trained(self._network, self._part, frozen, self._settings.freezes_batch_norm)
        self._wrapped = self._processes.wrapped(self._network)

    def _told(self) -> str:
        last = f", held-out {self._state.curve[-1]['held_accuracy']:.1%}" if self._state.curve else ""
        return f"epoch {self._state.epoch + 1} of {self._settings.epochs}{last}"

    def _save(self) -> None:
        if not self._accelerator.is_main_process:
            return
        optimizer, numbers = flat(self._optimizer.state_dict()["state"])
        tensors = {
            **prefixed("network", self._network.state_dict()),
            **prefixed("best", self._best),
            **prefixed("average", self._average.values),
            **prefixed("optimizer", optimizer),
        }
        try:
            self._checkpoints.save(tensors, asdict(self._state) | {"optimizer": numbers}, self._state.steps)
        except ValueError as error:
            raise LossError(f"loss_not_finite: {error}; the last checkpoint is whole. Lower --learning-rate") from error

    def _restore(self, found: Checkpoint) -> None:
        tensors, values = found.tensors, dict(found.values)
        self._network.load_state_dict(under("network", tensors))
        self._best, self._average.values = under("best", tensors), under("average", tensors)
        state = nested(under("optimizer", tensors), values.pop("optimizer"))
        self._optimizer.load_state_dict(self._optimizer.state_dict() | {"state": state})
        self._state = State(**values)
        self._state.resumed.append(self._state.steps)
        if found.photos_changed:  # what is left of the epoch cannot be told any more
            self._state.step, self._state.loss_sum = 0, 0.0


def _draw_anew(*place: int) -> None:
    """Make what torch draws at random depend on the place in the run, not on what was drawn before."""
    torch.manual_seed(number_of(*place))
