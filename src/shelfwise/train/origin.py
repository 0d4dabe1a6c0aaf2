"""What a bundle says of the catalog that it learned from."""

from __future__ import annotations

from typing import Any

from shelfwise.catalog import Catalog


def origin_of(catalog: Catalog) -> dict[str, Any]:
    """Return the name of a catalog, the versions of its tables and its sources, as JSON values."""
    return {
        "name": catalog.path.name,
        "versions": catalog.versions,
        "sources": list(catalog.description.snapshot.sources),
    }
