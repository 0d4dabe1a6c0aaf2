"""What people decided about products of a catalog, to be kept when a source brings these products again."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from shelfwise.catalog import Catalog
from shelfwise.corrections.log import moved_products
from shelfwise.ingest.records import ProductRecord

_PHOTO = ["product_id", "sha256", "reason", "detail"]


class Decided:
    """The products that were moved, and the photos that were set aside; memory by their number. None: no catalog."""

    def __init__(self, catalog: Catalog | None) -> None:
        moved = moved_products(catalog) if catalog else {}
        self._moved = {}
        self._aside: dict[tuple[str, bytes], dict[str, Any]] = {}
        if catalog and moved:
            for batch in catalog.batches("products", ["product_id", "category"]):
                for row in batch.to_pylist():
                    where = moved.get(row["product_id"])
                    if where and where.category == row["category"]:
                        self._moved[row["product_id"]] = where
        for batch in catalog.batches("images", [*_PHOTO, "status"]) if catalog else ():
            for row in batch.filter(pc.equal(batch.column("status"), "set_aside")).select(_PHOTO).to_pylist():
                why = {"reason": row["reason"], "detail": row["detail"]}
                self._aside[row["product_id"], row["sha256"]] = {"status": "set_aside"} | why

    def category(self, record: ProductRecord) -> str | None:
        """Return where a product belongs: where it was moved, unless its source names another category than before."""
        where = self._moved.get(record.product_id)
        return where.category if where and where.source == record.category else record.category

    def keeps(self, record: ProductRecord) -> bool:
        """Tell whether a product stays on another shelf than its source names."""
        return self.category(record) != record.category

    def overruled(self, record: ProductRecord) -> bool:
        """Tell whether a product that was moved goes elsewhere, since its source changed its mind."""
        where = self._moved.get(record.product_id)
        return where is not None and where.category != self.category(record)

    def photo(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row of a photo, set aside where a person set the same picture of the same product aside."""
        aside = self._aside.get((row["product_id"], row.get("sha256") or b""))
        return row | aside if aside and row["status"] == "ok" else row
