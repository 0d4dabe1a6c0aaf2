"""What shows the same as what: the look of every picture, and the bonds that follow, compared once for all checks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory
from shelfwise.index.bonds import Bonds
from shelfwise.index.groups import groups, within_half
from shelfwise.index.same_pictures import same_pictures
from shelfwise.options import AuditOptions
from shelfwise.progress import SILENT, Progress

Numbers = NDArray[np.int32]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

# Thumbnails of one photo, saved again, are correlated by so much; photos of a burst are less, and only keep products
# together. Source: docs/experiments.md, repeats and bursts.
SAME_PHOTO = 0.98
# From so many products on, what most of them show beside a photo of their own is a size table and not a product; and on
# more than so many, a picture is never taken for one product that was listed so often.
# Source: docs/experiments.md, useful repeats.
USEFUL_PRODUCTS, USEFUL_OWN_SHARE, LISTED_OFTEN = 5, 0.5, 30


@dataclass(frozen=True, eq=False)
class Alike:
    """The looks of an inventory's n photos and m pictures: a look is one photo, however it was saved.

    look: int32 (m,), a number; looks: how many there are; blank: (m,); bonds: of what is not blank, between photos of a
    burst too.
    """

    inventory: Inventory
    bonds: Bonds
    look: Numbers
    looks: int
    blank: Flags

    @cached_property
    def left_aside(self) -> Flags:
        """Which looks show no product: blank pictures and placeholders."""
        aside = np.zeros(self.looks, dtype=np.bool_)
        aside[self.look[self.blank | self.bonds.placeholders]] = True
        return aside

    @cached_property
    def photo_look(self) -> Numbers:
        """The look (n,) of each photo."""
        return self.look[self.inventory.photo_picture]

    @cached_property
    def showing(self) -> Flags:
        """Which products (p,) have a photo that is not left aside."""
        return np.bincount(self.members[0], minlength=self.inventory.products) > 0

    @cached_property
    def members(self) -> tuple[Numbers, Numbers]:
        """The products and the looks (k,), looks ascending, that go together, once each; those left aside are not in it."""
        kept = ~self.left_aside[self.photo_look]
        pairs = self.photo_look[kept].astype(np.int64) * self.inventory.products + self.inventory.photo_product[kept]
        pairs.sort()
        once = pairs[np.diff(pairs, prepend=-1) > 0]
        look, product = np.divmod(once, max(self.inventory.products, 1))
        return product.astype(np.int32), look.astype(np.int32)

    @cached_property
    def shown_by(self) -> Numbers:
        """How many products show each look; 0 for one that is left aside."""
        return np.bincount(self.members[1], minlength=self.looks).astype(np.int32)

    @cached_property
    def useful(self) -> Flags:
        """Which looks many products share on purpose: they have photos of their own, or are far too many to be one."""
        product, look = self.members
        has_own = np.zeros(self.inventory.products, dtype=np.bool_)
        has_own[product[self.shown_by[look] < USEFUL_PRODUCTS]] = True
        own = np.bincount(look, has_own[product], self.looks)
        beside_own = (self.shown_by >= USEFUL_PRODUCTS) & (own >= USEFUL_OWN_SHARE * self.shown_by)
        return np.asarray(beside_own | (self.shown_by > LISTED_OFTEN))


def find_alike(
    catalog: Catalog, inventory: Inventory, options: AuditOptions, *, blank: Flags | None = None,
    progress: Progress = SILENT,
) -> Alike:  # fmt: skip
    """Compare all pictures of an inventory; those that are blank (m,) are like no other."""
    if blank is None:
        blank = np.zeros(inventory.pictures, dtype=np.bool_)
    i, j, measured = same_pictures(catalog, inventory, options.radius, threads=options.threads, progress=progress)
    seen = ~(blank[i] | blank[j])
    i, j, measured = i[seen], j[seen], measured[seen]
    look = _looks(inventory, i, j, measured, options.radius)
    bonds = Bonds.of(inventory, catalog.taxonomy, (i, j), without=blank)
    return Alike(inventory, bonds, look, int(look.max(initial=-1)) + 1, blank)


def _looks(inventory: Inventory, i: Places, j: Places, measured: NDArray[np.float32], radius: int) -> Numbers:
    """Number the looks: groups of pictures of which every two are one photo, then the pictures that are like no other."""
    same = measured >= SAME_PHOTO
    i, j = i[same], j[same]
    half = within_half(inventory.hashes[i] ^ inventory.hashes[j], measured[same], radius, SAME_PHOTO)
    look = groups(inventory.pictures, i, j, half)
    alone = np.flatnonzero(look < 0)
    look[alone] = int(look.max(initial=-1)) + 1 + np.arange(len(alone))
    return look.astype(np.int32)
