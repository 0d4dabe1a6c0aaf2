"""Every option, once: a field here is the flag, its check, its help, and the Python argument."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shelfwise.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class EmbedOptions:
    """Options of embed.

    Parameters
    ----------
    backbone:
        Backbones side by side, NAME[@SIDE][:STAGES][/middle] joined by +, e.g. lite0@320:2/middle+lite2; or the path of an .onnx
        file with a card beside it. Default: those of the preset.
    preset:
        A named set of backbones: fast (one small network), default (2.7 times its cost), best (4.4 times).
    precision:
        auto takes int8 where its recorded cost on the card is below half a point and the processor is made for it.
    threads:
        Cores to use; 0 takes all.
    """

    backbone: str | None = None
    preset: Literal["fast", "default", "best"] = "default"
    precision: Literal["auto", "fp32", "int8"] = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise OptionError(f"--threads {self.threads}: give the number of cores, or 0 for all")


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of train.

    Parameters
    ----------
    head:
        ridge is learned in one pass with closed-form held-out scores; logistic is scikit-learn's.
    learn_from:
        Splits to learn from, joined by +.
    backbone:
        Embedded backbones to use; default: the ones embedded last.
    """

    head: Literal["ridge", "logistic"] = "ridge"
    learn_from: str = "train"
    backbone: str | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Options of evaluate.

    Parameters
    ----------
    split:
        The split to answer for.
    allow_missing_classes:
        Go on, by name, when the split holds categories that the bundle has never seen; their products count as wrong.
    seed:
        Seed of the bootstrap behind the intervals.
    """

    split: str = "test"
    allow_missing_classes: bool = False
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Options of predict.

    Parameters
    ----------
    top:
        Number of categories to answer with.
    threads:
        Cores to use; 0 takes all.
    """

    top: int = 5
    threads: int = 0

    def __post_init__(self) -> None:
        if self.top < 1:
            raise OptionError(f"--top {self.top}: at least 1")
        if self.threads < 0:
            raise OptionError(f"--threads {self.threads}: give the number of cores, or 0 for all")


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Options of demo.

    Parameters
    ----------
    to:
        Folder for the drawn photos, the catalog, the bundle and the report; it must not exist, or be an earlier demo's.
    """

    to: Path = Path("shelfwise-demo")
