"""`catalog.json`: what a catalog is at this moment. Replacing it in one step is what publishes a change."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from shelfwise.catalog.lock import only_one
from shelfwise.catalog.schema import CATALOG_FORMAT
from shelfwise.errors import CatalogBusyError, CatalogError
from shelfwise.files import read_sealed_json, remove_leftovers, write_sealed_json

FILE, PENDING = "catalog.json", "pending.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One state of a catalog's content.

    version: counts the changes. what, time: the change that led here. tables: the version of each of its Lance tables.
    sources: where its rows came from, oldest first. sitting: equal for changes that are one step of `undo`; empty for one
    that is a step by itself.
    """

    version: int
    what: str
    time: str
    level_names: tuple[str, ...]
    sources: tuple[dict[str, Any], ...]
    tables: dict[str, int]
    sitting: str = ""

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Snapshot:
        """Build it from what `dataclasses.asdict` made of it and JSON kept."""
        names = [str(name) for name in stored["level_names"]]
        return cls(**stored | {"level_names": tuple(names), "sources": tuple(stored["sources"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A snapshot, the versions of the tables of embeddings, and the complete sets of them, newest last."""

    snapshot: Snapshot
    embeddings: dict[str, int] = field(default_factory=dict)
    embedded: tuple[list[dict[str, Any]], ...] = ()

    def write(self, catalog: Path) -> None:
        """Replace `catalog.json`; only for who holds the lock of it."""
        remove_leftovers(catalog / FILE)
        write_sealed_json(catalog / FILE, {"format": CATALOG_FORMAT} | asdict(self))

    def with_snapshot(self, snapshot: Snapshot) -> Description:
        """Return this with another content."""
        return replace(self, snapshot=snapshot)


def read_description(catalog: Path) -> Description:
    """Read `catalog.json`.

    Raises CatalogError for a folder that is no catalog, one whose first import did not end, another format, and damage.
    """
    try:
        found = json.loads((catalog / FILE).read_bytes())["format"]
        if found == CATALOG_FORMAT:
            return _description(catalog)
        newer = found > CATALOG_FORMAT
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, CatalogError):
            raise
        raise _no_catalog(catalog, error) from None
    if newer:
        raise CatalogError(f"{catalog} was written by a newer shelfwise: upgrade with  pip install -U shelfwise")
    raise CatalogError(f"{catalog} was written by an early shelfwise (format {found}): ingest again")


def _description(catalog: Path) -> Description:
    try:
        stored = read_sealed_json(catalog / FILE)
        snapshot = Snapshot.from_dict(stored["snapshot"])
        return Description(snapshot=snapshot, embeddings=stored["embeddings"], embedded=tuple(stored["embedded"]))
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogError(f"{error}; the content of earlier versions lies in {catalog / 'history'}") from None


def _no_catalog(catalog: Path, error: Exception) -> CatalogError:
    """Say what a folder without a readable catalog.json is."""
    if (catalog / FILE).exists() and (catalog / "checksums").is_dir():
        return CatalogError(f"{catalog / FILE} is damaged ({error}); what it said before lies in {catalog / 'history'}")
    lock = catalog / ".locks" / "writer"
    if not (catalog / FILE).exists() and lock.exists():
        try:
            with only_one(lock, "look", wait_s=0):
                return CatalogError(f"the import into {catalog} was interrupted: type its command again, it goes on")
        except CatalogBusyError as busy:
            return busy
    return CatalogError(f"{catalog} is not a catalog ({error.__class__.__name__}): make one with  shelfwise ingest")
