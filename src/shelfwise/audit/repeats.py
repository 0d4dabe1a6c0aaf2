"""Repeats: the same picture again, byte for byte or saved anew; products that are listed twice; repeats that are useful."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.audit.alike import Alike
from shelfwise.audit.findings import Found
from shelfwise.audit.listed_twice import listed_twice
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory

Numbers = NDArray[np.int32]
Flags = NDArray[np.bool_]


def find_repeats(catalog: Catalog, alike: Alike) -> list[Found]:
    """Find exact repeats, near repeats, useful repeats and products listed twice.

    A set is a picture, or pictures that all look alike, its best photo (largest, then first) first. `kept` of a photo
    is the product that stays where this one can be set aside: another product of which the photo's product is a
    repeat as a whole, or its own, which shows the picture already; -1 where nothing is proposed. The score is the share
    of the hash's bits that agree with the best photo's. A product listed twice is a finding without a photo: every
    look of it is one of the kept product's, in the same category and split; its score is the share of the kept
    product's looks that it shows.
    """
    inventory = alike.inventory
    area = _areas(catalog, inventory)
    into, agreement = listed_twice(alike, area)
    copies = np.bincount(inventory.photo_picture, minlength=inventory.pictures)
    saved = np.bincount(alike.look, minlength=alike.looks)
    fine = ~(alike.left_aside | alike.useful)
    exact = (copies > 1)[inventory.photo_picture] & fine[alike.photo_look]
    near = (saved > 1)[alike.photo_look] & fine[alike.photo_look]
    useful = alike.useful[alike.photo_look]
    return [
        _found("exact_repeat", alike, exact, inventory.photo_picture, area, into),
        _found("near_repeat", alike, near, alike.photo_look, area, into),
        _twice(into, agreement),
        _found("useful_repeat", alike, useful, alike.photo_look, area, into),
    ]


def _twice(into: Numbers, agreement: NDArray[np.float32]) -> Found:
    """List the products that are repeats of another, a set for every product that stays."""
    product = np.flatnonzero(into >= 0)
    product = product[np.lexsort((product, into[product]))]
    kept = into[product]
    facts = {"products": len(product), "listings": len(product) + len(np.unique(kept))}
    return Found.of(
        "listed_twice", set=_sets(kept)[1], product=product, score=agreement[product], kept=kept, facts=facts
    )


def _areas(catalog: Catalog, inventory: Inventory) -> NDArray[np.float32]:
    """Read the pixels (n,) of photos."""
    batches = catalog.batches("images", ["width", "height"])
    areas = [pc.multiply(batch.column(0).cast("float"), batch.column(1).cast("float")) for batch in batches]
    area = np.concatenate([np.empty(0, np.float32), *(part.to_numpy(zero_copy_only=False) for part in areas)])
    return np.asarray(area[inventory.photo_row], dtype=np.float32)


def _found(kind: str, alike: Alike, chosen: Flags, number: Numbers, area: NDArray[np.float32], into: Numbers) -> Found:
    """Make a set of the chosen photos (n,) of every number (n,)."""
    inventory = alike.inventory
    photo = np.flatnonzero(chosen)
    photo = photo[np.lexsort((photo, -area[photo], number[photo]))]
    first, sets = _sets(number[photo])
    product, picture = inventory.photo_product[photo], inventory.photo_picture[photo]
    best = picture[first][sets]
    apart = np.bitwise_count(inventory.hashes[picture] ^ inventory.hashes[best])
    again = np.ones(len(photo), dtype=np.bool_)
    again[np.unique(np.stack((sets, product)), axis=1, return_index=True)[1]] = False
    kept = np.where(into[product] >= 0, into[product], np.where(again, product, -1))
    products = len(np.unique(product))
    facts = {"pictures": len(np.unique(picture)), "photos": len(photo), "products": products}
    return Found.of(kind, set=sets, product=product, photo=photo, score=1 - apart / 64, kept=kept, facts=facts)


def _sets(number: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the runs of equal numbers (k,) from 0: the first place of each, and the run (k,) that each is in."""
    starts = np.flatnonzero(np.diff(number, prepend=number[0] - 1 if len(number) else 0))
    return starts, np.cumsum(np.isin(np.arange(len(number)), starts)) - 1
