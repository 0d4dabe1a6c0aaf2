"""Answer for a split of a catalog and say how good the answers are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shelfwise.backbones.products import ProductFeatures, read_products
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.columns import Columns
from shelfwise.errors import LabelMismatchError
from shelfwise.evaluate.page import report_page
from shelfwise.files import write_bytes, write_json
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import Scores, score
from shelfwise.metrics.confusion import confusion
from shelfwise.metrics.permutation import permuted_labels
from shelfwise.options import EvaluateOptions
from shelfwise.progress import SILENT, Progress
from shelfwise.taxonomy import Taxonomy

# Products answered at once: bounds memory at p x c.
_BLOCK = 8192
_SHOWN_CATEGORIES = 20


@dataclass(frozen=True, slots=True)
class EvaluateSummary:
    """The figures as JSON values, and where the report is (None where none was asked for)."""

    metrics: dict[str, Any]
    report: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return self.metrics | {"report": self.report}


def evaluate(
    bundle: Path | str | Bundle,
    catalog: Path | str,
    to: Path | str | None = None,
    options: EvaluateOptions | None = None,
    *,
    progress: Progress = SILENT,
) -> EvaluateSummary:
    """Score a bundle on a split of a catalog; with `to`, write `index.html` and `metrics.json` there.

    Raises LabelMismatchError when the split holds categories that the bundle does not know or knows by other names, and
    when the answers look right but for a permutation of the labels.
    """
    options = options or EvaluateOptions()
    loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
    opened = Catalog(catalog)
    with progress.task(f"evaluate {options.split}", 3) as advance:
        data = read_products(opened, loaded.layout, [options.split])
        unknown = _check_categories(loaded, opened, data, options)
        taxonomy = _joined_tree(loaded, opened, unknown)
        answers = _answers(loaded, taxonomy, data, unknown)
        advance(1)
        permuted = permuted_labels(confusion(answers))
        if permuted is not None:
            raise LabelMismatchError(permuted.message())
        scores = score(answers, seed=options.seed)
        metrics = _metrics(loaded, opened, data, scores, options)
        advance(1)
        if to is not None:
            page = report_page(loaded, opened, data, answers, taxonomy, scores, options)
            write_json(Path(to) / "metrics.json", metrics)
            write_bytes(Path(to) / "index.html", page.encode())
        advance(1)
    return EvaluateSummary(metrics, None if to is None else str(Path(to) / "index.html"))


def _joined_tree(bundle: Bundle, catalog: Catalog, unknown: tuple[str, ...]) -> Taxonomy:
    """Return the bundle's tree with the branches of the catalog's that hold categories unknown to it."""
    if not unknown:
        return bundle.taxonomy
    ours, theirs = bundle.taxonomy, catalog.taxonomy
    joined = {node: theirs.nodes[node] for category in unknown for node in theirs.path(category)} | ours.nodes
    tree = Taxonomy(joined.values())
    return Taxonomy(joined.values(), ours.level_names) if tree.depth == ours.depth else tree


def _answers(bundle: Bundle, taxonomy: Taxonomy, data: ProductFeatures, unknown: tuple[str, ...]) -> Answers:
    columns = Columns((*bundle.categories, *unknown), taxonomy)
    truth = columns.of(data.categories)
    parts = []
    for rows in data.blocks(_BLOCK):
        photos, place = data.photos_of(rows)
        padded = np.pad(bundle.probabilities(data.photos[photos], place), ((0, 0), (0, len(unknown))))
        parts.append(Answers.from_probabilities(data.product_ids[rows].astype(np.str_), truth[rows], padded, columns))
    return Answers.concatenate(parts)


def _check_categories(
    bundle: Bundle, catalog: Catalog, data: ProductFeatures, options: EvaluateOptions
) -> tuple[str, ...]:
    """Compare the split's categories with the bundle's, by id and by name; return those that the bundle does not know."""
    present, known = sorted(set(data.categories)), set(bundle.categories)
    renamed = [c for c in present if c in known and bundle.taxonomy.names(c) != catalog.taxonomy.names(c)]
    if renamed:
        pairs = "; ".join(
            f"{c}: {_path(bundle.taxonomy.names(c))} / {_path(catalog.taxonomy.names(c))}" for c in renamed[:5]
        )
        raise LabelMismatchError(
            f"{len(renamed)} category ids have other names in the catalog than in the bundle: {pairs}"
        )
    unknown = tuple(c for c in present if c not in known)
    if unknown and not options.allow_missing_classes:
        raise LabelMismatchError(
            f"{len(unknown)} of the {len(present)} categories of split {options.split!r} are unknown to the bundle.\n"
            f"  unknown:         {_listing(unknown)}\n"
            f"  in the split:    {_listing(present)}\n"
            f"  in the bundle:   {_listing(bundle.categories)}\n"
            "Rename them, learn from products of these categories, or go on by name with --allow-missing-classes"
        )
    return unknown


def _path(names: tuple[str, ...]) -> str:
    return " > ".join(names)


def _listing(categories: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(categories[:_SHOWN_CATEGORIES])
    return shown + (f", ... ({len(categories)} in all)" if len(categories) > _SHOWN_CATEGORIES else "")


def _metrics(
    bundle: Bundle, catalog: Catalog, data: ProductFeatures, scores: Scores, options: EvaluateOptions
) -> dict[str, Any]:
    """Put the held-out estimates beside the figures, and say what they are of."""
    figures, estimates = scores.to_dict(), bundle.facts["estimates"]
    for way in ("leave_one_out", "leave_look_alikes_out"):
        _put_beside(figures, estimates[way], way)
    return figures | {
        "split": options.split,
        "products_without_photo": data.without_photo,
        "products_without_category": data.without_category,
        "categories_in_split": len(set(data.categories)),
        "categories_in_bundle": len(bundle.categories),
        "bundle": bundle.id,
        "catalog_versions": catalog.versions,
        "calibrated_on": bundle.facts["calibrated_on"],
        "notes": bundle.facts["notes"],
        "validation": estimates.get("validation"),
    }


def _put_beside(figures: dict[str, Any], estimate: dict[str, Any], way: str) -> None:
    for name, figure in figures.items():
        if name == "levels":
            for level, of_level in figure.items():
                _put_beside(of_level, estimate["levels"].get(level, {}), way)
        elif isinstance(figure, dict):
            figure[way] = estimate[name]["value"] if name in estimate else None
