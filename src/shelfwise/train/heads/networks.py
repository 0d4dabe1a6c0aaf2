"""Networks that learn in mini-batches: by torch, or by scikit-learn where that will do."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import MissingExtraError, OptionError

Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True, kw_only=True)
class Descent:
    """How a network learns.

    layers: widths of the hidden layers, none for a linear head; dropout: share of the last hidden layer; learning_rate:
    absent, that of the optimizer; decay: the weight decay of AdamW; batch: rows a step.
    Source: Zeiler, ADADELTA (2012), rho 0.95; Loshchilov and Hutter, Decoupled Weight Decay Regularization (2019).
    """

    layers: tuple[int, ...] = ()
    dropout: float = 0.0
    optimizer: Literal["adamw", "adadelta"] = "adamw"
    learning_rate: float | None = None
    epochs: int = 100
    decay: float = 0.01
    batch: int = 128
    seed: int = 0

    @property
    def rate(self) -> float:
        """The learning rate, or what the optimizer starts from without one."""
        return self.learning_rate or (1e-4 if self.optimizer == "adamw" else 1.0)


class Network(Protocol):
    """Weights that learn."""

    def learn(self, x: NDArray[np.float32], column: NDArray[np.int32]) -> float:
        """Go once through rows, in mini-batches; return the mean loss on the way, in nats."""
        ...

    def layers(self) -> Layers:
        """Return a copy of the weights and biases, (in, out) and (out,) for every layer."""
        ...


class TorchNetwork:
    """Linear layers with ReLU between them and dropout before the last, by torch.

    The same rows, settings and seed give the same bits on the same machine. Raises MissingExtraError without torch.
    Source: He et al., Delving Deep into Rectifiers (2015), the weights to start from.
    """

    def __init__(self, widths: Sequence[int], how: Descent) -> None:
        self._torch = torch = imported_torch()
        self._how, self._chance = how, torch.Generator().manual_seed(how.seed)
        self._layers = [
            self._layer(d, h, last=place == len(widths) - 2) for place, (d, h) in enumerate(pairwise(widths))
        ]
        kinds = {
            "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=how.rate, weight_decay=how.decay),
            "adadelta": lambda parameters: torch.optim.Adadelta(parameters, lr=how.rate, rho=0.95),
        }
        self._optimizer = kinds[how.optimizer]([tensor for layer in self._layers for tensor in layer])

    def _layer(self, d: int, h: int, last: bool) -> tuple[Any, Any]:
        spread = (1.0 if last else 2.0) ** 0.5 / d**0.5
        weight = self._torch.randn(d, h, generator=self._chance) * spread
        return weight.requires_grad_(), self._torch.zeros(h).requires_grad_()

    def learn(self, x: NDArray[np.float32], column: NDArray[np.int32]) -> float:
        """Go once through rows, in mini-batches; return the mean loss on the way, in nats."""
        torch, total = self._torch, 0.0
        rows, truth = torch.from_numpy(x), torch.from_numpy(column.astype(np.int64))
        for start in range(0, len(x), self._how.batch):
            batch = slice(start, start + self._how.batch)
            loss = torch.nn.functional.cross_entropy(self._scores(rows[batch]), truth[batch])
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            total += float(loss.detach()) * len(rows[batch])
        return total / len(x)

    def _scores(self, z: Any) -> Any:
        *hidden, (last, last_bias) = self._layers
        for weight, bias in hidden:
            z = self._torch.relu(z @ weight + bias)
        if hidden and self._how.dropout:
            kept = self._torch.rand(z.shape, generator=self._chance) >= self._how.dropout
            z = z * kept / (1 - self._how.dropout)
        return z @ last + last_bias

    def layers(self) -> Layers:
        """Return a copy of the weights and biases, (in, out) and (out,) for every layer."""
        return [(weight.detach().numpy().copy(), bias.detach().numpy().copy()) for weight, bias in self._layers]


class ScikitNetwork:
    """The same without dropout, learned by scikit-learn's Adam. categories: two at least."""

    def __init__(self, widths: Sequence[int], how: Descent) -> None:
        from sklearn.neural_network import MLPClassifier

        self._categories, self._how = widths[-1], how
        self._model = MLPClassifier(
            how.layers,
            solver="adam",
            alpha=how.decay,
            learning_rate_init=how.rate,
            random_state=how.seed,
            shuffle=False,
        )

    def learn(self, x: NDArray[np.float32], column: NDArray[np.int32]) -> float:
        """Go once through rows, in mini-batches; return the mean loss on the way, in nats."""
        self._model.batch_size = min(self._how.batch, len(x))
        try:
            self._model.partial_fit(x, column, classes=np.arange(self._categories))
        except ValueError as error:
            if "non-finite" in str(error):
                return float("nan")
            raise
        return float(self._model.loss_)

    def layers(self) -> Layers:
        """Return a copy of the weights and biases, (in, out) and (out,) for every layer."""
        pairs = zip(self._model.coefs_, self._model.intercepts_, strict=True)
        layers = [(np.array(weight, np.float32), np.array(bias, np.float32)) for weight, bias in pairs]
        if self._categories == 2:  # scikit-learn gives the second category's score alone, over the first's
            weight, bias = layers[-1]
            layers[-1] = np.hstack([np.zeros_like(weight), weight]), np.hstack([np.zeros_like(bias), bias])
        return layers


_SMALL = 10**10
"""Rows times weights up to which scikit-learn learns: seconds an epoch on two cores."""


def network(widths: Sequence[int], rows: int, how: Descent) -> Network:
    """Make a network for widths d, hidden ..., c: by scikit-learn where it is small and has neither dropout nor Adadelta."""
    work = rows * sum(d * h for d, h in pairwise(widths))
    scikit = how.layers and not how.dropout and how.optimizer == "adamw" and work <= _SMALL and widths[-1] > 1
    return ScikitNetwork(widths, how) if scikit else TorchNetwork(widths, how)


def imported_torch() -> Any:
    """Import torch; raises MissingExtraError where it is not installed."""
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise MissingExtraError("torch (a small mlp with --dropout 0 does without)", "torch") from None


def refuse_no_number(loss: float, epoch: int, how: Descent) -> None:
    """Raise OptionError for a loss that is infinite or no number."""
    if not np.isfinite(loss):
        raise OptionError(
            f"the loss is {loss} in epoch {epoch} at learning rate {how.rate:g}: give a lower --learning-rate"
        )
