"""How far over the category tree the products of one picture lie, against products drawn by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.taxonomy import Taxonomy

# A picture is a placeholder when its products are at least half as spread as products drawn by chance, in at least so
# many categories, with at least so many products outside its largest one. A size table stays within a branch of the
# tree; a product that was listed again and again stays in one category, but for some listings that are misfiled.
# Source: docs/experiments.md, placeholders.
LEAST_SPREAD, LEAST_CATEGORIES, LEAST_OUTSIDE = 0.5, 3, 4
# Places at which the integral of `_chance` is summed, evenly spaced by logarithm.
_STEP = 0.25
_TIMES = np.exp(np.arange(-36, 3.5, _STEP))


@dataclass(frozen=True, eq=False)
class Shelves:
    """Which categories (c,) lie together, level by level, and how many products each holds.

    above: int32 (c, l), a number for the node that a category is or lies below, at each level from the top; filed: (c,).
    """

    above: NDArray[np.int32]
    filed: NDArray[np.int64]

    @classmethod
    def of(cls, taxonomy: Taxonomy, categories: tuple[str, ...], category: NDArray[np.integer]) -> Shelves:
        """Take the tree above categories, and count the products whose category (p,) they are; -1 is none."""
        levels = [taxonomy.level(categories, level)[1] for level in range(taxonomy.depth)]
        above = np.stack(levels, axis=1) if levels else np.empty((len(categories), 0), np.int32)
        return cls(above, np.bincount(category[category >= 0], minlength=len(categories)))


@dataclass(frozen=True, eq=False)
class Spread:
    """How the products of s pictures lie over the categories; arrays (s,).

    products, categories: how many; outside: how many products are not in the picture's largest category; share: the
    entropy of its categories as a share of that of as many products drawn by chance, 0 where all are in one.
    """

    products: NDArray[np.int64]
    categories: NDArray[np.int64]
    outside: NDArray[np.int64]
    share: NDArray[np.float64]

    @property
    def everywhere(self) -> NDArray[np.bool_]:
        """Which pictures are placeholders by what they are on."""
        enough = (self.categories >= LEAST_CATEGORIES) & (self.outside >= LEAST_OUTSIDE)
        return np.asarray(enough & (self.share >= LEAST_SPREAD))


def spread(picture: NDArray[np.integer], category: NDArray[np.integer], pictures: int, shelves: Shelves) -> Spread:
    """Measure the spread of pictures 0 to `pictures` - 1, given the picture (k,) and the category (k,) of each product on one.

    The entropy is summed over the levels of the tree, so that categories of one branch count as less spread than
    categories of several: with branches of equal length that is the phylogenetic entropy. Chance is its expectation
    for as many products, each drawn from all filed products. A product counts once a picture; one without a category
    (-1) is left aside.
    Source: Allen, Kon and Bar-Yam 2009, "A new phylogenetic diversity measure generalizing the Shannon index".
    """
    filed = category >= 0
    picture, category = picture[filed], category[filed]
    of_picture, _, count = _counts(picture, category, len(shelves.filed))
    products = np.bincount(picture, minlength=pictures)
    largest = np.zeros(pictures, dtype=np.int64)
    np.maximum.at(largest, of_picture, count)
    entropy = np.zeros(pictures)
    for level in shelves.above.T:
        owner, _, held = _counts(picture, level[category], len(shelves.filed))
        entropy += _entropy(owner, held, products)
    return Spread(
        products=products,
        categories=np.bincount(of_picture, minlength=pictures),
        outside=products - largest,
        share=np.divide(entropy, _chances(products, shelves), out=np.zeros(pictures), where=entropy > 0),
    )


def _counts(
    picture: NDArray[np.integer], shelf: NDArray[np.integer], shelves: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count the products of each picture on each shelf where it has any."""
    place, count = np.unique(picture.astype(np.int64) * shelves + shelf, return_counts=True)
    of_picture, of_shelf = np.divmod(place, max(shelves, 1))
    return of_picture, of_shelf, count


def _entropy(picture: NDArray[np.int64], count: NDArray[np.int64], products: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the entropy (s,), in nats, of each picture's counts."""
    share = count / products[picture]
    return np.bincount(picture, -share * np.log(share), len(products)).astype(np.float64)


def _chances(products: NDArray[np.int64], shelves: Shelves) -> NDArray[np.float64]:
    """Return the entropy, summed over the levels, that so many products (s,) drawn by chance have on average."""
    distinct, place = np.unique(products, return_inverse=True)
    total = np.zeros(len(distinct))
    for level in shelves.above.T:
        sizes: NDArray[np.number] = np.bincount(level, shelves.filed)
        total += [_chance(int(draws), sizes) if draws > 1 else 0.0 for draws in distinct]
    return np.asarray(total[place])


def _chance(draws: int, sizes: NDArray[np.number]) -> float:
    """Return the expected entropy, in nats, of the categories of products drawn with the odds `sizes` (c,).

    With k draws and p the share of a category, E[x/k ln(k/x)] = p (ln k - E[ln(1 + y)]), y binomial of k - 1 draws, and
    E[ln(1 + y)] is the integral over t > 0 of exp(-t) (1 - (1 - p (1 - exp(-t)))**(k - 1)) / t, by Frullani's integral
    for the logarithm.
    """
    size, times = np.unique(sizes[sizes > 0], return_counts=True)
    share = size / sizes.sum()
    lost = (draws - 1) * np.log1p(np.multiply.outer(share, np.expm1(-_TIMES)))
    mean_log = -np.expm1(lost) @ (np.exp(-_TIMES) * _STEP)
    return float(np.log(draws) - (times * share) @ mean_log)
