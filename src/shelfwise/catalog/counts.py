"""Count what a catalog holds, without reading a picture."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from shelfwise.catalog.store import Catalog


@dataclass(slots=True)
class Counts:
    """Products and photos of a catalog: photos = images + quarantined + missing + set aside."""

    products: int = 0
    photos: int = 0
    images: int = 0
    quarantined: int = 0
    missing: int = 0
    set_aside: int = 0
    products_by_split: dict[str, int] = field(default_factory=dict)
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    categories: int = 0
    levels: int = 0


def count(catalog: Catalog) -> Counts:
    """Count products by split, and photos by status, reason and note."""
    splits: Counter[str] = Counter()
    for batch in catalog.batches("products", ["split"]):
        splits.update(split or "none" for split in batch.column("split").to_pylist())
    statuses: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for batch in catalog.batches("images", ["status", "reason", "notes"]):
        statuses.update(batch.column("status").to_pylist())
        reasons.update(
            row["reason"] for row in batch.select(["status", "reason"]).to_pylist() if row["status"] == "quarantined"
        )
        notes.update(batch.column("notes").flatten().to_pylist())
    return Counts(
        splits.total(), statuses.total(), statuses["ok"], statuses["quarantined"], statuses["missing"],
        statuses["set_aside"],
        dict(sorted(splits.items())), dict(reasons.most_common()), dict(notes.most_common()),
        len(catalog.taxonomy.leaves), catalog.taxonomy.depth,
    )  # fmt: skip
