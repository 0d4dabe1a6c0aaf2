"""The figures that stand on the page without a script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.audit.page import words
from shelfwise.page.numbers import NOTHING, counted, percent, plural

if TYPE_CHECKING:
    from shelfwise.audit.explore import Exploration
    from shelfwise.audit.explore.splits import Splits
    from shelfwise.audit.page.data import AuditPage, Path

ENDS, DIFFERENCES, _NAMED = 15, 10, 12


@dataclass(frozen=True, slots=True)
class Tile:
    """A number at the top of the page, with what it says, where it leads to, and whether something is to be done."""

    name: str
    value: str
    note: str
    link: str = ""
    wrong: bool = False


def tiles(page: AuditPage) -> list[Tile]:
    """List the numbers at the top: what there is, then what was found."""
    kinds = {kind.kind: kind for kind in page.kinds}
    filled = int((page.exploration.levels[-1].products > 0).sum()) if page.exploration.levels else 0
    unfiled = page.exploration.unfiled
    found = [
        Tile("Products", counted(page.products), f"{counted(unfiled)} on no shelf" if unfiled and filled else ""),
        Tile("Photos", counted(page.photos), f"{counted(page.pictures)} different pictures"),
        Tile("Shelves", counted(filled), "with at least one product") if filled else _attributes_tile(page),
    ]
    repeats = sum(kinds[kind].sets for kind in ("exact_repeat", "near_repeat") if kind in kinds)
    found.append(Tile("Repeated pictures", counted(repeats), "sets", "#repeats", wrong=repeats > 0))
    leaks = kinds["across_splits"].sets if "across_splits" in kinds else 0
    found.append(Tile("Leaks", counted(leaks), "between splits", "#leaks", wrong=leaks > 0))
    poor = sum(kinds[kind].photos for kind in words.QUALITY if kind in kinds)
    found.append(Tile("Poor photos", counted(poor), "of some kind", "#quality", wrong=poor > 0))
    found.append(_doubtful_tile(page))
    others = sum(kinds[kind].sets for kind in ("placeholder", "blank", "several_categories") if kind in kinds)
    found.append(Tile("Misleading pictures", counted(others), "placeholders and the like", "#repeats", others > 0))
    return found


def _doubtful_tile(page: AuditPage) -> Tile:
    if page.suspects is None:
        return Tile("Doubtful shelves", NOTHING, "no vectors yet" if page.categories else "no shelves", "#shelves")
    doubtful = page.suspects_in_all
    return Tile("Doubtful shelves", counted(doubtful), "products to look at", "#shelves", wrong=doubtful > 0)


def _attributes_tile(page: AuditPage) -> Tile:
    return Tile("Attributes", counted(len(page.exploration.attributes.names)), "different ones")


def level_rows(exploration: Exploration) -> list[dict[str, Any]]:
    """List, for every level, how many categories there are and how uneven they are."""
    return [
        {
            "name": level.name, "categories": len(level.nodes), "half": level.half, "below_100": level.below(100),
            "below_10": level.below(10), "one": level.below(2), "none": level.empty,
            "most": int(level.products.max(initial=0)), "median": int(np.median(level.products)) if len(level.nodes) else 0,
        }
        for level in exploration.levels
    ]  # fmt: skip


def ends(page: AuditPage) -> tuple[list[tuple[Path, int, float]], list[tuple[Path, int, float]]]:
    """List the fullest and the emptiest categories of the deepest level: names, products, share of the fullest."""
    if not page.exploration.levels:
        return [], []
    level = page.exploration.levels[-1]
    most = max(1, int(level.products.max(initial=0)))
    rows = [
        (page.path(page.nodes[level.nodes[at]]), int(level.products[at]), int(level.products[at]) / most)
        for at in level.fullest_first.tolist()
    ]
    return rows[:ENDS], rows[max(ENDS, len(rows) - ENDS) :]


def split_rows(splits: Splits) -> list[dict[str, Any]]:
    """List what every split holds; `light` as per cent of white."""
    whole = max(1, int(splits.products.sum()))
    return [
        {
            "name": name, "products": int(splits.products[at]), "share": int(splits.products[at]) / whole,
            "photos": int(splits.photos[at]), "each": splits.photos[at] / max(1, splits.products[at]),
            "categories": int((splits.by_category[at] > 0).sum()),
            "light": None if splits.light is None else splits.light[at].tolist(),
        }
        for at, name in enumerate(splits.names)
    ]  # fmt: skip


def share_rows(page: AuditPage) -> dict[str, Any] | None:
    """Set two splits against each other: the largest differences of category shares, and who is missing where."""
    splits = page.exploration.splits
    if splits.compared is None or not len(page.categories):
        return None
    first, second = splits.compared
    differences = splits.share_differences(first, second)
    order = np.argsort(-np.abs(differences), kind="stable")[:DIFFERENCES].tolist()
    largest = max(1e-9, float(np.abs(differences).max()))
    of = splits.by_category / np.maximum(1, splits.by_category.sum(axis=1, keepdims=True))
    return {
        "first": splits.names[first],
        "second": splits.names[second],
        "rows": [
            {
                "path": page.path(page.categories[at]), "first": percent(of[first, at], 2), "second": percent(of[second, at], 2),
                "points": 100 * differences[at], "bar": differences[at] / largest,
            }
            for at in order
            if differences[at]
        ],
        "missing": [_missing(page, first, second), _missing(page, second, first)],
    }  # fmt: skip


def _missing(page: AuditPage, first: int, second: int) -> tuple[str, list[str], int]:
    """Say which categories the first split holds and the second does not: how many, some names, the number."""
    numbers = page.exploration.splits.only_in(first, second).tolist()
    some = [page.path(page.categories[at])[-1] for at in numbers[:_NAMED]]
    return plural(len(numbers), "category", "categories"), some, len(numbers)
