"""What keeps products together: a group, the same picture, look-alike pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, eye_array
from scipy.sparse.csgraph import connected_components

from shelfwise.catalog.inventory import Inventory
from shelfwise.statistics.spread import LEAST_OUTSIDE, Shelves, Spread, spread
from shelfwise.taxonomy import Taxonomy

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]
KINDS = ("group", "same_picture", "look_alike")


def incidence(rows: NDArray[np.integer], columns: NDArray[np.integer], shape: tuple[int, int]) -> csr_array:
    """Make the boolean matrix that is true at the given places."""
    return coo_array((np.ones(len(rows), dtype=np.bool_), (rows, columns)), shape=shape).tocsr()


@dataclass(frozen=True)
class Bonds:
    """The bonds between p products.

    groups, pictures: boolean (p, g) and (p, n), who is in which group and shows which distinct picture. pairs: places
    (m,), (m,) of pictures that look alike. categories: (p,) numbers in `shelves`, -1 for none.
    """

    groups: csr_array
    pictures: csr_array
    pairs: tuple[Places, Places]
    categories: NDArray[np.integer]
    shelves: Shelves

    @classmethod
    def of(
        cls, inventory: Inventory, taxonomy: Taxonomy, pairs: tuple[Places, Places], without: Flags | None = None
    ) -> Bonds:
        """Take the bonds of an inventory, given its look-alike pictures; pictures (n,) of `without` bind nothing."""
        p, (product, picture) = inventory.products, (inventory.photo_product, inventory.photo_picture)
        if without is not None:
            pairs = tuple(side[~(without[pairs[0]] | without[pairs[1]])] for side in pairs)  # type: ignore[assignment]
            product, picture = product[~without[picture]], picture[~without[picture]]
        member = np.flatnonzero(inventory.group >= 0)
        return cls(
            groups=incidence(member, inventory.group[member], (p, inventory.groups)),
            pictures=incidence(product, picture, (p, inventory.pictures)),
            pairs=pairs,
            categories=inventory.category,
            shelves=Shelves.of(taxonomy, inventory.categories, inventory.category),
        )

    @cached_property
    def spread(self) -> tuple[Places, Spread]:
        """The pictures (s,) that are, they or pictures like them, on products enough to be placeholders, and their spread."""
        (i, j), n = self.pairs, self.pictures.shape[1]
        shown = np.diff(self.pictures.tocsc().indptr)
        at_most = shown + np.bincount(i, shown[j], n) + np.bincount(j, shown[i], n)
        candidates = np.flatnonzero(at_most > LEAST_OUTSIDE)
        alike = incidence(i, j, (n, n))
        near = self.pictures @ (alike + alike.T + eye_array(n, dtype=np.bool_, format="csr")).tocsc()[:, candidates]
        product, candidate = near.nonzero()
        return candidates, spread(candidate, self.categories[product], len(candidates), self.shelves)

    @cached_property
    def placeholders(self) -> Flags:
        """Which pictures (n,) are placeholders: spread over the catalog, they or pictures like them, or like such a one.

        They keep nothing together, or all products without a photo would be one huge unit. Where products have no
        category, none can be told.
        """
        candidates, found = self.spread
        is_placeholder = np.zeros(self.pictures.shape[1], dtype=np.bool_)
        is_placeholder[candidates[found.everywhere]] = True
        i, j = self.pairs
        like_one = np.concatenate((j[is_placeholder[i]], i[is_placeholder[j]]))
        is_placeholder[like_one] = True
        return is_placeholder

    @cached_property
    def shared(self) -> csr_array:
        """The pictures of products, without placeholders (p, n)."""
        product, picture = self.pictures.nonzero()
        kept = ~self.placeholders[picture]
        return incidence(product[kept], picture[kept], self.pictures.shape)

    @cached_property
    def telling_pairs(self) -> tuple[Places, Places]:
        """The look-alike pictures of which neither is a placeholder, and which are of more than one product."""
        i, j = self.pairs
        products = np.diff(self.shared.tocsc().indptr)
        owner = np.full(self.shared.shape[1], -1, dtype=np.int64)
        product, picture = self.shared.nonzero()
        owner[picture] = product
        of_one_product = (products[i] == 1) & (products[j] == 1) & (owner[i] == owner[j])
        kept = ~(self.placeholders[i] | self.placeholders[j] | of_one_product)
        return i[kept], j[kept]

    def units(self) -> Places:
        """Number the units (p,): products linked by bonds, directly or through others, share a number."""
        (p, g), n = self.groups.shape, self.shared.shape[1]
        member, group = self.groups.nonzero()
        product, picture = self.shared.nonzero()
        i, j = self.telling_pairs
        rows = np.concatenate((member, product, p + g + i))
        columns = np.concatenate((p + group, p + g + picture, p + g + j))
        links = incidence(rows, columns, (p + g + n, p + g + n))
        return np.asarray(connected_components(links, directed=False)[1][:p], dtype=np.int64)

    def bound(self) -> dict[str, int]:
        """Count the products that have a bond of each kind to another."""
        several_in_group, several_on_picture = (np.diff(m.tocsc().indptr) > 1 for m in (self.groups, self.shared))
        has_look_alike = np.zeros(self.shared.shape[1], dtype=np.bool_)
        for side in self.telling_pairs:
            has_look_alike[side] = True
        kinds = ((self.groups, several_in_group), (self.shared, several_on_picture), (self.shared, has_look_alike))
        return {kind: int((m @ binds).sum()) for kind, (m, binds) in zip(KINDS, kinds, strict=True)}

    def across(self, splits: NDArray[np.integer]) -> dict[str, int]:
        """Count the pairs of products with a bond of each kind that lie in different splits (p,); -1 is none."""
        names = int(splits.max(initial=-1)) + 1
        one_hot = np.eye(names + 1, names, dtype=np.int64)[splits]
        in_group, on_picture = (matrix.astype(np.int64).T @ one_hot for matrix in (self.groups, self.shared))
        i, j = self.telling_pairs
        of_pair = on_picture[i].sum(axis=1) * on_picture[j].sum(axis=1) - (on_picture[i] * on_picture[j]).sum(axis=1)
        counts = (_pairs_across(in_group), _pairs_across(on_picture), int(of_pair.sum()))
        return dict(zip(KINDS, counts, strict=True))

    def reaching(self, into: Flags) -> dict[str, Flags]:
        """Tell by kind which products (p,) have a bond to one of `into` (p,), for products that are not of those."""
        wanted = into.astype(np.int64)
        (i, j), shown = self.telling_pairs, self.shared.T @ wanted
        like_shown = np.zeros_like(shown)
        np.add.at(like_shown, i, shown[j])
        np.add.at(like_shown, j, shown[i])
        counts = (self.groups @ (self.groups.T @ wanted), self.shared @ shown, self.shared @ like_shown)
        return {kind: np.asarray((count > 0) & ~into) for kind, count in zip(KINDS, counts, strict=True)}


def _pairs_across(counts: Places) -> int:
    """Count the pairs in different columns, given how many each row has in each."""
    return int((counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)).sum()) // 2
