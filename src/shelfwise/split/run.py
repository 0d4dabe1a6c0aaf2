"""Give every product of a catalog a split, and keep together what belongs together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shelfwise.catalog import Catalog, changing
from shelfwise.catalog.inventory import take_inventory
from shelfwise.errors import OptionError
from shelfwise.index.bonds import Bonds
from shelfwise.index.same_pictures import NO_PAIRS, same_pictures
from shelfwise.options import SplitOptions
from shelfwise.progress import SILENT, Progress
from shelfwise.split.assign import Plan, Rows, assign
from shelfwise.taxonomy import Taxonomy

_NONE = "none"
_NAMED_CATEGORIES = 10


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """What was decided, in counts of products.

    before, after: by split, `none` for products without one. kept: had a split and keep it; moved: had another one;
    assigned: had none. units: what was decided as one. bound: products with a bond to another, by kind (`group`,
    `same_picture`, `look_alike`). across_splits: pairs of bound products in different splits, by kind: both were fixed
    before. placeholders_ignored: distinct pictures on so many products that they bind nothing. missing: by level and
    split, how many categories of the catalog have no product there, and the names of some.
    """

    catalog: str
    products: int
    units: int
    before: dict[str, int]
    after: dict[str, int]
    kept: int
    moved: int
    assigned: int
    bound: dict[str, int]
    across_splits: dict[str, int]
    placeholders_ignored: int
    missing: dict[str, dict[str, dict[str, Any]]]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)


def split(catalog: Path | str, options: SplitOptions | None = None, *, progress: Progress = SILENT) -> SplitSummary:
    """Give every product a split; products of one group, and with the same or look-alike photos, get the same.

    Raises CatalogError for what is no catalog, OptionError when folds are asked for and the catalog has other splits.
    """
    options = options or SplitOptions()
    opened = Catalog(catalog)  # says what is wrong with it before it is held
    with changing(opened.path, "split") as change:
        opened = change.catalog or opened
        products = opened.products()
        before: list[str | None] = products.column("split").to_pylist()
        _refuse_other_splits(before, options)
        inventory, pairs = take_inventory(opened), NO_PAIRS
        if options.look_alikes:
            i, j, _ = same_pictures(opened, inventory, progress=progress)
            pairs = i, j
        bonds = Bonds.of(inventory, opened.taxonomy, pairs)
        units = bonds.units()
        plan = Plan(shares=options.shares_by_name(), seed=options.seed, stratify=options.stratify)
        ids, groups, categories = (products.column(name).to_pylist() for name in ("product_id", "group", "category"))
        held = [None] * len(before) if options.again else before
        after = assign(Rows(ids, [group or None for group in groups], units, categories, held), plan)
        if after != before:
            place = products.schema.get_field_index("split")
            change.replace_products(products.set_column(place, "split", pa.array(after, pa.string())))
    return _summary(opened, products, bonds, units, before, after)


def _refuse_other_splits(before: list[str | None], options: SplitOptions) -> None:
    others = sorted(set(before) - set(options.shares_by_name()) - {None}, key=str)
    if options.folds and others and not options.again:
        raise OptionError(
            f"--folds {options.folds}: the catalog has the splits {', '.join(map(str, others))}; replace them with --again"
        )


def _summary(
    catalog: Catalog, products: pa.Table, bonds: Bonds, units: NDArray[np.int64], before: list[str | None],
    after: list[str],
) -> SplitSummary:  # fmt: skip
    across = bonds.across(np.unique(after, return_inverse=True)[1] if after else np.empty(0, dtype=np.int64))
    kept = sum(old == new for old, new in zip(before, after, strict=True))
    assigned = before.count(None)
    pairs = sum(across.values())
    notes = []
    if pairs:
        notes.append(
            f"{pairs} pairs of products that belong together lie in different splits, since both were fixed before: "
            "--again moves them to one"
        )
    return SplitSummary(
        catalog=str(catalog.path), products=len(products), units=len(np.unique(units)), before=_counts(before),
        after=_counts(after), kept=kept, moved=len(after) - kept - assigned, assigned=assigned, bound=bonds.bound(),
        across_splits=across, placeholders_ignored=int(bonds.placeholders.sum()),
        missing=_missing(catalog.taxonomy, products.column("category").to_pylist(), after), notes=notes,
    )  # fmt: skip


def _counts(splits: Sequence[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(name or _NONE for name in splits).items()))


def _missing(
    taxonomy: Taxonomy, categories: Sequence[str | None], splits: Sequence[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Say for every level and split which categories that have products have none there, where there are such."""
    present: dict[str, set[str]] = defaultdict(set)
    for category, name in zip(categories, splits, strict=True):
        if category is not None:
            present[name].add(category)
    missing: dict[str, dict[str, dict[str, Any]]] = {}
    for level, level_name in enumerate(taxonomy.level_names):
        nodes = {name: {taxonomy.ancestor(node, level) for node in held} for name, held in present.items()}
        for name in sorted(set(splits)):
            lacking = sorted(set().union(*nodes.values()) - nodes.get(name, set()))
            if lacking:
                named = lacking[:_NAMED_CATEGORIES]
                missing.setdefault(level_name, {})[name] = {"categories": len(lacking), "named": named}
    return missing
