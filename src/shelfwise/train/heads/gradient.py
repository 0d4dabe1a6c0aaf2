"""Heads learned by gradient: in shuffled chunks, with early stopping, the best epoch kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shelfwise.classifiers.heads import Linear, Scorer
from shelfwise.classifiers.mlp import Mlp
from shelfwise.statistics.calibration import fit_temperature, log_loss
from shelfwise.train.heads.folds import FOLDS, fold_of, held_out_by_folds, learned_elsewhere, temperature_of_folds
from shelfwise.train.heads.networks import Descent, Layers, Network, network, refuse_no_number
from shelfwise.train.learned import LearnedHead
from shelfwise.train.rows import Numbers, TrainingRows

_RUN, _RUNS = 256, 64
"""Rows that are read in their order, and how many such runs, from anywhere, are shuffled into one chunk."""
_PATIENCE = 4
"""Epochs without a better one after which learning stops. Source: docs/experiments.md, entry on heads by gradient."""
_JUDGED = 8192
"""Held-out rows that an epoch is judged by, at most."""
_LARGE = 10**13
"""Rows times weights from which rows are held out by halves instead of fifths: hours a fit on two cores."""


class Rows(Protocol):
    """Where rows of length d come from: memory, or a catalog that is read as they are asked for."""

    d: int

    def read(self, rows: Numbers, /) -> NDArray[np.float32]:
        """Return some rows, (k, d)."""
        ...


class InMemory:
    """Rows that lie in memory, x (n, d)."""

    def __init__(self, x: NDArray[np.float32]) -> None:
        self._x, self.d = x, x.shape[1]

    def read(self, rows: Numbers, /) -> NDArray[np.float32]:
        """Return some rows, (k, d)."""
        return self._x[rows]


@dataclass(frozen=True)
class Descended:
    """The head of the best epoch, its number from 1, and the learning curve: both losses, in nats, of every epoch."""

    head: Scorer
    epoch: int
    curve: list[dict[str, float]]


def descend(
    rows: Rows, column: NDArray[np.int32], categories: int, learn: Numbers, held: Numbers | None, how: Descent
) -> Descended:
    """Learn from the rows `learn` for how.epochs, or until the log-loss of the rows `held` gets no better, where there are any.

    column: (n,) of all rows. Chunks and the rows within each are shuffled for every epoch. Vectors are standardized on the
    way in; the head that comes out takes them as they are. Raises OptionError when the loss is no number any more.
    """
    scale = _Scale.of(rows, learn)
    widths = (rows.d, *how.layers, categories)
    learner, chance = network(widths, len(learn), how), np.random.default_rng(how.seed)
    curve: list[dict[str, float]] = []
    best: Descended | None = None
    for epoch in range(1, how.epochs + 1):
        loss = _epoch(learner, rows, column, learn, scale, chance)
        refuse_no_number(loss, epoch, how)
        curve.append({"epoch": epoch, "loss": loss})
        if held is not None:
            head = _head(learner, scale)
            curve[-1]["held_out"] = _calibrated_loss(head.scores(rows.read(held)), column[held])
            refuse_no_number(curve[-1]["held_out"], epoch, how)
            if best is None or curve[-1]["held_out"] < curve[best.epoch - 1]["held_out"]:
                best = Descended(head, epoch, curve)
            if epoch - best.epoch >= _PATIENCE:
                break
    return best or Descended(_head(learner, scale), how.epochs, curve)


def _calibrated_loss(scores: NDArray[np.floating[Any]], truth: NDArray[np.int32]) -> float:
    """Return the log-loss at the best temperature: the head gets it in the end, so sureness alone is no reason to stop."""
    if not np.isfinite(scores).all():
        return float("nan")
    return log_loss(scores, truth, fit_temperature(scores, truth))


def learn_by_gradient(rows: TrainingRows, how: Descent) -> LearnedHead:
    """Learn a head by gradient.

    A fold of look-alike groups tells how many epochs are best; the head then learns from everything for so many, and so do
    the heads that hold out the other folds.
    """
    folds = _folds(rows, how)
    learn, held = _without_a_fold(rows, folds)
    first = descend(InMemory(rows.x), rows.column, rows.categories, learn, held, how)
    settled = replace(how, epochs=first.epoch)

    def refit(learn: Numbers) -> Scorer:
        return descend(InMemory(rows.x), rows.column, rows.categories, learn, None, settled).head

    def again(other: TrainingRows) -> Scorer:
        return descend(InMemory(other.x), other.column, other.categories, np.arange(len(other)), None, settled).head

    held_out = held_out_by_folds(rows, refit, folds)
    facts = {
        "layers": list(how.layers),
        "dropout": how.dropout,
        "optimizer": how.optimizer,
        "learning_rate": how.rate,
        "epochs": settled.epochs,
        "curve": first.curve,
    }
    temperature = temperature_of_folds(rows, held_out, folds)
    return LearnedHead(again(rows), temperature, facts, f"{folds} folds of groups", held_out, again)


def _folds(rows: TrainingRows, how: Descent) -> int:
    widths = (rows.x.shape[1], *how.layers, rows.categories)
    return FOLDS if len(rows) * sum(d * h for d, h in pairwise(widths)) < _LARGE else 2


def _without_a_fold(rows: TrainingRows, folds: int) -> tuple[Numbers, Numbers | None]:
    """Return rows to learn from, and the rows that tell when to stop; all and none where nothing could tell."""
    fold = fold_of(rows.groups, "leave_look_alikes_out", folds)
    known = learned_elsewhere(rows.column, fold)
    for number in range(folds):
        held = np.flatnonzero(known & (fold == number))
        if len(held):
            return np.flatnonzero(fold != number), np.random.default_rng(0).permutation(held)[:_JUDGED]
    return np.arange(len(rows)), None


def _epoch(
    learner: Network, rows: Rows, column: NDArray[np.int32], learn: Numbers, scale: _Scale, chance: np.random.Generator
) -> float:
    total = 0.0
    for chunk in shuffled_chunks(learn, chance):
        total += learner.learn(scale.apply(rows.read(chunk)), column[chunk]) * len(chunk)
    return total / len(learn)


def shuffled_chunks(rows: Numbers, chance: np.random.Generator) -> Iterator[Numbers]:
    """Yield all rows once: runs of them in any order, so that a catalog sorted by category is mixed, shuffled by the chunk."""
    runs = chance.permutation(-(-len(rows) // _RUN))
    for start in range(0, len(runs), _RUNS):
        chunk = np.concatenate([rows[run * _RUN : (run + 1) * _RUN] for run in runs[start : start + _RUNS]])
        yield chance.permutation(chunk)


@dataclass(frozen=True)
class _Scale:
    """Mean and spread (d,) of the rows learned from; a feature that hardly varies is not blown up."""

    mean: NDArray[np.float32]
    spread: float

    @classmethod
    def of(cls, rows: Rows, learn: Numbers) -> _Scale:
        total, squares = np.zeros(rows.d), np.zeros(rows.d)
        for start in range(0, len(learn), _RUN * _RUNS):
            x = rows.read(learn[start : start + _RUN * _RUNS]).astype(np.float64)
            total, squares = total + x.sum(axis=0), squares + np.square(x).sum(axis=0)
        mean = total / len(learn)
        variance = np.maximum(squares / len(learn) - np.square(mean), 0)
        return cls(mean.astype(np.float32), float(np.sqrt(max(variance.mean(), 1e-12))))

    def apply(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return (x - self.mean) / np.float32(self.spread)

    def into(self, layers: Layers) -> Layers:
        """Return layers that take rows as they are instead of standardized."""
        (weight, bias), *rest = layers
        weight = weight / np.float32(self.spread)
        return [(weight, bias - self.mean @ weight), *rest]


def _head(learner: Network, scale: _Scale) -> Scorer:
    layers = scale.into(learner.layers())
    if len(layers) == 1:
        return Linear(*layers[0])
    return Mlp(tuple(weight for weight, _ in layers), tuple(bias for _, bias in layers))
