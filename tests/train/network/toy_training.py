"""A training small enough to be followed by hand: points in a plane, three categories, no photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from shelfwise.networks.find import find_network
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.progress import SILENT
from shelfwise.train.network.descent.losses import loss_of
from shelfwise.train.network.descent.trained_part import trained_part
from shelfwise.train.network.loop import Loop, Material
from shelfwise.train.network.run_log import open_log
from shelfwise.train.network.safety.checkpoints import Checkpoints, Origin
from shelfwise.train.network.safety.processes import new_accelerator
from shelfwise.train.network.safety.stopping import StopSignals
from shelfwise.train.network.settings import Settings, settle
from shelfwise.train.network.state import State

CHANCE = np.random.default_rng(0)
COLUMN = np.arange(60, dtype=np.int32) % 3
POINTS = torch.from_numpy(
    (np.eye(3)[COLUMN] @ CHANCE.normal(size=(3, 4)) + 0.3 * CHANCE.normal(size=(60, 4))).astype("f4")
)


class Points:
    """Samples that never change."""

    def __len__(self) -> int:
        return len(POINTS)

    def batches(self, epoch: int, parts: Iterable[np.ndarray]) -> Iterator[Tensor]:  # noqa: ARG002
        for part in parts:
            yield POINTS[torch.from_numpy(np.asarray(part))]


class Told:
    """A held-out curve that was made up; keeps the weights that were asked."""

    def __init__(self, curve: Sequence[tuple[float, float]]) -> None:
        self.curve = iter(curve)
        self.asked: list[dict[str, Tensor]] = []

    def judge(self, network: nn.Module) -> tuple[float, float]:
        self.asked.append({name: value.clone() for name, value in network.state_dict().items()})
        return next(self.curve)


def toy_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))


def toy_settings(**more: object) -> Settings:
    begun = settle(TrainOptions(network="small-cnn"), NetworkOptions(start="random"), find_network("small-cnn"))
    plain: dict[str, object] = {
        "batch": 20,
        "epochs": 4,
        "rate": 0.05,
        "label_smoothing": 0.0,
        "bf16": False,
        "head_rate": 1.0,
    }
    return replace(begun, **plain | more)


def toy_loop(
    folder: Path, network: nn.Module, settings: Settings, held: object, log: str = "none"
) -> Callable[[], State]:
    """Return a function that trains a network on the points, or goes on from the checkpoint in the folder."""
    origin = Origin(settings.to_dict(), ("a", "b", "c"), np.arange(3, dtype=np.uint64), {})
    checkpoints = Checkpoints(folder / "checkpoints", origin)
    material = Material(lambda _side: Points(), COLUMN, lambda _side: held, lambda part: [f"p{n}" for n in part])
    loop = Loop(
        network, trained_part(network, settings.tune), settings, material, loss_of(settings, COLUMN, 3), checkpoints,
        new_accelerator(), open_log(log, folder / "toy"), 60.0, StopSignals(),
    )  # fmt: skip
    return lambda: loop.run(checkpoints.last(), SILENT)
