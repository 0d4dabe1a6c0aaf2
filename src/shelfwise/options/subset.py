"""Options of subset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shelfwise.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class SubsetOptions:
    """Options of subset; a product is taken when it fits all that are given.

    Parameters
    ----------
    split:
        Take products of these splits, joined by +.
    products:
        Take the products whose ids stand in this file, one a line.
    share:
        Take this share of the products, by the hash of their ids.
    groups:
        Make groups (listings of the same product) the categories, in a tree of one level.
    level:
        File products on this level of the tree, by its name or its number from 1 at the top.
    below:
        Take categories at or below this one: an id, or names from the top, 'Fruit > Apple'; may be given several times.
    largest_categories:
        Take the so many categories with the most products.
    per_category:
        Take at most so many products of a category, those whose ids have the smallest hash: fewer are always among more.
    limited_split:
        Hold --per-category against this split alone; the others stay whole.
    """

    split: str | None = None
    products: Path | None = None
    share: float | None = None
    groups: bool = False
    level: str | None = None
    below: tuple[str, ...] = ()
    largest_categories: int | None = None
    per_category: int | None = None
    limited_split: str | None = None

    def __post_init__(self) -> None:
        if self.share is not None and not 0 < self.share < 1:
            raise OptionError(f"--share {self.share}: a share between 0 and 1, e.g. 0.1")
        for flag, number, least in (
            ("largest-categories", self.largest_categories, 2),
            ("per-category", self.per_category, 1),
        ):
            if number is not None and number < least:
                raise OptionError(f"--{flag} {number}: at least {least}")
        if self.limited_split is not None and self.per_category is None:
            raise OptionError(f"--limited-split {self.limited_split} needs --per-category: say how many of a category")
        if self.groups and (self.level is not None or self.below):
            raise OptionError("--groups makes a tree of its own: leave --level and --below away")

    @property
    def needs_categories(self) -> bool:
        """Whether products without a category cannot be taken."""
        return bool(self.groups or self.level or self.below or self.largest_categories or self.per_category)
