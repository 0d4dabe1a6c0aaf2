"""The photos and ids that the page shows, read once each."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from shelfwise.audit.page.data import Item, Sample
from shelfwise.engines.local import available_cores, map_ordered
from shelfwise.errors import CatalogError, ImageError
from shelfwise.images.decode import decode
from shelfwise.images.measures import HISTOGRAMS, measured
from shelfwise.page.thumbnails import thumbnail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shelfwise.catalog import Catalog
    from shelfwise.catalog.inventory import Inventory

SMALL_PX, LARGE_PX = 96, 128
_AT_ONCE = 64


def first_photos(inventory: Inventory) -> NDArray[np.int32]:
    """Return the number of the first usable photo of every product (p,), -1 for none."""
    first = np.full(inventory.products, -1, np.int32)
    first[inventory.photo_product[::-1]] = np.arange(inventory.photos, dtype=np.int32)[::-1]
    return first


class Pictures:
    """Thumbnails and ids of what was asked for beforehand; everything else has no photo here.

    A photo that cannot be read any more has the empty thumbnail.
    """

    def __init__(
        self,
        catalog: Catalog,
        inventory: Inventory,
        *,
        small: Iterable[int],
        large: Iterable[int],
        products: Iterable[int],
    ) -> None:
        self._catalog, self._inventory = catalog, inventory
        self._first = first_photos(inventory)
        asked = np.array(sorted(products), np.int64)
        photos = {int(photo): SMALL_PX for photo in small} | {int(photo): LARGE_PX for photo in large}
        photos.pop(-1, None)
        shown = inventory.photo_product[np.array(sorted(photos), np.int64)]
        rows = np.union1d(asked, shown)
        self._ids = dict(zip(rows.tolist(), catalog.product_ids(rows), strict=True)) if len(rows) else {}
        self._drawn = dict(self._read(photos))
        paths = catalog.taxonomy.names
        self._paths = [paths(category) for category in inventory.categories]

    def item(self, product: int, photo: int = -1) -> Item:
        """Return a product as it is shown, with the photo given or its first one."""
        uri, _ = self._drawn.get(photo if photo >= 0 else int(self._first[product]), ("", ""))
        split = int(self._inventory.split[product])
        name = self._inventory.splits[split] if split >= 0 else ""
        return Item(self._ids[product], uri, self.path(int(self._inventory.category[product])), name)

    def sample(self, photo: int) -> Sample:
        """Return a photo with its product and its histogram."""
        uri, histogram = self._drawn.get(photo, ("", ""))
        return Sample(uri, self._ids[int(self._inventory.photo_product[photo])], histogram)

    def path(self, category: int) -> tuple[str, ...]:
        """Return the names of a category by its number, from the top; none for -1."""
        return self._paths[category] if category >= 0 else ()

    def _read(self, sides: dict[int, int]) -> Iterator[tuple[int, tuple[str, str]]]:
        photos = sorted(sides)
        parts = [photos[start : start + _AT_ONCE] for start in range(0, len(photos), _AT_ONCE)]
        for part in parts:
            drawn = map_ordered(
                _draw, zip(self._bytes(part), map(sides.__getitem__, part), strict=True), available_cores()
            )
            yield from zip(part, drawn, strict=True)

    def _bytes(self, photos: list[int]) -> list[bytes]:
        rows = self._inventory.photo_row[photos]
        try:
            return self._catalog.image_bytes(rows)
        except CatalogError:  # one of them is not where it was: ask for each alone
            return [self._one(int(row)) for row in rows]

    def _one(self, row: int) -> bytes:
        try:
            return self._catalog.image_bytes([row])[0]
        except CatalogError:
            return b""


def _draw(photo: tuple[bytes, int]) -> tuple[str, str]:
    data, side_px = photo
    try:
        picture = decode(data, minimum_side_px=2 * side_px)
    except ImageError:
        return "", ""
    values = measured(picture.pixels, picture.width, picture.height)
    return thumbnail(picture.pixels, side_px), histogram_text(values[HISTOGRAMS["grey"].start :])


def histogram_text(values: NDArray[Any]) -> str:
    """Write histograms (64,), each of sum 1, as bytes in base64: the square root of each bin in steps of 1/255."""
    return b64encode(np.round(255 * np.sqrt(np.clip(values, 0, 1))).astype(np.uint8).tobytes()).decode("ascii")
