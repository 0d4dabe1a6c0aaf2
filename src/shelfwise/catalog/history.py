"""The snapshots of a catalog's past: which are kept, and which of them `undo` goes back to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

from shelfwise.catalog.description import Snapshot
from shelfwise.errors import CatalogError
from shelfwise.files import read_sealed_json, write_sealed_json

# Steps that `undo` can take back; the rows of older ones are removed from the disk.
KEPT_VERSIONS = 10


def stored_versions(path: Path) -> list[int]:
    """Versions whose snapshots are stored, oldest first."""
    return sorted(int(file.stem) for file in (path / "history").glob("*.json") if file.stem.isdecimal())


def read_snapshot(path: Path, version: int) -> Snapshot:
    """Read a snapshot of the past."""
    file = path / "history" / f"{version}.json"
    try:
        return Snapshot.from_dict(read_sealed_json(file))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CatalogError(f"{file} is missing or damaged ({error.__class__.__name__})") from None


def steps_back(path: Path, now: Snapshot) -> list[Snapshot]:
    """Return the snapshots that `undo` goes back to one after the other, oldest first: one for every sitting."""
    past = [read_snapshot(path, version) for version in stored_versions(path) if version < now.version]
    return [before for before, after in pairwise([*past, now]) if not _one_step(before, after)]


def remember(path: Path, before: Snapshot, now: Snapshot) -> None:
    """Store the snapshot that `now` follows."""
    if before.version < now.version:
        write_sealed_json(path / "history" / f"{before.version}.json", asdict(before))


def forget(path: Path, now: Snapshot) -> Sequence[Snapshot]:
    """Remove what is no part of the past of `now`, and what is too old; return what is left.

    Left are the last ten steps, and the last ten versions of all, for whoever still reads from one.
    """
    past = [read_snapshot(path, version) for version in stored_versions(path) if version < now.version]
    steps = [before for before, after in pairwise([*past, now]) if not _one_step(before, after)]
    kept = {snapshot.version: snapshot for snapshot in (*steps[-KEPT_VERSIONS:], *past[-KEPT_VERSIONS:])}
    for stale in stored_versions(path):
        if stale not in kept:
            (path / "history" / f"{stale}.json").unlink()
    return list(kept.values())


def _one_step(before: Snapshot, after: Snapshot) -> bool:
    return before.sitting == after.sitting != ""
