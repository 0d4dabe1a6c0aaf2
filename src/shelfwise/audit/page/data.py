"""What the audit page shows, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shelfwise.audit.explore import Exploration

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeakCheck:
    """What learning from `learned` scores on `judged`: right and all products without a twin in `learned`, and with one."""

    learned: str
    judged: str
    clean_right: int
    clean: int
    leaked_right: int
    leaked: int


@dataclass(frozen=True, slots=True)
class ScoreHistogram:
    """Photos by a quality score, in equal bins from `low` to `high`; photos below the threshold are findings of `kind`."""

    kind: str
    meaning: str
    low: float
    high: float
    photos: tuple[int, ...]
    threshold: float


@dataclass(frozen=True, slots=True)
class Item:
    """A product with one of its photos (a data URI, or empty), its shelf as names from the top, its split."""

    product_id: str
    photo: str
    path: Path
    split: str


@dataclass(frozen=True, slots=True)
class Member:
    """A product of a finding, what is proposed (it stays, it is set aside, it moves to a shelf, or nothing), and its score."""

    item: Item
    stays: bool
    aside: bool
    shelf: Path
    score: float


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """Findings that belong together: those shown, how many products and different shelves there are in all."""

    members: tuple[Member, ...]
    products: int
    shelves: int


@dataclass(frozen=True, slots=True)
class KindShown:
    """All findings of one kind: how many sets, products and photos, and some sets as examples."""

    kind: str
    sets: int
    products: int
    photos: int
    examples: tuple[ExampleSet, ...]
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SuspectShown:
    """A product that may be on the wrong shelf, with what speaks for the other one."""

    item: Item
    shelf: Path
    own_probability: float
    shelf_probability: float
    distance: int
    neighbors: tuple[tuple[Item, float], ...]


@dataclass(frozen=True, slots=True)
class NoiseRow:
    """A category's estimate: names from the top, products judged, the share that belongs elsewhere, and where most of it does."""

    path: Path
    products: int
    share: float
    other: Path


@dataclass(frozen=True, slots=True)
class Sample:
    """A random photo of a category or attribute: a data URI, the product, its 64 histogram bins as bytes in base64."""

    photo: str
    product_id: str
    histogram: str


@dataclass(frozen=True, kw_only=True)
class AuditPage:
    """Everything on the page.

    suspects, noise, difficult: None where nothing was judged, for want of vectors; difficult: products with the probability
    of their best shelf. tree: names and parents (places in `tree`, -1 at the top) of the categories, parents first; nodes:
    id to place in `tree`; categories: place in `tree` of each of the inventory's categories. category_samples: by number of
    the category, the number of categories for products without one; attribute_samples: by place of the attribute.
    """

    name: str
    date: str
    command: str
    facts: tuple[tuple[str, str], ...]
    products: int
    photos: int
    pictures: int
    kinds: tuple[KindShown, ...]
    exploration: Exploration
    tree: tuple[tuple[str, int], ...]
    nodes: dict[str, int]
    categories: tuple[int, ...]
    category_samples: dict[int, tuple[Sample, ...]]
    attribute_samples: dict[int, tuple[Sample, ...]]
    suspects: tuple[SuspectShown, ...] | None = None
    suspects_in_all: int = 0
    noise: tuple[NoiseRow, ...] | None = None
    leaks: LeakCheck | None = None
    difficult: tuple[tuple[Item, float], ...] | None = None
    quality: tuple[ScoreHistogram, ...] = field(default=())

    def path(self, place: int) -> Path:
        """Return the names from the top down to a place in `tree`."""
        names: list[str] = []
        while place >= 0:
            name, place = self.tree[place]
            names.append(name)
        return tuple(reversed(names))
