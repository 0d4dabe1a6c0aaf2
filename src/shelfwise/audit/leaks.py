"""Leaks: one picture on several shelves, one product in several splits; and groups that show different pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.audit.alike import Alike
from shelfwise.audit.findings import Found
from shelfwise.catalog.inventory import Inventory
from shelfwise.index.bonds import Bonds

Numbers = NDArray[np.int32]
Flags = NDArray[np.bool_]
LEARN = "train"


def find_leaks(alike: Alike, learn: str = LEARN) -> list[Found]:
    """Find pictures on several shelves, products bound to one of another split, and groups without a picture in common."""
    return [_several_categories(alike), _across_splits(alike, learn), _group_differs(alike)]


def leaked(inventory: Inventory, bonds: Bonds, learn: str = LEARN) -> Flags:
    """Tell which products (p,) of the other splits are bound to a product of the split `learn`: tests that are no tests."""
    if learn not in inventory.splits:
        return np.zeros(inventory.products, dtype=np.bool_)
    learned = inventory.split == inventory.splits.index(learn)
    reaching = np.logical_or.reduce(list(bonds.reaching(learned).values()))
    return np.asarray(reaching & (inventory.split >= 0))


def _several_categories(alike: Alike) -> Found:
    """List the looks that lie in several categories; useful repeats, which may, and what shows no product are left aside.

    The score is the share of a look's products that are in its most frequent category, which is the shelf suggested to
    the others; where several are as frequent, none is.
    """
    inventory = alike.inventory
    several, leading, share = _leading(alike)
    photo = np.flatnonzero(several[alike.photo_look] & (inventory.category[inventory.photo_product] >= 0))
    photo = photo[np.argsort(alike.photo_look[photo], kind="stable")]
    shown, owner = alike.photo_look[photo], inventory.photo_product[photo]
    shelf = np.where(inventory.category[owner] == leading[shown], -1, leading[shown])
    sets = np.unique(shown, return_inverse=True)[1]
    facts = {"looks": int(several.sum()), "photos": len(photo), "products": len(np.unique(owner))}
    return Found.of(
        "several_categories", set=sets, product=owner, photo=photo, score=share[shown], shelf=shelf, facts=facts
    )


def _leading(alike: Alike) -> tuple[Flags, Numbers, NDArray[np.float64]]:
    """Tell, of looks (m,), which lie in several categories, the category that leads, -1 for a tie, and its share."""
    inventory, (product, look) = alike.inventory, alike.members
    filed = (inventory.category[product] >= 0) & ~alike.useful[look]
    product, look = product[filed], look[filed]
    categories = max(len(inventory.categories), 1)
    place, count = np.unique(look.astype(np.int64) * categories + inventory.category[product], return_counts=True)
    of_look, category = np.divmod(place, categories)
    most = np.zeros(alike.looks, np.int64)
    np.maximum.at(most, of_look, count)
    leads = count == most[of_look]
    leading = np.full(alike.looks, -1, np.int32)
    leading[of_look[leads]] = category[leads]
    leading[np.bincount(of_look, leads, alike.looks) > 1] = -1
    several = np.bincount(of_look, minlength=alike.looks) > 1
    return several, leading, most / np.maximum(np.bincount(look, minlength=alike.looks), 1)


def _across_splits(alike: Alike, learn: str) -> Found:
    """List the products bound to one of another split: by group and the same picture (score 1), by look-alikes alone (0.5).

    A set is what bonds link, directly or through others. Their photo is the first that another split shows too.
    """
    inventory, bonds = alike.inventory, alike.bonds
    crossing = {kind: np.zeros(inventory.products, dtype=np.bool_) for kind in ("group", "same_picture", "look_alike")}
    for split in range(len(inventory.splits)):
        for kind, reaching in bonds.reaching(inventory.split == split).items():
            crossing[kind] |= reaching & (inventory.split >= 0)
    sure = crossing["group"] | crossing["same_picture"]
    product = np.flatnonzero(sure | crossing["look_alike"])
    sets = np.unique(bonds.units()[product], return_inverse=True)[1]
    order = np.argsort(sets, kind="stable")
    product, sets = product[order], sets[order]
    test = leaked(inventory, bonds, learn)
    facts = {
        "pairs": bonds.across(inventory.split),
        "products": {kind: int(which.sum()) for kind, which in crossing.items()},
        "into": learn,
        "leaked": _by_split(inventory, test),
        "of": _by_split(inventory, inventory.split >= 0),
    }
    photo = _first_crossing(inventory, bonds)[product]
    return Found.of(
        "across_splits", set=sets, product=product, photo=photo, score=np.where(sure[product], 1, 0.5), facts=facts
    )


def _by_split(inventory: Inventory, chosen: Flags) -> dict[str, int]:
    counts = np.bincount(inventory.split[chosen & (inventory.split >= 0)], minlength=len(inventory.splits))
    return {name: int(count) for name, count in zip(inventory.splits, counts, strict=True)}


def _first_crossing(inventory: Inventory, bonds: Bonds) -> NDArray[np.int64]:
    """Return the first photo (p,) of each product whose picture, or one like it, is in several splits; -1 for none."""
    names = len(inventory.splits)
    on_picture = bonds.shared.astype(np.int32).T @ np.eye(names + 1, names, dtype=np.int32)[inventory.split]
    in_split = on_picture > 0
    several = in_split.sum(axis=1) > 1
    i, j = bonds.telling_pairs
    apart = (in_split[i] | in_split[j]).sum(axis=1) > 1
    several[i[apart]] = several[j[apart]] = True
    photo = np.flatnonzero(several[inventory.photo_picture])[::-1]
    first = np.full(inventory.products, -1, np.int64)
    first[inventory.photo_product[photo]] = photo
    return first


def _group_differs(alike: Alike) -> Found:
    """List the groups of several products of which no two show the same picture, or pictures that look alike.

    Photos of one thing may well differ: what is told is that nothing seen speaks for the group. The score is the share
    of the hash's bits in which a product's first picture differs from that of the group's first product, 0 for that one.
    """
    inventory, bonds = alike.inventory, alike.bonds
    photos = np.flatnonzero(~alike.left_aside[alike.photo_look])[::-1]
    first = np.full(inventory.products, -1, np.int64)
    first[inventory.photo_product[photos]] = photos
    member = np.flatnonzero((inventory.group >= 0) & (first >= 0))
    of_several = np.bincount(inventory.group[member], minlength=inventory.groups) > 1
    differs = of_several & ~_seen_together(bonds)
    product = member[differs[inventory.group[member]]]
    product = product[np.argsort(inventory.group[product], kind="stable")]
    group, starts, sets = np.unique(inventory.group[product], return_index=True, return_inverse=True)
    hashes = inventory.hashes[inventory.photo_picture[first[product]]]
    apart = np.bitwise_count(hashes ^ hashes[starts][sets])
    facts: dict[str, Any] = {"groups": int(of_several.sum()), "differ": len(group), "products": len(product)}
    return Found.of("group_differs", set=sets, product=product, photo=first[product], score=apart / 64, facts=facts)


def _seen_together(bonds: Bonds) -> Flags:
    """Tell which groups (g,) hold two products that show the same picture, or pictures that look alike."""
    shows = (bonds.groups.astype(np.int32).T @ bonds.shared.astype(np.int32)).tocsc()
    i, j = bonds.telling_pairs
    together = shows.max(axis=1).toarray().ravel() > 1 if shows.shape[1] else np.zeros(shows.shape[0], dtype=np.bool_)
    if len(i):
        together |= shows[:, i].multiply(shows[:, j]).sum(axis=1) > 0
    return np.asarray(together)
