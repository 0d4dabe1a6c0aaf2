"""Which products a bundle is to learn, to forget, or to know on another shelf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.backbones.products import ProductFeatures, read_named_products
from shelfwise.bundle import Bundle
from shelfwise.bundle.learned import Learned, listed
from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError, LabelMismatchError, OptionError
from shelfwise.options import UpdateOptions


@dataclass(frozen=True)
class Selection:
    """Products with their vectors: to be added, removed, and moved to the shelf where the catalog has them now.

    skipped: products of a split that are learned already; unusable: of a split, without a category or a usable photo.
    """

    added: ProductFeatures
    removed: ProductFeatures
    moved: ProductFeatures
    skipped: int = 0
    unusable: int = 0


def select(catalog: Catalog, bundle: Bundle, learned: Learned, options: UpdateOptions) -> Selection:
    """Read what the options name; raises OptionError or CatalogError for products that cannot be used, by name."""
    add, remove = _ids("--add", options.add), _ids("--remove", options.remove)
    moved = _moved(catalog, bundle, learned, set(remove)) if options.moved else []
    of_split = _of_split(catalog, options.add_split) if options.add_split is not None else []
    known = learned.places(of_split) >= 0
    asked = set(add)
    new = [product for product, is_known in zip(of_split, known, strict=True) if not is_known and product not in asked]
    if not (add or new or remove or moved):
        raise OptionError(
            f"all {len(of_split):,} products of the split {options.add_split!r} were learned before"
            if of_split
            else "nothing to do: name products with --add, --add-split or --remove, or ask for --moved"
        )
    data = read_named_products(catalog, bundle.layout, [*add, *new, *remove, *moved])
    place = {product: row for row, product in enumerate(data.product_ids)}
    _refuse_unusable(catalog, [*add, *remove, *moved], place)
    usable = [product for product in new if product in place]
    added = data.take(np.array([place[product] for product in (*add, *usable)], dtype=np.int64))
    filed = np.array([category is not None for category in added.categories], dtype=np.bool_)
    if not filed[: len(add)].all():
        unfiled = added.product_ids[: len(add)][~filed[: len(add)]]
        raise CatalogError(
            f"{listed(unfiled)} never put on a shelf: file them first, with  shelfwise review  or a plan"
        )
    added = added.take(np.flatnonzero(filed))
    _refuse_other_names(bundle, catalog, added)
    return Selection(
        added, _take(data, place, remove), _take(data, place, moved), int(known.sum()),
        len(add) + len(new) - len(added),
    )  # fmt: skip


def _ids(flag: str, values: Sequence[str]) -> list[str]:
    """Return ids in order, those of files included; raises OptionError for one that is named twice."""
    ids: list[str] = []
    for value in values:
        if not value.startswith("@"):
            ids.append(value)
            continue
        try:
            lines = Path(value[1:]).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"{flag} {value}: the file cannot be read ({error})") from None
        ids += [line.strip() for line in lines if line.strip()]
    if len(set(ids)) < len(ids):
        twice = next(product for product in ids if ids.count(product) > 1)
        raise OptionError(f"{flag} names the product {twice!r} twice")
    return ids


def _of_split(catalog: Catalog, split: str) -> list[str]:
    products = catalog.products(["product_id", "split"])
    ids = products.filter(pc.equal(products.column("split"), split)).column("product_id").to_pylist()
    if not ids:
        there = ", ".join(sorted(set(products.column("split").unique().to_pylist()) - {None})) or "none"
        raise CatalogError(f"the catalog has no split {split}; it has: {there}")
    return list(ids)


def _moved(catalog: Catalog, bundle: Bundle, learned: Learned, removed: set[str]) -> list[str]:
    """Return the products that stand on another shelf now than when they were learned."""
    products = catalog.products(["product_id", "category"])
    ours = products.filter(pc.is_in(products.column("product_id"), pa.array(learned.product_ids, pa.string())))
    found = []
    for row in ours.to_pylist():
        then = bundle.categories[learned.column[learned.places([row["product_id"]])[0]]]
        if row["category"] not in (None, then) and row["product_id"] not in removed:
            found.append(row["product_id"])
    return found


def _refuse_unusable(catalog: Catalog, asked: list[str], place: dict[str, int]) -> None:
    missing = [product for product in asked if product not in place]
    if not missing:
        return
    there = set(catalog.products(["product_id"]).column("product_id").to_pylist())
    unknown = np.array([product for product in missing if product not in there], dtype=np.object_)
    if len(unknown):
        raise CatalogError(f"{listed(unknown)} not found in {catalog.path}")
    raise CatalogError(f"{listed(missing)} left without a usable photo: see  shelfwise quarantine list {catalog.path}")


def _refuse_other_names(bundle: Bundle, catalog: Catalog, data: ProductFeatures) -> None:
    """Raise LabelMismatchError where bundle and catalog do not mean the same by a category."""
    ours, theirs = bundle.taxonomy, catalog.taxonomy
    for category in dict.fromkeys(data.categories):
        both = [node for node in theirs.path(category) if node in ours.nodes]
        other = next((node for node in both if ours.names(node) != theirs.names(node)), None)
        if other is not None:
            raise LabelMismatchError(
                f"{other} is {' > '.join(ours.names(other))} in the bundle, {' > '.join(theirs.names(other))} in the catalog: "
                "make the same change to the bundle first, with  shelfwise taxonomy rename  or  move"
            )


def _take(data: ProductFeatures, place: dict[str, int], ids: list[str]) -> ProductFeatures:
    rows: NDArray[np.int64] = np.array([place[product] for product in ids], dtype=np.int64)
    return data.take(rows)
