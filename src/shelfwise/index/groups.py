"""Groups of pictures that are all alike, every one to every other: no chains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from shelfwise.index.look_alikes import CORRELATION, RADIUS, Places, Thumbnails, correlated

# Correlations are computed in float32.
_ROUNDING = 1e-5


def look_alike_groups(
    hashes: NDArray[np.uint64], thumbnails: Thumbnails, radius: int = RADIUS, correlation: float = CORRELATION
) -> Places:
    """Return the group (n,) of each distinct picture, -1 for those that are like no other.

    Every two members of a group are within `radius` bits and correlated by `correlation`, compared or by the triangle
    inequality: of a crowd with one hash (see `look_alikes`) most are compared with its first alone, and those within half
    the radius and half the angle of one picture cannot be farther apart than the whole. Arguments as for `look_alikes`.
    Source: the correlation of two pictures is the cosine of the angle between their thumbnails, less their means.
    """
    i, j, measured = correlated(hashes, thumbnails, radius, correlation)
    return groups(len(hashes), i, j, within_half(hashes[i] ^ hashes[j], measured, radius, correlation))


def within_half(
    differences: NDArray[np.uint64], measured: NDArray[np.float32], radius: int, correlation: float
) -> NDArray[np.bool_]:
    """Tell which pairs (m,) are within half the radius and half the angle, given the bits that differ and the correlations."""
    half_angle = np.sqrt((1 + correlation) / 2)
    return np.asarray((np.bitwise_count(differences) <= radius // 2) & (measured >= half_angle + _ROUNDING))


def groups(n: int, i: Places, j: Places, half: NDArray[np.bool_] | None = None) -> Places:
    """Return the group (n,) of each place, numbered from 0 in order of their first members, -1 for those alone.

    i, j: places i < j (m,) of all pairs, each once. Every two members of a group are such a pair. half: (m,), which pairs
    are within half the distance, so that two partners of one place are a pair even if it is not among those given.
    Greedy: from the place with the most partners on, and of equals from the first, each takes those of its free partners
    that belong together, again by the number of their partners. A place with partners may stay alone, if they are taken.
    """
    group = np.full(n, -1, dtype=np.int64)
    half = np.zeros(len(i), dtype=np.bool_) if half is None else half
    if not len(i):
        return group
    component = connected_components(coo_array((np.ones(len(i), np.bool_), (i, j)), shape=(n, n)), directed=False)[1]
    places, pairs = np.bincount(component), np.bincount(component[i], minlength=component.max() + 1)
    whole = (pairs == places * (places - 1) // 2)[component] & (places > 1)[component]
    group[whole] = component[whole]
    open_pairs = ~whole[i]
    _Partners(n, i[open_pairs], j[open_pairs], half[open_pairs]).share_out(group, int(component.max()) + 1)
    return _renumbered(group)


class _Partners:
    """The partners of every place: those with more partners first."""

    def __init__(self, n: int, i: Places, j: Places, half: NDArray[np.bool_]) -> None:
        place, partner = np.concatenate((i, j)), np.concatenate((j, i))
        self.count = np.bincount(place, minlength=n)
        order = np.lexsort((partner, -self.count[partner], place))
        self.partner, self.half = partner[order], np.concatenate((half, half))[order]
        self.start = np.concatenate(([0], np.cumsum(self.count)))

    def share_out(self, group: Places, number: int) -> None:
        """Give every place that has partners to a group, numbered from `number` on, where one is left for it."""
        linked = np.flatnonzero(self.count)
        marked = np.full(len(group), -1, dtype=np.int64)
        for seed in linked[np.lexsort((linked, -self.count[linked]))].tolist():
            if group[seed] >= 0:
                continue
            rows = slice(self.start[seed], self.start[seed + 1])
            free = group[self.partner[rows]] < 0
            partners, half = self.partner[rows][free], self.partner[rows][free & self.half[rows]]
            members = self._all_partners(partners, marked)
            members = half if len(half) > len(members) else members
            if len(members):
                group[seed] = group[members] = number
                number += 1

    def _all_partners(self, places: Places, marked: Places) -> Places:
        """Choose, from the first on, those of the places that are partners of one another; marked: room to work in."""
        chosen = []
        while len(places):
            chosen.append(place := int(places[0]))
            marked[self.partner[self.start[place] : self.start[place + 1]]] = place
            places = places[marked[places] == place]
        return np.array(chosen, dtype=np.int64)


def _renumbered(group: Places) -> Places:
    """Number the groups by their first members."""
    grouped = np.flatnonzero(group >= 0)
    _, first, number = np.unique(group[grouped], return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    group[grouped] = rank[number]
    return group
