"""A small catalog to correct, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drawn_shop import tiny
from drawn_source import GivenSource, record
from shelfwise.catalog import Catalog
from shelfwise.corrections import Correction
from shelfwise.ingest import ingest

SHELVES = ("food/apple", "food/pear", "tools/hammer")


def source(*, moved: dict[str, str] | None = None, title: str = "") -> GivenSource:
    """Six products with two photos each, two on every shelf; `moved` by the source itself."""
    moved = moved or {}
    return GivenSource(
        *(
            record(
                f"00{number}", tiny(2 * number), tiny(2 * number + 1), title=title or None,
                category=moved.get(f"00{number}", SHELVES[number % 3]),
            )
            for number in range(6)
        )
    )  # fmt: skip


def made(path: Path) -> Path:
    ingest(source(), path)
    return path


def move(product: str, to: str, was: str | None = None) -> Correction:
    return Correction(action="move", product_id=product, category=to, was=was or SHELVES[int(product) % 3])


def aside(product: str, image: str | None = None, reason: str = "exact_repeat") -> Correction:
    return Correction(action="set_aside", product_id=product, image_id=image, reason=reason, detail="seen before")


def categories(catalog: Path) -> dict[str, str]:
    rows = Catalog(catalog).products(["product_id", "category"]).to_pylist()
    return {row["product_id"]: row["category"] for row in rows}


def statuses(catalog: Path) -> dict[str, tuple[Any, ...]]:
    rows = Catalog(catalog).images(["image_id", "status", "reason", "detail"]).to_pylist()
    return {row["image_id"]: (row["status"], row["reason"], row["detail"]) for row in rows}


def everything(catalog: Path) -> list[Any]:
    """All that a catalog says of products and photos, pictures included, in the order of its rows."""
    opened = Catalog(catalog)
    columns = ["image_id", "product_id", "position", "bytes", "sha256", "status", "reason", "detail", "notes"]
    return [opened.products().to_pylist(), opened.images(columns).to_pylist()]
