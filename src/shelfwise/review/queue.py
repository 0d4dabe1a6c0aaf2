"""The queue: products that may stand on the wrong shelf, each judged anew when its turn comes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shelfwise.backbones.features import FeatureLayout
from shelfwise.backbones.products import embedded_layout
from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import Inventory, take_inventory
from shelfwise.corrections.log import settled_products
from shelfwise.options import ReviewOptions
from shelfwise.progress import SILENT, Progress
from shelfwise.shelves.evidence import Evidence, evidence
from shelfwise.shelves.live import LiveShelves
from shelfwise.shelves.rank import Suspects, wrong_shelves

NEIGHBORS = 3
_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """A product in question: rows and numbers of the inventory, probabilities as the shelves are now.

    shelves, probabilities: the most probable other shelves, best first. own_photos, shelf_photos: the nearest photos on its
    own and on the suggested shelf.
    """

    product: int
    category: int
    own_probability: float
    shelves: tuple[int, ...]
    probabilities: tuple[float, ...]
    own_photos: tuple[int, ...]
    shelf_photos: tuple[int, ...]


class Queue:
    """The suspects of a catalog, the likeliest mistakes first, without those that somebody has decided about."""

    def __init__(
        self, catalog: Catalog, inventory: Inventory, live: LiveShelves, suspects: Suspects, near: Evidence
    ) -> None:
        self.catalog, self.inventory, self.suspects = catalog, inventory, suspects
        self._live, self._near = live, near
        self._place = {int(product): place for place, product in enumerate(suspects.product)}
        self._number = {category: number for number, category in enumerate(inventory.categories)}

    def __len__(self) -> int:
        return len(self.suspects)

    def look(self, product: int) -> Suspect | None:
        """Judge a product anew; None for one whose own shelf is now the best answer."""
        found = self.suspect(product)
        return found if found.probabilities and found.probabilities[0] > found.own_probability else None

    def suspect(self, product: int) -> Suspect:
        """Return what is said of a product now."""
        judged = self._live.judge_again(np.array([product]))
        category, own = int(judged.category[0]), float(judged.own[0])
        ranked = zip(judged.shelves[0].tolist(), judged.probabilities[0].tolist(), strict=True)
        others = [(shelf, value) for shelf, value in ranked if shelf >= 0 and shelf != category]
        place = self._place[product]
        shelf = others[0][0] if others else -1
        near = np.concatenate([self._near.own_photo[place], self._near.shelf_photo[place]])
        return Suspect(
            product, category, own, tuple(shelf for shelf, _ in others), tuple(value for _, value in others),
            self._standing(near, category), self._standing(near, shelf),
        )  # fmt: skip

    def move(self, product: int, category: str) -> None:
        """Take a correction in: all that is asked from now on is answered with it.

        A shelf that was empty gets the next number.
        """
        self._live.move(product, self._number.setdefault(category, len(self._number)))

    def category_id(self, number: int) -> str:
        """Return the id of a category."""
        return list(self._number)[number]

    def photos_of(self, product: int) -> NDArray[np.intp]:
        """Return the usable photos of a product."""
        return np.flatnonzero(self.inventory.photo_product == product)

    def _standing(self, photos: NDArray[np.int64], category: int) -> tuple[int, ...]:
        """Return the photos whose products stand on a shelf now."""
        products = self.inventory.photo_product[photos]
        at = self._live.judged.category[products]
        return tuple(photos[(photos >= 0) & (at == category)].tolist())


def open_queue(
    catalog: Catalog, options: ReviewOptions, bundle: Path | str | None = None, progress: Progress = SILENT
) -> Queue:
    """Judge all products of a catalog and queue the suspects.

    Raises CatalogError for a catalog without the embeddings that are asked for.
    """
    layout = _layout(catalog, options, bundle)
    inventory = take_inventory(catalog)
    live = LiveShelves.from_catalog(catalog, inventory, layout, progress)
    settled = settled_products(catalog)
    found = wrong_shelves(live.judged, catalog.taxonomy, inventory, options.suspects + len(settled))
    open_ones = ~_settled(catalog, inventory, found, settled)
    chosen = np.flatnonzero(open_ones)[: options.suspects]
    suspects = Suspects(*(getattr(found, name)[chosen] for name in Suspects.__dataclass_fields__))
    return Queue(
        catalog, inventory, live, suspects, evidence(catalog, inventory, layout, suspects, NEIGHBORS, progress)
    )


def _layout(catalog: Catalog, options: ReviewOptions, bundle: Path | str | None) -> FeatureLayout:
    if bundle is None or options.backbone is not None:
        return embedded_layout(catalog, options.backbone)
    wanted = Bundle.load(bundle).layout
    return embedded_layout(catalog, "+".join(str(spec) for spec in wanted.specs))


def _settled(
    catalog: Catalog, inventory: Inventory, suspects: Suspects, settled: dict[str, str | None]
) -> NDArray[np.bool_]:
    """Tell which suspects stand where somebody decided that they belong."""
    told = np.zeros(len(suspects), np.bool_)
    for start in range(0, len(suspects) if settled else 0, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        ids = catalog.product_ids(suspects.product[part])
        shelves = [inventory.categories[number] for number in suspects.category[part]]
        told[part] = [settled.get(product, "") == shelf for product, shelf in zip(ids, shelves, strict=True)]
    return told
