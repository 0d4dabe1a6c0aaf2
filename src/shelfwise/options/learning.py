"""Options of what learns from catalogs, answers, and says how good the answers are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shelfwise.errors import OptionError

HEADS = ("ridge", "logistic", "mlp")


def _check_share(flag: str, share: float | None) -> None:
    if share is not None and not 0 < share < 1:
        raise OptionError(f"--{flag} {share}: a share between 0 and 1, e.g. 0.05")


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


_BY_GRADIENT = ("logistic", "mlp")
# Options of train that only some heads are learned with.
_LEARNED_WITH = {
    "layers": ("mlp",), "dropout": ("mlp",), "optimizer": _BY_GRADIENT, "learning_rate": _BY_GRADIENT, "epochs": _BY_GRADIENT,
}  # fmt: skip
_OF_HEADS = ("head", "hierarchy", "pool", "apart", "bags", "layers", "backbone")
_OF_GRADIENT_HEADS = ("adamw", "adadelta")


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of train.

    Parameters
    ----------
    network:
        Train a network from the photos instead of a head on their vectors: lite0, lite1 or lite2, whose weights come with
        shelfwise, one of the reports' (see docs/networks.md), or any of timm's by its name.
    ensemble:
        Let a bundle learned before answer together with others, weighed on the split val; give it again for each of them.
    head:
        ridge is learned in one pass with closed-form held-out scores; logistic and mlp are learned by gradient. Several joined
        by + answer together, with weights chosen on held-out products.
    hierarchy:
        How heads are put together along the tree: flat, one for all categories; levels, one a level; hard or soft, a specialist
        for each top branch, asked alone or all weighed; bands and confusion, specialists for groups of branches; compare prints
        a table of all on held-out products, and takes the best that costs no more than flat.
    pool:
        How a product's photos become one answer: mean, max or concat of their vectors, scores (the mean of the photos'
        answers), gate (their weighted mean, with learned weights); auto takes what leaves least unexplained on held-out products.
    apart:
        A head for each backbone, answering together, instead of one head for all of them side by side.
    bags:
        Learn so many heads on products drawn with replacement, answering together.
    layers:
        Widths of the hidden layers of mlp, joined by commas.
    dropout:
        Share of the last hidden layer of mlp, or of a network's vector, that is left out at random while learning; default: 0.5
        with mlp, 0 with a network.
    optimizer:
        What mlp, logistic and networks are learned with in torch; mlp and logistic take adamw or adadelta.
    learning_rate:
        How fast they learn; default: 0.0001 with adamw, 1 with adadelta; 0.0005 with adamw for a network.
    epochs:
        At most so many times through the products, for what is learned by gradient; heads stop where held-out products are served
        best. Default: 100 for heads, 12 for networks.
    learn_from:
        Splits to learn from, joined by +.
    backbone:
        Embedded backbones to use; default: the ones embedded last.
    """

    network: str | None = None
    ensemble: tuple[Path, ...] = ()
    head: str = "ridge"
    hierarchy: Literal["flat", "levels", "hard", "soft", "bands", "confusion", "compare"] = "flat"
    pool: Literal["auto", "mean", "max", "concat", "scores", "gate"] = "auto"
    apart: bool = False
    bags: int = 1
    layers: str = "512"
    dropout: float | None = None
    optimizer: Literal["adamw", "adam", "sgd", "adadelta"] = "adamw"
    learning_rate: float | None = None
    epochs: int | None = None
    learn_from: str = "train"
    backbone: str | None = None

    def __post_init__(self) -> None:
        heads = self.heads
        if len(set(heads)) < len(heads) or not set(heads) <= set(HEADS):
            raise OptionError(f"--head {self.head}: one of {', '.join(HEADS)}, or several of them joined by +")
        if not all(self.widths):
            raise OptionError(f"--layers {self.layers}: widths of at least 1, joined by commas")
        for flag, value in (("bags", self.bags), ("epochs", self.epochs)):
            if value is not None and value < 1:
                raise OptionError(f"--{flag} {value}: at least 1")
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise OptionError(f"--dropout {self.dropout}: a share from 0 to below 1")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise OptionError(f"--learning-rate {self.learning_rate}: a positive number, e.g. 0.001")
        self._refuse_unused()

    def _refuse_unused(self) -> None:
        """Raise OptionError for an option that nothing asked for would use."""
        changed = [name for name in self.__dataclass_fields__ if getattr(self, name) != getattr(TrainOptions, name)]
        for name in changed:
            flag, users = name.replace("_", "-"), _LEARNED_WITH.get(name)
            if self.ensemble and name != "ensemble":
                raise OptionError(
                    f"--{flag} is for what is learned anew, not for --ensemble, whose bundles are learned already"
                )
            if self.network is not None and name in _OF_HEADS:
                raise OptionError(f"--{flag} is for heads, not for --network {self.network}")
            if self.network is None and users is not None and not set(users) & set(self.heads):
                raise OptionError(f"--{flag} is for --head {' and '.join(users)}, not for {self.head}")
        if self.network is None and self.optimizer not in _OF_GRADIENT_HEADS:
            raise OptionError(
                f"--optimizer {self.optimizer} is for --network; heads take {' or '.join(_OF_GRADIENT_HEADS)}"
            )

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that answer together."""
        return tuple(self.head.split("+"))

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths of the hidden layers; raises OptionError for what is no number."""
        if not re.fullmatch(r"[0-9]{1,6}(,[0-9]{1,6})*", self.layers):
            raise OptionError(f"--layers {self.layers}: widths joined by commas, e.g. 1024 or 4096,4096")
        return tuple(int(width) for width in self.layers.split(","))


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Options of evaluate.

    Parameters
    ----------
    split:
        The split to answer for.
    allow_missing_classes:
        Go on, by name, when the split holds categories that the bundle has never seen; their products count as wrong.
    max_error:
        Stop each answer at the deepest shelf that is sure enough for at most this share of wrong answers, e.g. 0.05, and report
        how many were given, on which level, and how many of them were wrong.
    against:
        Another bundle to compare with on the same products; may be given several times.
    baseline:
        What to set beside the answers: nearest-hash, the category of the photo learned from whose perceptual hash is nearest.
    shift:
        Set these products beside the held-out ones of where the bundle learned, category by category: what is lost in another
        shop.
    seed:
        Seed of the bootstrap behind the intervals.
    """

    split: str = "test"
    allow_missing_classes: bool = False
    max_error: float | None = None
    against: tuple[Path, ...] = ()
    baseline: Literal["nearest-hash"] | None = None
    shift: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _check_share("max-error", self.max_error)


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Options of predict.

    Parameters
    ----------
    top:
        Number of categories to answer with.
    max_error:
        Answer with the deepest shelf that is sure enough for at most this share of wrong answers, e.g. 0.05, or with none.
    sets:
        Add the set of categories that holds the right one but for this share of products, e.g. 0.05.
    per:
        What is one product: each photo, or all photos of a folder.
    split:
        Split of the catalog that --submission answers for; default: all its products.
    threads:
        Cores to use; 0 takes all.
    """

    top: int = 5
    max_error: float | None = None
    sets: float | None = None
    per: Literal["photo", "folder"] = "photo"
    split: str | None = None
    threads: int = 0

    def __post_init__(self) -> None:
        _check_share("max-error", self.max_error)
        _check_share("sets", self.sets)
        if self.top < 1:
            raise OptionError(f"--top {self.top}: at least 1")
        if self.threads < 0:
            raise OptionError(f"--threads {self.threads}: give the number of cores, or 0 for all")


@dataclass(frozen=True, kw_only=True)
class UpdateOptions:
    """Options of update.

    Parameters
    ----------
    add:
        Id of a product to learn, from the catalog's vectors; give it again for more, or @FILE with an id a line.
    add_split:
        Learn all products of this split that were not learned before.
    remove:
        Id of a product to take out as if it had never been learned; give it again for more, or @FILE.
    moved:
        Follow the products that stand on another shelf of the catalog by now.
    dry_run:
        Check and count, and write nothing.
    """

    add: tuple[str, ...] = ()
    add_split: str | None = None
    remove: tuple[str, ...] = ()
    moved: bool = False
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Options of demo.

    Parameters
    ----------
    to:
        Folder for the drawn photos, the catalog, the bundle and the report; it must not exist, or be an earlier demo's.
    """

    to: Path = Path("shelfwise-demo")
