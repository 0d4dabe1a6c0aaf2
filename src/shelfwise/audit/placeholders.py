"""Pictures that show no product: placeholders, by where they are, and blank pictures, by what is on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shelfwise.audit.alike import Alike
from shelfwise.audit.findings import Found
from shelfwise.images.measures import NAMES
from shelfwise.statistics.spread import Spread, spread

# A blank picture varies by less than this, as shares of the most that is possible. Source: docs/experiments.md, blank pictures.
BLANK_CONTRAST, BLANK_VARIETY = 0.03, 0.01

Numbers = NDArray[np.int32]
Flags = NDArray[np.bool_]
_FACTS = 50


def blank_pictures(blocks: Iterable[tuple[NDArray[Any], NDArray[np.float32]]], pictures: int) -> Flags:
    """Tell which pictures (m,) are nearly of one color: blocks hold the numbers (b,) of pictures and their measures (b, K)."""
    blank = np.zeros(pictures, dtype=np.bool_)
    contrast, variety = NAMES.index("contrast"), NAMES.index("variety")
    for numbers, values in blocks:
        blank[numbers] = (values[:, contrast] < BLANK_CONTRAST) & (values[:, variety] < BLANK_VARIETY)
    return blank


def find_placeholders(alike: Alike) -> list[Found]:
    """Find placeholders and blank pictures.

    A set of placeholders is pictures linked by looking alike; its score is the spread of its products over the
    categories, as a share of chance. A set of blank pictures is one picture, and its score is 1.
    """
    inventory = alike.inventory
    numbers = _linked(alike)
    photo = np.flatnonzero(alike.bonds.placeholders[inventory.photo_picture])
    sets = numbers[inventory.photo_picture[photo]]
    photo, sets = photo[np.argsort(sets, kind="stable")], np.sort(sets)
    found = _spread(alike, sets, inventory.photo_product[photo])
    placeholders = Found.of(
        "placeholder", set=sets, product=inventory.photo_product[photo], photo=photo, score=found.share[sets],
        facts={"pictures": int(alike.bonds.placeholders.sum()), "photos": len(photo), "sets": _largest(found)},
    )  # fmt: skip
    return [placeholders, _blank(alike)]


def _linked(alike: Alike) -> Numbers:
    """Number the placeholders (m,) from 0, those that are linked by looking alike with one number; others are -1."""
    is_one, (i, j) = alike.bonds.placeholders, alike.bonds.pairs
    both = is_one[i] & is_one[j]
    links = coo_array((np.ones(both.sum(), np.bool_), (i[both], j[both])), shape=(len(is_one),) * 2)
    numbers = np.full(len(is_one), -1, np.int32)
    component = connected_components(links, directed=False)[1][is_one]
    numbers[is_one] = np.unique(component, return_inverse=True)[1]
    return numbers


def _spread(alike: Alike, sets: Numbers, product: Numbers) -> Spread:
    """Measure the spread of sets, of which each product counts once."""
    pairs = np.unique(np.stack((sets, product)), axis=1)
    categories = alike.inventory.category[pairs[1]]
    return spread(pairs[0], categories, int(sets.max(initial=-1)) + 1, alike.bonds.shelves)


def _largest(found: Spread) -> list[dict[str, Any]]:
    """Describe the sets on the most products."""
    order = np.argsort(-found.products, kind="stable")[:_FACTS]
    return [
        {
            "set": int(s), "products": int(found.products[s]), "categories": int(found.categories[s]),
            "spread": round(float(found.share[s]), 3),
        } for s in order
    ]  # fmt: skip


def _blank(alike: Alike) -> Found:
    inventory = alike.inventory
    photo = np.flatnonzero(alike.blank[inventory.photo_picture])
    photo = photo[np.argsort(inventory.photo_picture[photo], kind="stable")]
    pictures, sets = np.unique(inventory.photo_picture[photo], return_inverse=True)
    facts = {"pictures": len(pictures), "photos": len(photo)}
    return Found.of("blank", set=sets, product=inventory.photo_product[photo], photo=photo, facts=facts)
