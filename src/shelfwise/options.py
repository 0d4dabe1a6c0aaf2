"""Every option, once: a field here is the flag, its check, its help, and the Python argument."""

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
class IngestOptions:
    """Options of every ingest.

    Parameters
    ----------
    in_place:
        Leave the photos where they are: the catalog stores file, offset and length instead of bytes.
    dry_run:
        Go through the source and count, and write nothing.
    strict:
        End with exit code 1 when any row or photo was quarantined.
    max_bad:
        End with exit code 1 when more than so many percent of the rows or photos were quarantined.
    """

    in_place: bool = False
    dry_run: bool = False
    strict: bool = False
    max_bad: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.max_bad <= 100:
            raise OptionError(f"--max-bad {self.max_bad}: a percentage, 0 to 100")


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


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of train.

    Parameters
    ----------
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
        Share of the last hidden layer of mlp that is left out at random while learning.
    optimizer:
        What mlp and logistic are learned with in torch.
    learning_rate:
        How fast they learn; default: 0.0001 with adamw, 1 with adadelta.
    epochs:
        At most so many times through the products, for heads learned by gradient; less where held-out products are served better.
    learn_from:
        Splits to learn from, joined by +.
    backbone:
        Embedded backbones to use; default: the ones embedded last.
    """

    head: str = "ridge"
    hierarchy: Literal["flat", "levels", "hard", "soft", "bands", "confusion", "compare"] = "flat"
    pool: Literal["auto", "mean", "max", "concat", "scores", "gate"] = "auto"
    apart: bool = False
    bags: int = 1
    layers: str = "512"
    dropout: float = 0.5
    optimizer: Literal["adamw", "adadelta"] = "adamw"
    learning_rate: float | None = None
    epochs: int = 100
    learn_from: str = "train"
    backbone: str | None = None

    def __post_init__(self) -> None:
        heads = self.heads
        if len(set(heads)) < len(heads) or not set(heads) <= set(HEADS):
            raise OptionError(f"--head {self.head}: one of {', '.join(HEADS)}, or several of them joined by +")
        if not all(self.widths):
            raise OptionError(f"--layers {self.layers}: widths of at least 1, joined by commas")
        if self.bags < 1 or self.epochs < 1:
            flag = "bags" if self.bags < 1 else "epochs"
            raise OptionError(f"--{flag} {getattr(self, flag)}: at least 1")
        if not 0 <= self.dropout < 1:
            raise OptionError(f"--dropout {self.dropout}: a share from 0 to below 1")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise OptionError(f"--learning-rate {self.learning_rate}: a positive number, e.g. 0.001")
        for flag, users in _LEARNED_WITH.items():
            if getattr(self, flag) != getattr(TrainOptions, flag) and not set(users) & set(heads):
                raise OptionError(
                    f"--{flag.replace('_', '-')} is for --head {' and '.join(users)}, not for {self.head}"
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
    seed:
        Seed of the bootstrap behind the intervals.
    """

    split: str = "test"
    allow_missing_classes: bool = False
    max_error: float | None = None
    against: tuple[Path, ...] = ()
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
    threads:
        Cores to use; 0 takes all.
    """

    top: int = 5
    max_error: float | None = None
    sets: float | None = None
    per: Literal["photo", "folder"] = "photo"
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


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Options of ingest table and ingest huggingface: which column holds what; columns are named, never guessed.

    Parameters
    ----------
    id:
        Column of the product ids, which are text, kept as written; huggingface takes the first photo's path without it.
    image:
        Column of the photos: paths that start at the table's folder (or at --images), or the bytes themselves; several columns
        for several photos a product; huggingface takes file_name or file_names without it.
    image_separator:
        What stands between several photos in one cell.
    title:
        Column of the titles.
    description:
        Column of the descriptions.
    category:
        Column of the categories; several columns are the levels of a tree, from the top.
    category_separator:
        What stands between the levels in one cell, e.g. " > "; without it the whole text is one category.
    attributes:
        Column of the attributes: several labels a product.
    attributes_separator:
        What stands between the attributes in one cell.
    group:
        Column that is the same for listings of the same product.
    split:
        Column of the splits, kept as written.
    encoding:
        Encoding of the file; default: found out, and said.
    separator:
        What stands between the columns, one character or the word tab; default: by the file's ending, a comma or a tab.
    escaped:
        An apostrophe at the beginning of a cell is no part of it: for CSV files that `shelfwise export` wrote.
    incomplete:
        Take rows without a photo or without a category too, instead of quarantining them.
    """

    id: str | None = None
    image: tuple[str, ...] = ()
    image_separator: str | None = None
    title: str | None = None
    description: str | None = None
    category: tuple[str, ...] = ()
    category_separator: str | None = None
    attributes: str | None = None
    attributes_separator: str = " "
    group: str | None = None
    split: str | None = None
    encoding: str | None = None
    separator: str | None = None
    escaped: bool = False
    incomplete: bool = False

    def __post_init__(self) -> None:
        for flag, columns, between in (
            ("image", self.image, self.image_separator),
            ("category", self.category, self.category_separator),
        ):
            if len(set(columns)) < len(columns):
                raise OptionError(f"--{flag}: the same column twice: {', '.join(columns)}")
            if between is not None and len(columns) > 1:
                raise OptionError(f"--{flag}-separator is for one column; --{flag} names {len(columns)}")
        if self.category_separator is not None and not self.category:
            raise OptionError("--category-separator needs --category: name the column")
        for flag in ("image_separator", "category_separator", "attributes_separator"):
            if getattr(self, flag) == "":
                raise OptionError(
                    f"--{flag.replace('_', '-')} is empty: give what stands between the parts, or leave it out"
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named, in the order of the options."""
        single = (self.title, self.description, self.attributes, self.group, self.split)
        return tuple(name for name in (self.id, *self.image, *self.category, *single) if name is not None)


@dataclass(frozen=True, kw_only=True)
class CdiscountOptions:
    """Options of ingest cdiscount.

    Parameters
    ----------
    categories:
        category_names.csv, the tree; needed unless no product of the file has a category, as in test.bson.
    split:
        The split of all products of this file.
    salvage:
        Go on behind a damaged place, at the next sound product.
    sample_products:
        Take so many products only, drawn by the hash of their ids.
    limit_per_category:
        Take at most so many products of a category, drawn by the hash of their ids.
    categories_file:
        Take only the categories whose ids stand in this file, one a line.
    """

    categories: Path | None = None
    split: str | None = None
    salvage: bool = False
    sample_products: int | None = None
    limit_per_category: int | None = None
    categories_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Options of export.

    Parameters
    ----------
    format:
        folder (class folders), csv, parquet, cdiscount (BSON), imaterialist (JSON) or shopee (CSV).
    split:
        Splits to export, joined by +; default: all products.
    """

    format: Literal["folder", "csv", "parquet", "cdiscount", "imaterialist", "shopee"] = "folder"
    split: str | None = None


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """Options of split.

    Parameters
    ----------
    shares:
        Splits and their shares, NAME=SHARE joined by commas; the shares add up to 1.
    folds:
        Make this many equal splits fold-1, fold-2, ... instead; 0 makes none.
    seed:
        Another seed gives another split.
    stratify:
        Exact shares within every category; otherwise by hash alone, so that shares are met by chance.
    again:
        Decide anew for products that have a split; otherwise they keep it.
    look_alikes:
        Keep products together whose photos look alike; the same photo, byte for byte, always does.
    """

    shares: str = "train=0.8,val=0.1,test=0.1"
    folds: int = 0
    seed: int = 0
    stratify: bool = False
    again: bool = False
    look_alikes: bool = True

    def __post_init__(self) -> None:
        if self.folds < 0 or self.folds == 1:
            raise OptionError(f"--folds {self.folds}: at least 2, or 0 for none")
        if self.folds and self.shares != SplitOptions.shares:
            raise OptionError("--folds makes equal splits: leave --shares away, or give it alone")
        self.shares_by_name()

    def shares_by_name(self) -> dict[str, float]:
        """Return the share of each split, in order."""
        if self.folds:
            return {f"fold-{number}": 1 / self.folds for number in range(1, self.folds + 1)}
        shares: dict[str, float] = {}
        for part in self.shares.split(","):
            found = re.fullmatch(r"\s*([A-Za-z0-9_-]+)\s*=\s*(\d*\.?\d+)\s*", part)
            if not found or found[1] in shares or found[1] == "none" or not float(found[2]) > 0:
                raise OptionError(
                    f"--shares: {part.strip()!r} cannot be used: give each split once, NAME=SHARE, e.g. train=0.8,test=0.2"
                )
            shares[found[1]] = float(found[2])
        if abs(sum(shares.values()) - 1) > 1e-6:
            raise OptionError(f"--shares {self.shares}: they add up to {sum(shares.values()):g}, not to 1")
        return shares


@dataclass(frozen=True, kw_only=True)
class AuditOptions:
    """Options of audit.

    Parameters
    ----------
    radius:
        Bits, of 64, in which the hashes of two pictures that are compared as near repeats may differ.
    backbone:
        Embedded backbones to look for wrong shelves with; default: the ones embedded last.
    suspects:
        List at most so many products that may be on the wrong shelf.
    leave_out:
        What a product is judged without: itself and what shows the same picture, or its look-alikes on the shelf as well, which
        is stricter where photos were taken in bursts, and finds fewer wrong shelves.
    threads:
        Cores to use; 0 takes all.
    """

    radius: int = 4
    backbone: str | None = None
    suspects: int = 500
    leave_out: Literal["product", "look-alikes"] = "product"
    threads: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.radius <= 15:
            raise OptionError(f"--radius {self.radius}: a number of bits, 0 to 15")
        if self.suspects < 1:
            raise OptionError(f"--suspects {self.suspects}: at least 1")
        if self.threads < 0:
            raise OptionError(f"--threads {self.threads}: give the number of cores, or 0 for all")


@dataclass(frozen=True, kw_only=True)
class ReviewOptions:
    """Options of review.

    Parameters
    ----------
    backbone:
        Embedded backbones to judge with; default: those of the bundle, or the ones embedded last.
    suspects:
        Queue at most so many products.
    who:
        The name that is written beside every decision; default: the user of this machine.
    port:
        Port of the page on this machine; 0 takes any that is free.
    no_browser:
        Do not open the page in a browser; its address is printed.
    """

    backbone: str | None = None
    suspects: int = 500
    who: str | None = None
    port: int = 0
    no_browser: bool = False

    def __post_init__(self) -> None:
        if self.suspects < 1:
            raise OptionError(f"--suspects {self.suspects}: at least 1")
        if not 0 <= self.port <= 65535:
            raise OptionError(f"--port {self.port}: 0 to 65535")
        if self.who is not None and not self.who.strip():
            raise OptionError("--who is empty: give a name, or leave it out")
