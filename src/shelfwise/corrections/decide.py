"""Which corrections fit a catalog as it is, and what they make of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from shelfwise.catalog import Catalog
from shelfwise.corrections.log import settled_products
from shelfwise.taxonomy import Taxonomy

Action = Literal["move", "set_aside", "restore", "confirm"]
ACTIONS: tuple[Action, ...] = ("move", "set_aside", "restore", "confirm")
_PHOTO = ["image_id", "product_id", "status", "reason", "detail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One decision about a product.

    action: `move` to the category `category`; `set_aside` a photo, or all usable ones of the product where `image_id` is
    None, and `restore` them; `confirm` that the shelf is right, so that nobody asks again. was: for move and confirm, the
    category (None: no shelf) that the product had when it was decided; one that stands elsewhere by now is refused.
    reason, detail: a code and words, kept beside a photo that is set aside.
    """

    action: Action
    product_id: str
    image_id: str | None = None
    category: str | None = None
    was: str | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(slots=True)
class Decisions:
    """The state of the products that corrections are about, as those taken in so far leave it.

    categories: by product id; photos: rows by image id; settled: shelves decided before. moved: new categories; marked:
    image ids whose status changed; lines: what to write into the log, without number and name; log: what it holds, as far
    as it was needed.
    """

    taxonomy: Taxonomy
    categories: dict[str, str | None]
    photos: dict[str, dict[str, Any]]
    photos_of: dict[str, list[str]]
    time: datetime
    settled: dict[str, str | None]
    moved: dict[str, str | None] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    lines: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def about(cls, catalog: Catalog, corrections: Iterable[Correction]) -> Decisions:
        """Read what corrections are about; memory by their number."""
        wanted = list(corrections)
        products = {c.product_id for c in wanted}
        about_photos = {c.product_id for c in wanted if c.action in ("set_aside", "restore")}
        rows = _rows(catalog, "products", ["product_id", "category"], products)
        photos = _rows(catalog, "images", _PHOTO, about_photos)
        photos_of: dict[str, list[str]] = {}
        for photo in photos:
            photos_of.setdefault(photo["product_id"], []).append(photo["image_id"])
        return cls(
            catalog.taxonomy, {row["product_id"]: row["category"] for row in rows},
            {photo["image_id"]: photo for photo in photos}, photos_of, datetime.now(UTC).replace(microsecond=0),
            settled_products(catalog) if any(c.action == "confirm" for c in wanted) else {},
        )  # fmt: skip

    def refuses(self, correction: Correction, undoes: int | None = None) -> str | None:
        """Take a correction in, or say why it does not fit; `undoes` is the line of the log that it takes back."""
        if correction.product_id not in self.categories:
            return f"the catalog has no product {correction.product_id!r}"
        if correction.action in ("move", "confirm"):
            return self._shelve(correction, undoes)
        return self._mark(correction, undoes)

    def _shelve(self, correction: Correction, undoes: int | None) -> str | None:
        now, to = self.categories[correction.product_id], correction.category
        if correction.action == "confirm":
            to = now if undoes is None else None
        if undoes is None and to is None:
            return "no category to move to" if correction.action == "move" else "it stands on no shelf"
        if to is not None and to not in self.taxonomy.nodes:
            return f"the taxonomy holds no category {to!r}"
        if now != correction.was:
            return f"it stands on {self._shelf(now)} by now, not on {self._shelf(correction.was)}"
        if correction.action == "confirm" and undoes is None and self.settled.get(correction.product_id) == now:
            return "its shelf was decided before"
        if correction.action == "move":
            if now == to:
                return f"it stands on {self._shelf(now)} already"
            self.categories[correction.product_id] = self.moved[correction.product_id] = to
        self._log(correction, None, now, to, undoes)
        return None

    def _mark(self, correction: Correction, undoes: int | None) -> str | None:
        before, after = ("ok", "set_aside") if correction.action == "set_aside" else ("set_aside", "ok")
        owned = self.photos_of.get(correction.product_id, [])
        if correction.image_id is not None:
            if correction.image_id not in owned:
                return f"it has no photo {correction.image_id!r}"
            if (status := self.photos[correction.image_id]["status"]) != before:
                return (
                    f"the photo {correction.image_id!r} is {status.replace('_', ' ')}, not {before.replace('_', ' ')}"
                )
            owned = [correction.image_id]
        chosen = [image for image in owned if self.photos[image]["status"] == before]
        if not chosen:
            return "it has no usable photo" if before == "ok" else "none of its photos is set aside"
        why = (correction.reason, correction.detail) if after == "set_aside" else (None, None)
        for image in chosen:
            self.photos[image] |= {"status": after, "reason": why[0], "detail": why[1]}
            self.marked.add(image)
            self._log(correction, image, before, after, undoes)
        return None

    def _shelf(self, category: str | None) -> str:
        if category is None:
            return "no shelf"
        known = category in self.taxonomy.nodes  # a cell that somebody edited, or a shelf that an import took away
        return " > ".join(self.taxonomy.names(category)) if known else f"{category!r}"

    def _log(
        self, correction: Correction, image: str | None, before: str | None, after: str | None, undoes: int | None
    ) -> None:
        self.lines.append(
            {"action": correction.action, "product_id": correction.product_id, "image_id": image, "before": before,
             "after": after, "reason": correction.reason, "detail": correction.detail, "undoes": undoes}
        )  # fmt: skip


def _rows(catalog: Catalog, table: str, columns: list[str], products: set[str]) -> list[dict[str, Any]]:
    """Read the rows of products."""
    wanted, found = pa.array(products, pa.string()), []
    for batch in catalog.batches(table, columns) if products else ():
        found += batch.filter(pc.is_in(batch.column("product_id"), wanted)).to_pylist()
    return found
