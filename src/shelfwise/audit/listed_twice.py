"""Products that are listed twice: all that one shows, another shows too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from shelfwise.audit.alike import Alike
from shelfwise.index.bonds import incidence

Numbers = NDArray[np.int32]
Places = NDArray[np.int64]


def listed_twice(alike: Alike, area: NDArray[np.float32]) -> tuple[Numbers, NDArray[np.float32]]:
    """Return for each product (p,) the one that it is a repeat of, -1 for none, and the share of that one's looks that it shows.

    area: pixels (n,) of the photos. A product is a repeat where every look of it, at least one of them of no useful
    repeat, is a look of the other, which is in the same category and split and comes first: by more looks, then by the
    largest photo, then by its row. The other is never a repeat itself. Blank pictures and placeholders say nothing.
    """
    inventory, (product, look) = alike.inventory, alike.members
    p = inventory.products
    looks = np.bincount(product, minlength=p)
    rank = _ranks(looks, area, inventory.photo_product)
    shows = incidence(product, look, (p, alike.looks))
    one, other = _candidates(alike, product, look, shows)
    fits = rank[other] < rank[one]
    for same in (inventory.category, inventory.split):
        fits &= same[one] == same[other]
    one, other = one[fits], other[fits]
    common = shows[one].multiply(shows[other]).sum(axis=1)
    whole = common == looks[one]
    one, other = one[whole], other[whole]
    best = np.full(p, p, np.int64)
    np.minimum.at(best, one, rank[other])
    by_rank = np.append(np.argsort(rank), -1)
    into = by_rank[best].astype(np.int32)
    return into, (looks / np.maximum(looks[into], 1)).astype(np.float32)


def _ranks(looks: Places, area: NDArray[np.float32], photo_product: Numbers) -> Places:
    """Return the place (p,) of each product in the order in which they stay."""
    largest = np.zeros(len(looks), np.float32)
    np.maximum.at(largest, photo_product, area)
    rank = np.empty(len(looks), np.int64)
    rank[np.lexsort((np.arange(len(looks)), -largest, -looks))] = np.arange(len(looks))
    return rank


def _candidates(alike: Alike, product: Numbers, look: Numbers, shows: csr_array) -> tuple[Places, Places]:
    """Pair each product of which every look is shared with all others that show the rarest one that is of no useful repeat."""
    by = alike.shown_by
    has_own = np.zeros(shows.shape[0], dtype=np.bool_)
    has_own[product[by[look] < 2]] = True
    telling = ~(alike.useful[look] | has_own[product])
    product, look = product[telling], look[telling]
    order = np.lexsort((look, by[look], product))
    one, first = np.unique(product[order], return_index=True)
    rarest = look[order][first]
    columns = shows.tocsc()
    count = by[rarest]
    starts = np.repeat(columns.indptr[rarest], count)
    within = np.arange(len(starts)) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(one, count).astype(np.int64), columns.indices[starts + within].astype(np.int64)
