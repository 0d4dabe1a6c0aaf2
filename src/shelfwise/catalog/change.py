"""Change a catalog: everything that a block writes appears at once when it ends, or not at all."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from shelfwise.catalog import description, history, schema
from shelfwise.catalog.description import Description, Snapshot, read_description
from shelfwise.catalog.lock import PATIENCE_S, only_one
from shelfwise.catalog.store import Catalog
from shelfwise.catalog.tables import TableWriter
from shelfwise.errors import CatalogError, DiskFullError, ShelfwiseError
from shelfwise.files import remove_leftovers, sync, write_json
from shelfwise.taxonomy import Taxonomy


class Change:
    """A change in progress; made by `changing`.

    catalog: the catalog as it was, None for a new one. Rows written so far are seen by nobody until the block ends.
    """

    def __init__(
        self, path: Path, what: str, before: Snapshot | None, tables: dict[str, int], sitting: str = ""
    ) -> None:
        self.path, self._what, self._before, self._sitting = path, what, before, sitting
        self._past: Snapshot | None = None
        self.catalog = None if before is None else Catalog(path)
        self.taxonomy = Taxonomy([]) if self.catalog is None else self.catalog.taxonomy
        self.sources: tuple[dict[str, Any], ...] = before.sources if before else ()
        self._tables = {name: TableWriter(path, name, tables.get(name)) for name in schema.TABLES}
        for name, table in self._tables.items():
            if table.version is None:
                table.append(schema.TABLES[name].empty_table())

    def append_products(self, rows: list[dict[str, Any]]) -> None:
        """Add products."""
        self._tables["products"].append(pa.Table.from_pylist(rows, schema.PRODUCTS))

    def append_images(self, rows: list[dict[str, Any]]) -> None:
        """Add images."""
        self._tables["images"].append(pa.Table.from_pylist(rows, schema.IMAGES))

    def delete_products(self, product_ids: Iterable[str]) -> None:
        """Remove products with their images."""
        ids = list(product_ids)
        for name in ("products", "images"):
            self._tables[name].delete("product_id", ids)

    def delete_images(self, image_ids: Iterable[str]) -> None:
        """Remove images."""
        self._tables["images"].delete("image_id", image_ids)

    def update_products(self, rows: pa.Table) -> None:
        """Put other values into columns of products: `rows` holds product_id and these columns."""
        self._tables["products"].update(rows, "product_id")

    def update_images(self, rows: pa.Table) -> None:
        """Put other values into columns of images: `rows` holds image_id and these columns."""
        self._tables["images"].update(rows, "image_id")

    def replace_products(self, products: pa.Table) -> None:
        """Put a table of products in the place of all."""
        self._tables["products"].replace(products.cast(schema.PRODUCTS))

    def replace_quarantine(self, rows: pa.Table) -> None:
        """Put other quarantined rows in the place of all."""
        self._tables["quarantine"].replace(rows.cast(schema.QUARANTINE))

    def append_corrections(self, rows: list[dict[str, Any]]) -> None:
        """Add what was decided to the log of corrections."""
        self._tables["corrections"].append(pa.Table.from_pylist(rows, schema.CORRECTIONS))
        self._tables["corrections"].gather()

    def replace_taxonomy(self, taxonomy: Taxonomy) -> None:
        """Put another tree in the place of the catalog's."""
        rows = taxonomy.table()
        if not rows.equals(self.taxonomy.table()):
            self._tables["taxonomy"].replace(rows.cast(schema.TAXONOMY))
        self.taxonomy = taxonomy

    def add_source(self, source: dict[str, Any]) -> None:
        """Remember where rows came from."""
        if source not in self.sources:
            self.sources = (*self.sources, source)

    def restore(self, snapshot: Snapshot) -> None:
        """Take everything back to a snapshot of this catalog's past."""
        for name, table in self._tables.items():
            if name not in snapshot.tables:  # a table that did not exist then
                table.replace(schema.TABLES[name].empty_table())
            elif table.version != snapshot.tables[name]:
                table.restore(snapshot.tables[name])
        self._past = snapshot

    def so_far(self) -> Catalog:
        """Open what has been written, as it would be if the block ended now."""
        return Catalog.at(self.path, Description(snapshot=self._snapshot()))

    @property
    def versions(self) -> dict[str, int]:
        """Version of each table."""
        return {name: int(table.version or 0) for name, table in self._tables.items()}

    def keep(self, key: str) -> None:
        """Make what was written so far survive this process: a block with the same key goes on from here."""
        base = self._before.version if self._before else 0
        write_json(self.path / description.PENDING, {"key": key, "base": base, "tables": self.versions})

    def _snapshot(self) -> Snapshot:
        if self._past:
            return replace(self._past, tables=self.versions)
        version = self._before.version + 1 if self._before else 1
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Snapshot(
            version=version, what=self._what, time=now, level_names=self.taxonomy.level_names, sources=self.sources,
            tables=self.versions, sitting=self._sitting,
        )  # fmt: skip

    def publish(self) -> None:
        """Make all of it visible in one step, unless nothing changed."""
        before, after = self._before, self._snapshot()
        if before and (after.tables, after.level_names) == (before.tables, before.level_names):
            return
        if before:
            history.remember(self.path, before, after)
        with only_one(self.path / ".locks" / "description", self._what):
            current = read_description(self.path) if before else Description(snapshot=after)
            current.with_snapshot(after).write(self.path)
        if not before:
            sync(self.path.parent)
        kept = history.forget(self.path, after)
        for name, table in self._tables.items():
            table.forget_versions({past.tables[name] for past in kept if name in past.tables})


@contextmanager
def changing(
    path: Path | str, what: str, *, key: str | None = None, sitting: str = "", wait_s: float = PATIENCE_S
) -> Iterator[Change]:
    """Open a catalog, or a new one where nothing is, to be changed by this process alone.

    key: names work that may go on after it was killed (see `Change.keep`). sitting: names small changes that follow one
    another (a person's clicks): each is a version of its own, and all of them are one step of `undo`. An error inside takes
    everything back, except where the same command can go on later: a full disk, an interruption.
    Raises CatalogBusyError when another process still holds the catalog after `wait_s` seconds, CatalogError when `path`
    is something else.
    """
    path = Path(path)
    before = _existing(path)
    with only_one(path / ".locks" / "writer", what, wait_s):
        before = _existing(path)  # another process may have made it while this one waited
        snapshot = before.snapshot if before else None
        remove_leftovers(path / description.PENDING)
        if snapshot:
            remove_leftovers(path / "history" / f"{snapshot.version}.json")
        try:
            kept = _kept(path, snapshot, key)
            change = Change(path, what, snapshot, kept or (snapshot.tables if snapshot else {}), sitting)
            yield change
            change.publish()
            (path / description.PENDING).unlink(missing_ok=True)
        except BaseException as error:
            goes_on = not isinstance(error, ShelfwiseError) or isinstance(error, DiskFullError)
            if not (goes_on and (path / description.PENDING).exists()):
                (path / description.PENDING).unlink(missing_ok=True)
                if not (path / description.FILE).exists():
                    _remove(path)
            raise


def _remove(path: Path) -> None:
    """Remove what is no catalog yet, the lock last: whoever waits for it must not begin among what is being removed."""
    with suppress(OSError):  # what cannot be removed is, when the next change begins
        for entry in path.iterdir():
            if entry.is_dir() and entry.name != ".locks":
                shutil.rmtree(entry)
            elif entry.is_file():
                entry.unlink(missing_ok=True)
        shutil.rmtree(path / ".locks")
        path.rmdir()


def _existing(path: Path) -> Description | None:
    """Read what is there; None for nothing, or for a first import that was killed."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)):
        raise CatalogError(f"{path} is an address: a catalog is a folder of this machine")
    if not (path / description.FILE).exists():
        ours = path.is_dir() and all(_is_ours(entry.name) for entry in path.iterdir())
        if path.exists() and not ours and not (path / description.PENDING).exists():
            raise CatalogError(f"{path} exists and is no catalog: choose another name, or remove it first")
        return None
    return read_description(path)


def _is_ours(name: str) -> bool:
    whole = name in (
        ".locks",
        "checksums",
        "history",
        description.PENDING,
        *(f"{table}.lance" for table in schema.TABLES),
    )
    return whole or (name.startswith((f".{description.FILE}.", f".{description.PENDING}.")) and name.endswith(".part"))


def _kept(path: Path, snapshot: Snapshot | None, key: str | None) -> dict[str, int] | None:
    """Return the versions up to which killed work of the same key got; None where there is none."""
    try:
        pending = json.loads((path / description.PENDING).read_bytes())
        base = snapshot.version if snapshot else 0
        if key is not None and (pending["key"], pending["base"]) == (key, base):
            return {str(name): int(version) for name, version in pending["tables"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    (path / description.PENDING).unlink(missing_ok=True)
    return None


def refuse_busy(path: Path) -> None:
    """Raise CatalogBusyError where another process is changing a catalog: to be asked before long preparations."""
    lock = path / ".locks" / "writer"
    if lock.exists():
        with only_one(lock, "look", wait_s=1.0):
            pass


def undo(path: Path | str) -> tuple[Snapshot, Snapshot]:
    """Take a catalog back by one change, or by one sitting; returns the snapshot that was left and the one gone back to.

    Raises CatalogError when there is nothing to go back to.
    """
    path = Path(path)
    Catalog(path)  # what is no catalog is told, and not begun as one
    with changing(path, "undo") as change:
        left = (change.catalog or Catalog(path)).description.snapshot
        steps = history.steps_back(path, left)
        if not steps:
            raise CatalogError(f"{path} has no earlier version: this is how it began")
        change.restore(steps[-1])
    return left, steps[-1]
