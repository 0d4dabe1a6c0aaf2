"""Answer for the products of a split, after their categories were compared with the bundle's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.columns import Columns
from shelfwise.errors import LabelMismatchError
from shelfwise.metrics.answers import Answers
from shelfwise.options import EvaluateOptions
from shelfwise.taxonomy import Taxonomy

# Products answered at once: bounds memory at p x c.
_BLOCK = 8192
_SHOWN_CATEGORIES = 20


def answers_about(bundle: Bundle, catalog: Catalog, data: ProductFeatures, options: EvaluateOptions) -> Answers:
    """Answer about products; categories that the bundle does not know get columns of their own, which it never answers.

    Raises LabelMismatchError where the products' categories are unknown to the bundle, unless that is allowed, and where it
    knows them by other names.
    """
    columns = _columns(bundle, catalog, data, options)
    truth = columns.of(data.categories)
    parts = []
    for rows in data.blocks(_BLOCK):
        photos, place = data.photos_of(rows)
        probabilities = bundle.probabilities(data.photos[photos], place)
        parts.append(_answers(data.product_ids[rows], truth[rows], probabilities, columns))
    return Answers.concatenate(parts)


def answers_about_photos(bundle: Bundle, catalog: Catalog, data: ProductFeatures, options: EvaluateOptions) -> Answers:
    """Answer about each photo (n,) alone, under the id and with the category of its product; errors as above."""
    columns = _columns(bundle, catalog, data, options)
    truth = columns.of(data.categories)
    parts = []
    for start in range(0, len(data.photos), _BLOCK):
        product = data.product[start : start + _BLOCK]
        probabilities = bundle.probabilities(data.photos[start : start + _BLOCK])
        parts.append(_answers(data.product_ids[product], truth[product], probabilities, columns))
    return Answers.concatenate(parts)


def _answers(
    ids: NDArray[np.object_], truth: NDArray[np.int32], probabilities: NDArray[np.float32], columns: Columns
) -> Answers:
    padded = np.pad(probabilities, ((0, 0), (0, len(columns) - probabilities.shape[1])))
    return Answers.from_probabilities(ids.astype(np.str_), truth, padded, columns)


def _columns(bundle: Bundle, catalog: Catalog, data: ProductFeatures, options: EvaluateOptions) -> Columns:
    unknown = _unknown_categories(bundle, catalog, data, options)
    return Columns((*bundle.categories, *unknown), _joined_tree(bundle, catalog, unknown))


def _joined_tree(bundle: Bundle, catalog: Catalog, unknown: tuple[str, ...]) -> Taxonomy:
    """Return the bundle's tree with the branches of the catalog's that hold categories unknown to it."""
    if not unknown:
        return bundle.taxonomy
    ours, theirs = bundle.taxonomy, catalog.taxonomy
    joined = {node: theirs.nodes[node] for category in unknown for node in theirs.path(category)} | ours.nodes
    tree = Taxonomy(joined.values())
    return Taxonomy(joined.values(), ours.level_names) if tree.depth == ours.depth else tree


def _unknown_categories(
    bundle: Bundle, catalog: Catalog, data: ProductFeatures, options: EvaluateOptions
) -> tuple[str, ...]:
    """Compare the split's categories with the bundle's, by id and by name; return those that the bundle does not know."""
    present, known = sorted(set(data.categories)), set(bundle.categories)
    bundle.columns.refuse_renamed(present, catalog.taxonomy, "the bundle", "the catalog")
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


def _listing(categories: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(categories[:_SHOWN_CATEGORIES])
    return shown + (f", ... ({len(categories)} in all)" if len(categories) > _SHOWN_CATEGORIES else "")
