"""Options of what fills, checks and writes out catalogs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shelfwise.errors import OptionError


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
