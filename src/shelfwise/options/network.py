"""Options of networks that are trained from photos."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from shelfwise.errors import OptionError

ScheduleName = Literal["one-cycle", "cosine", "restarts", "plateau", "constant"]


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Options of train --network.

    Parameters
    ----------
    learn:
        What is learned: category, or attributes, of which a product has several; the network with its attributes is then written
        as an .onnx file, with a card beside it that embed --backbone reads.
    finetune:
        Fine-tune at the price of a head: the stages in front of the first trained one are computed once, for some augmented
        views, and only the others are trained.
    start:
        What the network starts from: pretrained (weights of the package, or of the hub), random, a .safetensors file, or a bundle
        whose network was trained before. Default: pretrained where there are such weights.
    tune:
        What is trained: all, head (the last layer), a number (so many of the last stages, and the head), from:LAYER (that layer
        and all behind it, by name or by number). Default: all; with --finetune 2.
    gradual:
        Train the head alone for so many epochs, then one stage more every so many; 0 trains all from the start.
    stage_rate:
        Learning rate of each stage, as a share of that of the stage behind it; 1 gives all the same.
    head_rate:
        Learning rate of the last layer, as a multiple of the others'. Default: 10 for weights that are not random.
    batch_norm:
        Whether batch norms go on learning their means and spreads. Default: frozen for weights that are not random.
    side:
        Side of the photos in pixels; several joined by commas are taken one after the other, moving up when held-out photos are
        explained worse than the photos learned from. Default: the network's own.
    fit:
        How a photo becomes a square: squash, crop (its middle) or pad (white around it).
    augment:
        What is changed at random, joined by +, each with its strength where another is wanted: crop=0.5 (smallest share of the
        photo), zoom=0.2, shear=0.2, rotate=10 (degrees), flip=0.5, upside-down=0.5, grey=0.5 (probabilities),
        randaugment=9 (magnitude); or none.
    views:
        Augmented views of every photo that --finetune computes.
    mixup:
        Mix photos with one another, by a share drawn from Beta(a, a) of this a; 0 mixes none.
    cutmix:
        Put a rectangle of one photo into another, its share drawn from Beta(a, a); 0 puts none.
    cache:
        Folder where --finetune keeps what it computes, for further trainings of the same photos with other learning rates or more
        epochs; without it that goes once the bundle is written.
    class_weights:
        How much categories weigh in the loss: equal, or balanced (the fewer products, the more).
    sampling:
        How often products are shown: once an epoch, or balanced (every category alike).
    schedule:
        How the learning rate goes: one-cycle (up, then down), cosine (down), restarts (down in cycles, each longer than the one
        before), plateau (down whenever held-out products gain nothing), or constant.
    cycle_epochs:
        Epochs of the first cycle of restarts.
    cycle_times:
        How many times longer every further cycle is.
    patience:
        Epochs without gain after which plateau lowers the rate.
    plateau_times:
        What plateau multiplies the rate by.
    least_rate:
        Learning rate below which plateau does not go.
    early_stopping:
        Stop after so many epochs without gain on held-out products; 0 goes on to the end.
    batch:
        Photos a step.
    weight_decay:
        Share of the weights that a step takes away, times the learning rate. Default: 0.01 for adamw, 0.0001 for sgd, 0 for
        adam and adadelta, where it would act on what they scale.
    momentum:
        Momentum of sgd.
    label_smoothing:
        Share of the label that is spread over all categories; of attributes, by how frequent they are.
    ema:
        Answer with a moving average of the weights, of this decay, e.g. 0.999; 0 answers with the weights themselves.
    clip_norm:
        Shorten gradients that are longer than this; 0 leaves them.
    find_rate:
        Try learning rates first, draw the loss over them beside the bundle, and learn with the one proposed.
    precision:
        What torch computes in: fp32, bf16, or auto (bf16 where the processor has it).
    log:
        Where the run writes loss and accuracy while it goes: csv, tensorboard, or none.
    checkpoint_minutes:
        A stopped run goes on from the last checkpoint, which is written so often, and after every epoch.
    accept_changes:
        Go on from a checkpoint though the photos changed since.
    accept_license:
        Use pretrained weights whose license is not among those that allow any use.
    seed:
        Seed of the weights, the order of photos and all that is done at random.
    """

    learn: Literal["category", "attributes"] = "category"
    finetune: bool = False
    start: str | None = None
    tune: str | None = None
    gradual: int = 0
    stage_rate: float = 1.0
    head_rate: float | None = None
    batch_norm: Literal["frozen", "learned"] | None = None
    side: str | None = None
    fit: Literal["squash", "crop", "pad"] | None = None
    augment: str = "crop=0.5+flip=0.5"
    views: int = 4
    cache: str | None = None
    mixup: float = 0.0
    cutmix: float = 0.0
    class_weights: Literal["equal", "balanced"] = "equal"
    sampling: Literal["once", "balanced"] = "once"
    schedule: ScheduleName = "one-cycle"
    cycle_epochs: int = 2
    cycle_times: int = 2
    patience: int = 2
    plateau_times: float = 0.2
    least_rate: float = 1e-4
    early_stopping: int = 0
    batch: int = 32
    weight_decay: float | None = None
    momentum: float = 0.9
    label_smoothing: float = 0.1
    ema: float = 0.0
    clip_norm: float = 0.0
    find_rate: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    log: Literal["csv", "tensorboard", "none"] = "csv"
    checkpoint_minutes: float = 2.0
    accept_changes: bool = False
    accept_license: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_together()
        if self.tune is not None and not re.fullmatch(r"all|head|[1-9][0-9]{0,2}|from:.+", self.tune):
            raise OptionError(f"--tune {self.tune}: all, head, a number of stages such as 2, or from:LAYER")

    def changed(self) -> list[str]:
        """Name the flags that were given."""
        names = [name for name in self.__dataclass_fields__ if getattr(self, name) != getattr(NetworkOptions, name)]
        return [f"--{name.replace('_', '-')}" for name in names]

    def _check_numbers(self) -> None:
        at_least = {
            "gradual": 0, "views": 1, "mixup": 0, "cutmix": 0, "cycle_epochs": 1, "cycle_times": 1, "patience": 0,
            "early_stopping": 0, "batch": 1, "clip_norm": 0, "least_rate": 0, "seed": 0,
        }  # fmt: skip
        for name, least in at_least.items():
            if not least <= getattr(self, name) < float("inf"):
                raise OptionError(f"--{name.replace('_', '-')} {getattr(self, name)}: at least {least}")
        for name in ("momentum", "label_smoothing", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise OptionError(f"--{name.replace('_', '-')} {getattr(self, name)}: from 0 to below 1")
        for name in ("stage_rate", "plateau_times"):
            if not 0 < getattr(self, name) <= 1:
                raise OptionError(f"--{name.replace('_', '-')} {getattr(self, name)}: above 0, up to 1")
        if self.head_rate is not None and not 0 < self.head_rate < float("inf"):
            raise OptionError(f"--head-rate {self.head_rate}: a positive number, e.g. 10")
        if self.weight_decay is not None and not 0 <= self.weight_decay < 1:
            raise OptionError(f"--weight-decay {self.weight_decay}: from 0 to below 1, e.g. 0.01")
        if not 0 < self.checkpoint_minutes < float("inf"):
            raise OptionError(f"--checkpoint-minutes {self.checkpoint_minutes}: a positive number of minutes")

    def _check_together(self) -> None:
        if len(self.sides_px()) > 1 and self.finetune:
            raise OptionError(f"--side {self.side}: one side with --finetune, whose frozen part is computed once")
        if self.learn == "attributes" and "balanced" in (self.class_weights, self.sampling):
            raise OptionError(
                "--learn attributes: --class-weights and --sampling balanced are for categories, leave them out"
            )

    def sides_px(self) -> tuple[int, ...]:
        """Return the sides of the photos, one after the other; none where the network's own is asked for."""
        if self.side is None:
            return ()
        if not re.fullmatch(r"[0-9]{2,4}(,[0-9]{2,4})*", self.side):
            raise OptionError(f"--side {self.side}: a side in pixels, or several joined by commas, e.g. 64,128,224")
        sides = tuple(int(side) for side in self.side.split(","))
        if any(side not in range(32, 1025) for side in sides) or list(sides) != sorted(set(sides)):
            raise OptionError(f"--side {self.side}: sides from 32 to 1024 pixels, each larger than the one before")
        return sides
