"""Add products to a bundle, take some out, or follow those that moved, by algebra on what the bundle keeps of them.

The head afterwards is the one that learning from the same products gives at the same dimensionless penalty.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shelfwise.bundle import Bundle
from shelfwise.bundle.change import Regrouping, changed, refuse_too_few
from shelfwise.bundle.learned import Learned
from shelfwise.bundle.single_head import single_head
from shelfwise.catalog import Catalog
from shelfwise.errors import OptionError
from shelfwise.options import UpdateOptions
from shelfwise.progress import SILENT, Progress
from shelfwise.taxonomy import Taxonomy
from shelfwise.update.selection import Selection, select


@dataclass(slots=True)
class UpdateSummary:
    """What changed in a bundle.

    products, categories: afterwards; new_categories, lost_categories: ids; unusable: products of a split without a category
    or a usable photo; known: products of a split that were learned before; bundle_id: empty where nothing was written.
    """

    bundle: str
    bundle_id: str = ""
    added: int = 0
    removed: int = 0
    moved: int = 0
    known: int = 0
    unusable: int = 0
    products: int = 0
    categories: int = 0
    new_categories: list[str] = field(default_factory=list)
    lost_categories: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return asdict(self)


def update(
    bundle: Path | str,
    catalog: Path | str,
    options: UpdateOptions,
    to: Path | str | None = None,
    *,
    progress: Progress = SILENT,
) -> UpdateSummary:
    """Change what a bundle has learned, and write it to `to`, or in one step into its own place.

    Raises OptionError for a bundle that keeps no sums, for products learned before or never, and for ones whose photos
    changed since; CatalogError for products that the catalog lacks. Then nothing was changed.
    """
    if to is not None and Path(to).exists():
        raise OptionError(f"{to} exists already: choose another name with --to, or remove it first")
    with progress.task("update", 4) as advance:
        loaded, opened = Bundle.load(bundle), Catalog(catalog)
        learned = loaded.learned()
        advance(1)
        selection = select(opened, loaded, learned, options)
        advance(1)
        updated, summary = _updated(loaded, opened, learned, selection)
        advance(1)
        summary.bundle = str(bundle if to is None else to)
        if not options.dry_run:
            summary.bundle_id = updated.save(bundle, loaded.id) if to is None else updated.save(to)
        advance(1)
    return summary


def _updated(bundle: Bundle, catalog: Catalog, learned: Learned, s: Selection) -> tuple[Bundle, UpdateSummary]:
    single = single_head(bundle.classifier)
    assert single is not None, "`Bundle.learned` refuses other bundles"
    wider = _with_shelves(bundle, catalog, s)
    columns = wider.columns
    now = learned.regrouped(wider.column_of, len(columns))
    if len(s.removed):
        now = now.removed(s.removed.product_ids, *single.rows(s.removed))
    if len(s.moved):
        x, product = single.rows(s.moved)
        now = now.moved(s.moved.product_ids, x, columns.of(s.moved.categories), product)
    if len(s.added):
        x, product = single.rows(s.added)
        now = now.added(s.added.product_ids, x, columns.of(s.added.categories), product)
    regrouping = wider.without_empty(now.statistics.counts)
    refuse_too_few(regrouping.columns)
    now = now.regrouped(regrouping.columns.of(np.array(columns.categories, dtype=np.object_)), len(regrouping.columns))
    summary = _summary(bundle, regrouping, now, s)
    changes = {name: getattr(summary, name) for name in ("added", "removed", "moved", "products", "categories")}
    entry = {"what": "update"} | changes | {"products_changed": len(s.added) + len(s.removed) + len(s.moved)}
    updated = changed(bundle, now, regrouping, entry)
    summary.notes = [note for note in updated.facts["notes"] if note not in bundle.facts.get("notes", [])]
    return updated, summary


def _with_shelves(bundle: Bundle, catalog: Catalog, s: Selection) -> Regrouping:
    """Add a column for every category that products come to, with its way down the catalog's tree."""
    ours, theirs = bundle.taxonomy, catalog.taxonomy
    wanted = dict.fromkeys([*s.added.categories, *s.moved.categories])
    above = [node for category in wanted for node in theirs.path(category) if node not in ours.nodes]
    nodes = ours.nodes | {node: theirs.nodes[node] for node in above}
    tree = Taxonomy(nodes.values())
    names = max((ours, theirs), key=lambda one: one.depth).level_names[: tree.depth]
    return Regrouping.of(bundle.columns, Taxonomy(nodes.values(), names), {}, tuple(wanted))


def _summary(bundle: Bundle, regrouping: Regrouping, now: Learned, s: Selection) -> UpdateSummary:
    before, after = bundle.categories, regrouping.columns.categories
    return UpdateSummary(
        "", added=len(s.added), removed=len(s.removed), moved=len(s.moved), known=s.skipped, unusable=s.unusable,
        products=len(now), categories=len(after), new_categories=[c for c in after if c not in set(before)],
        lost_categories=[c for c in before if c not in set(after)],
    )  # fmt: skip
