"""Go through the products of a catalog with their photos, in order, never with more photos in memory than a block."""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError, OptionError
from shelfwise.progress import Advance

# Photos read at once: by number and by size.
_PHOTOS, _BYTES = 256, 8 * 2**20
_COLUMNS = ("product_id", "title", "description", "category", "attributes", "group", "split")
_IMAGE_COLUMNS = ("product_id", "position", "status", "format", "length", "sha256", "perceptual_hash")
# How counts of what products have are called in a summary.
_NAMES = {
    "title": "titles", "description": "descriptions", "category": "categories", "group": "groups", "split": "splits",
    "quality": "quality",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Photo:
    """A usable photo: its file format (`JPEG`), sha256, perceptual hash and bytes."""

    format: str
    sha256: bytes
    perceptual_hash: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product, its place in the catalog, its usable photos in order, and how many photos were never obtained."""

    place: int
    product_id: str
    title: str | None
    description: str | None
    category: str | None
    attributes: tuple[str, ...]
    group: str | None
    split: str | None
    photos: tuple[Photo, ...]
    missing: int


class Selection:
    """The products of some splits (joined by +), or of all.

    splits: those that occur, in order; categories: ids of those that products have; counts: what there is, by name;
    advance: called with the number of products gone through.
    Raises OptionError for a split that no product has, CatalogError for a catalog without products.
    """

    def __init__(self, catalog: Catalog, split: str | None) -> None:
        self.catalog = catalog
        self.advance: Advance = lambda _steps: None
        products = catalog.products(["product_id", "split"])
        self.ids = products.column("product_id")
        self._split_of = products.column("split").combine_chunks()
        self._chosen = _chosen(self._split_of, split, catalog)
        self.splits: tuple[str | None, ...] = tuple(self._split_of.filter(pa.array(self._chosen)).unique().to_pylist())
        self._photos = _Photos(catalog, self.ids)
        self.categories: set[str] = set()
        self.counts = self._counts()

    def __len__(self) -> int:
        return int(self._chosen.sum())

    @property
    def size_bytes(self) -> int:
        """Bytes of the usable photos together."""
        return int(self._photos.length[self._photos.ok & self._chosen[self._photos.place]].sum())

    def products(self) -> Iterator[Product]:
        """Go through all."""
        return self._walk(self._chosen)

    def products_of(self, split: str | None) -> Iterator[Product]:
        """Go through those of one split; None stands for those without one."""
        same = pc.is_null(self._split_of) if split is None else pc.fill_null(pc.equal(self._split_of, split), False)
        return self._walk(self._chosen & same.to_numpy(zero_copy_only=False))

    def numbered_ids(self) -> Iterator[tuple[int, str]]:
        """Go through the ids, each with its product's place in the catalog."""
        places = np.flatnonzero(self._chosen)
        yield from zip(places.tolist(), self.ids.take(pa.array(places)).to_pylist(), strict=True)

    def batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """Go through columns of the product table, without photos."""
        for _, batch in self._batches(columns, self._chosen):
            yield batch

    def _batches(
        self, columns: Sequence[str], mask: NDArray[np.bool_]
    ) -> Iterator[tuple[NDArray[np.int64], pa.RecordBatch]]:
        """Go through the rows that a mask marks, with their places."""
        start = 0
        for batch in self.catalog.batches("products", columns):
            places = np.flatnonzero(mask[start : start + batch.num_rows])
            yield places + start, batch.take(pa.array(places))
            start += batch.num_rows

    def _walk(self, mask: NDArray[np.bool_]) -> Iterator[Product]:
        block: list[tuple[int, dict[str, Any]]] = []
        photos = size_bytes = 0
        for places, batch in self._batches(_COLUMNS, mask):
            for place, row in zip(places.tolist(), batch.to_pylist(), strict=True):
                block.append((place, row))
                own = self._photos.of(place)
                photos, size_bytes = photos + own.stop - own.start, size_bytes + int(self._photos.length[own].sum())
                if photos >= _PHOTOS or size_bytes >= _BYTES or len(block) >= _PHOTOS:
                    yield from self._with_photos(block)
                    block, photos, size_bytes = [], 0, 0
        yield from self._with_photos(block)

    def _with_photos(self, block: list[tuple[int, dict[str, Any]]]) -> Iterator[Product]:
        read = self._photos.read([place for place, _ in block])
        for (place, row), photos in zip(block, read, strict=True):
            attributes = tuple(row.pop("attributes") or ())
            missing = int(self._photos.missing[self._photos.of(place)].sum())
            yield Product(place=place, attributes=attributes, photos=photos, missing=missing, **row)
            self.advance(1)

    def _counts(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for batch in self.batches(*_NAMES, "attributes"):
            for column, name in _NAMES.items():
                counts[name] += batch.num_rows - batch.column(column).null_count
            counts["attributes"] += pc.sum(pc.greater(pc.list_value_length(batch.column("attributes")), 0)).as_py() or 0
            self.categories.update(batch.column("category").drop_null().unique().to_pylist())
        usable = np.bincount(self._photos.place[self._photos.ok], minlength=len(self._chosen))[self._chosen]
        of_chosen = self._chosen[self._photos.place]
        missing, aside = (int((of & of_chosen).sum()) for of in (self._photos.missing, self._photos.set_aside))
        return counts + Counter(
            {
                "photos": int(usable.sum()),
                "photos beside the first": int(np.maximum(usable - 1, 0).sum()),
                "products without photos": int((usable == 0).sum()),
                "missing photos": missing,
                "photos set aside": aside,
                "quarantined photos": int(of_chosen.sum()) - int(usable.sum()) - missing - aside,
                "quarantined rows": len(self.catalog.quarantine()),
                "products without category": len(self) - counts["categories"],
            }
        )


def _chosen(splits: pa.Array, asked: str | None, catalog: Catalog) -> NDArray[np.bool_]:
    if not len(splits):
        raise CatalogError(f"{catalog.path} holds no products: there is nothing to export")
    if asked is None:
        return np.ones(len(splits), bool)
    present = sorted(set(splits.unique().to_pylist()) - {None})
    wanted = asked.split("+")
    if unknown := [split for split in wanted if split not in present]:
        has = ", ".join(present) or "none"
        raise OptionError(f"--split {asked}: no product has the split {', '.join(unknown)}; there are: {has}")
    return np.asarray(pc.is_in(splits, pa.array(wanted)).to_numpy(zero_copy_only=False), bool)


class _Photos:
    """The images of a catalog (n,) in the order of its products; place: (n,) the product's."""

    def __init__(self, catalog: Catalog, product_ids: pa.ChunkedArray) -> None:
        self._catalog = catalog
        images = catalog.images(_IMAGE_COLUMNS)
        found = pc.index_in(images.column("product_id"), product_ids.combine_chunks())
        place = pc.fill_null(found, -1).to_numpy().astype(np.int64)
        order = np.lexsort((images.column("position").to_numpy(), place))
        order = order[place[order] >= 0]
        self._rows, self.place = order, place[order]
        self._first = np.searchsorted(self.place, np.arange(len(product_ids) + 1))
        self._table = images.select(["product_id", "format", "sha256", "perceptual_hash"]).take(pa.array(order))
        self.length = pc.fill_null(images.column("length"), 0).to_numpy()[order]
        self.ok, self.missing, self.set_aside = (
            pc.equal(images.column("status"), status).to_numpy()[order] for status in ("ok", "missing", "set_aside")
        )

    def of(self, place: int) -> slice:
        """Return the places of a product's photos."""
        return slice(int(self._first[place]), int(self._first[place + 1]))

    def read(self, products: Sequence[int]) -> list[tuple[Photo, ...]]:
        """Read the usable photos of products; raises CatalogError for one that is not what was imported."""
        usable = [[at for at in range(*self.of(place).indices(len(self.ok))) if self.ok[at]] for place in products]
        wanted = [at for places in usable for at in places]
        if not wanted:
            return [()] * len(products)
        rows = self._table.take(pa.array(wanted)).to_pylist()
        photos = map(self._photo, rows, self._catalog.image_bytes(self._rows[wanted]))
        return [tuple(next(photos) for _ in places) for places in usable]

    def _photo(self, row: dict[str, Any], data: bytes) -> Photo:
        if hashlib.sha256(data).digest() != row["sha256"]:
            where = f"{self._catalog.path}: a photo of {row['product_id']!r}"
            raise CatalogError(
                f"{where} is not what was imported: see  shelfwise verify {shlex.quote(str(self._catalog.path))}"
            )
        return Photo(row["format"], row["sha256"], row["perceptual_hash"], data)
