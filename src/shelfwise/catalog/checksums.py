"""The sha256 of every file of a table: what bit rot is found by, and what tells a committed file from a leftover."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from shelfwise.errors import CatalogError
from shelfwise.files import read_sealed_json, remove_leftovers, sha256_of_file, sync, write_sealed_json

# Lance's hint where to look for the newest version; it says nothing that the files do not, and is rewritten at will.
_HINT = "_versions/latest_version_hint.json"


class Checksums:
    """The committed files of one table, by their path below it."""

    def __init__(self, catalog: Path, table: str) -> None:
        self.folder = catalog / f"{table}.lance"
        self._path = catalog / "checksums" / f"{table}.json"
        self.digests = self._read()

    def _read(self) -> dict[str, str]:
        try:
            return dict(read_sealed_json(self._path)["files"])
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise CatalogError(f"the checksums cannot be read, ingest again: {error}") from None

    def on_disk(self) -> Iterator[str]:
        """Go through the files of the table."""
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder, name).relative_to(self.folder).as_posix()
                if path != _HINT:
                    yield path

    def refuse_rot(self) -> None:
        """Raise CatalogError naming a file whose content is not what was written."""
        for name, digest in self.digests.items():
            file = self.folder / name
            if not file.is_file() or sha256_of_file(file) != digest:
                catalog = shlex.quote(str(self.folder.parent))
                raise CatalogError(
                    f"hash_mismatch: {self.folder.name}/{name} is not what was written: see  shelfwise verify {catalog}"
                )

    def begin(self) -> None:
        """Remove what a killed process left of a table that no catalog names."""
        remove_leftovers(self._path)
        self._path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.digests = {}

    def sweep(self) -> None:
        """Remove files that no commit knows: a killed process left them."""
        remove_leftovers(self._path)
        leftovers = [name for name in self.on_disk() if name not in self.digests]
        if leftovers:
            (self.folder / _HINT).unlink(missing_ok=True)  # before the version that it may point to
        for name in leftovers:
            (self.folder / name).unlink()

    def retain(self, names: set[str]) -> None:
        """Forget all other files, then remove them: a kill in between leaves what `sweep` removes, and no gap."""
        kept = {name: digest for name, digest in self.digests.items() if name in names}
        if kept != self.digests:
            self.digests = kept
            write_sealed_json(self._path, {"files": kept})
        self.sweep()

    def record(self) -> None:
        """Take in the files that are new, once they would survive a power cut, and forget those that are gone."""
        names = list(self.on_disk())
        new = [name for name in names if name not in self.digests]
        for name in new:
            sync(self.folder / name)
        for folder in {(self.folder / name).parent for name in new} | {self.folder, self.folder.parent}:
            sync(folder)
        kept = {name: self.digests[name] for name in names if name in self.digests}
        fresh = kept | {name: sha256_of_file(self.folder / name) for name in new}
        if fresh != self.digests:
            self.digests = fresh
            write_sealed_json(self._path, {"files": fresh})
