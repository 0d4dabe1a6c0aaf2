"""Lance tables in a catalog's folder, each read and written at a version that the catalog names."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shelfwise.catalog import schema
from shelfwise.catalog.checksums import Checksums
from shelfwise.errors import CatalogError
from shelfwise.files import room_for

os.environ.setdefault("LANCE_LOG", "error")  # before the import: Lance logs a line per query otherwise
import lance

_IDS_PER_DELETE = 1000
# Fragments of a table that grows by single rows, before they are gathered: reading, and the list of checksums, slow down
# with their number.
_MOST_FRAGMENTS = 64


@contextmanager
def opened(catalog: Path, name: str, version: int) -> Iterator[lance.LanceDataset]:
    """Open a table to read from; what Lance says of a damaged one becomes a CatalogError."""
    try:
        yield lance.dataset(str(catalog / f"{name}.lance"), version=version)
    except (ValueError, OSError) as error:  # Arrow's own errors are one of the two
        said = str(error).splitlines()[0]
        raise CatalogError(
            f"{catalog}: the table {name} is missing or damaged ({said}): see  shelfwise verify {shlex.quote(str(catalog))}"
        ) from error


class TableWriter:
    """One table, to be written by one process: a lock is held while this exists.

    version: the one that the catalog names, None where there is none yet. Whatever lies in the folder beyond what was
    committed (a killed process left it) is removed first, and a table that went further than `version` is taken back.
    """

    def __init__(self, catalog: Path, name: str, version: int | None) -> None:
        self._target = catalog / f"{name}.lance"
        self._checksums = Checksums(catalog, name)
        self.version = version
        if version is None:
            self._checksums.begin()
            return
        self._checksums.sweep()
        with opened(catalog, name, version) as table:
            newest = table.latest_version
        if newest != version:
            self._forget(lambda other: other > version)

    def restore(self, version: int) -> None:
        """Make an older version the newest one."""
        table = lance.dataset(str(self._target), version=version)
        with room_for(self._target):
            table.restore()  # type: ignore[no-untyped-call]
        self._commit()

    def append(self, rows: pa.Table) -> None:
        """Add rows in one commit."""
        self._write(rows, "append" if self.version else "create", rows.nbytes)

    def replace(self, rows: pa.Table) -> None:
        """Put other rows in the place of all."""
        self._write(rows, "overwrite" if self.version else "create", rows.nbytes)

    def delete(self, column: str, values: Iterable[str]) -> None:
        """Remove the rows whose text in `column` is one of `values`."""
        pending = list(values)
        table = lance.dataset(str(self._target))
        with room_for(self._target):
            for start in range(0, len(pending), _IDS_PER_DELETE):
                quoted = ", ".join(_quoted(value) for value in pending[start : start + _IDS_PER_DELETE])
                table.delete(f"`{column}` IN ({quoted})")
        if pending:
            self._commit()

    def update(self, rows: pa.Table, key: str) -> None:
        """Put other values into columns of the rows whose `key` is in `rows`; no other column is written anew.

        Every row stays where it is: only the columns of `rows` are written, in the fragments that are touched.
        """
        table = lance.dataset(str(self._target))
        changed, fields = [], set()
        with room_for(self._target, rows.nbytes):
            for fragment in _touched(table, key, rows.column(key)):
                metadata, modified = fragment.update_columns(rows, key)
                changed.append(metadata)
                fields.update(modified)
            if not changed:
                return
            operation = lance.LanceOperation.Update(
                updated_fragments=changed, fields_modified=sorted(fields), update_mode="rewrite_columns"
            )
            lance.LanceDataset.commit(str(self._target), operation, read_version=table.version)
        self._commit()

    def gather(self) -> None:
        """Write the fragments of a table that has many as one."""
        table = lance.dataset(str(self._target))
        if len(table.get_fragments()) > _MOST_FRAGMENTS:
            with room_for(self._target):
                table.optimize.compact_files()
            self._commit()

    def forget_versions(self, keep: set[int]) -> None:
        """Remove the versions that nobody can go back to, and the files that only they need."""
        self._forget(lambda version: version != self.version and version not in keep)

    def _forget(self, unneeded: Callable[[int], bool]) -> None:
        table = lance.dataset(str(self._target))
        if any(unneeded(stored["version"]) for stored in table.versions()):
            files = table.tracked_files().read_all()
            versions, paths = (files.column(name).to_pylist() for name in ("version", "path"))
            self._checksums.retain({p for p, version in zip(paths, versions, strict=True) if not unneeded(version)})

    def _write(self, rows: pa.Table, mode: str, size_bytes: int) -> None:
        with room_for(self._target, size_bytes):
            lance.write_dataset(rows, str(self._target), mode=mode, data_storage_version=schema.LANCE_FILE_FORMAT)
        self._commit()

    def _commit(self) -> None:
        with room_for(self._target):
            self._checksums.record()
        self.version = int(lance.dataset(str(self._target)).version)


def _touched(table: lance.LanceDataset, key: str, values: pa.ChunkedArray) -> list[lance.LanceFragment]:
    """Return the fragments with a row whose `key` is one of `values`."""
    wanted = values.combine_chunks()

    def holds(fragment: lance.LanceFragment) -> bool:
        batches = fragment.to_batches(columns=[key])
        return any(pc.any(pc.is_in(batch.column(key), wanted)).as_py() for batch in batches)

    return [fragment for fragment in table.get_fragments() if holds(fragment)]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
