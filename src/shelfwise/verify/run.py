"""Compare a catalog's or a bundle's files, and every picture, with the sha256 that was recorded when they were written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shelfwise.bundle import Bundle
from shelfwise.catalog import Catalog
from shelfwise.catalog.checksums import Checksums
from shelfwise.catalog.description import FILE, PENDING
from shelfwise.catalog.history import read_snapshot, stored_versions
from shelfwise.errors import BundleError, CatalogError, OptionError
from shelfwise.files import sha256_of_file
from shelfwise.progress import SILENT, Progress

_PICTURES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not what was written: a file or an image, what is wrong, in plain words."""

    what: str
    code: str
    detail: str


@dataclass(slots=True)
class VerifySummary:
    """What was compared and what differs."""

    path: str
    files: int = 0
    pictures: int = 0
    leftovers: int = 0
    findings: list[Finding] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return asdict(self)


def verify(path: Path | str, *, progress: Progress = SILENT) -> VerifySummary:
    """Read all of a catalog or a bundle and name every file and every image that changed since it was written.

    Raises OptionError when `path` is neither.
    """
    path = Path(path)
    summary = VerifySummary(str(path))
    if path.suffix == ".zip" or (path / "bundle.json").exists():
        _verify_bundle(path, summary)
    elif any((path / name).exists() for name in (FILE, PENDING, "checksums")):
        _verify_catalog(path, summary, progress)
    else:
        raise OptionError(f"{path} is neither a catalog nor a bundle")
    return summary


def _verify_bundle(path: Path, summary: VerifySummary) -> None:
    summary.files = 1 if path.is_file() else sum(file.is_file() for file in path.rglob("*"))
    try:
        bundle = Bundle.load(path)
        if bundle.kept:
            bundle.learned()
    except BundleError as error:
        summary.findings.append(Finding(str(path), "bundle_invalid", str(error)))


def _verify_catalog(path: Path, summary: VerifySummary, progress: Progress) -> None:
    for version in stored_versions(path):
        summary.files += 1
        try:
            read_snapshot(path, version)
        except CatalogError as error:
            summary.findings.append(Finding(f"history/{version}.json", "file_damaged", str(error)))
    rotten = _verify_tables(path, summary, progress)
    summary.files += 1
    try:
        catalog = Catalog(path)
        gone = sorted(name for name in catalog.versions if not (path / f"{name}.lance").is_dir())
        summary.findings += [Finding(f"{name}.lance", "file_missing", "the table is not there") for name in gone]
        if "images" not in rotten | set(gone):
            _verify_pictures(catalog, summary, progress)
    except CatalogError as error:
        summary.findings.append(Finding(FILE, "file_damaged", str(error)))


def _verify_tables(path: Path, summary: VerifySummary, progress: Progress) -> set[str]:
    """Compare the files of every table; return the tables in which one differs."""
    rotten = set()
    for name in sorted(file.stem for file in (path / "checksums").glob("*.json")):
        summary.files += 1
        try:
            checksums = Checksums(path, name)
        except CatalogError as error:
            summary.findings.append(Finding(f"checksums/{name}.json", "file_damaged", str(error)))
            continue
        summary.files += len(checksums.digests)
        summary.leftovers += sum(file not in checksums.digests for file in checksums.on_disk())
        with progress.task(f"verify {name}", len(checksums.digests)) as advance:
            for file, digest in checksums.digests.items():
                if found := _compared(checksums.folder / file, digest, f"{name}.lance/{file}"):
                    summary.findings.append(found)
                    rotten.add(name)
                advance(1)
    return rotten


def _compared(file: Path, digest: str, name: str) -> Finding | None:
    try:
        now = sha256_of_file(file)
    except FileNotFoundError:
        return Finding(name, "file_missing", "the file is not there")
    except OSError as error:
        return Finding(name, "file_unreadable", error.strerror or str(error))
    said = f"its sha256 is {now[:16]}..., written was {digest[:16]}..."
    return None if now == digest else Finding(name, "hash_mismatch", said)


def _verify_pictures(catalog: Catalog, summary: VerifySummary, progress: Progress) -> None:
    images = catalog.images(["image_id", "sha256"])
    with progress.task("verify pictures", len(images)) as advance:
        for start in range(0, len(images), _PICTURES_AT_ONCE):
            rows = images.slice(start, _PICTURES_AT_ONCE).to_pylist()
            recorded = [(start + place, row) for place, row in enumerate(rows) if row["sha256"] is not None]
            for (_, row), content in zip(recorded, _contents(catalog, [place for place, _ in recorded]), strict=True):
                summary.pictures += 1
                if isinstance(content, CatalogError):
                    summary.findings.append(Finding(row["image_id"], "file_unreadable", str(content)))
                elif hashlib.sha256(content).digest() != row["sha256"]:
                    said = f"the picture is not the one that was imported (sha256 {row['sha256'].hex()[:16]}...)"
                    summary.findings.append(Finding(row["image_id"], "hash_mismatch", said))
            advance(len(rows))


def _contents(catalog: Catalog, rows: list[int]) -> Iterator[bytes | CatalogError]:
    """Read pictures, each one by itself where reading them together fails."""
    try:
        yield from catalog.image_bytes(rows)
    except CatalogError:
        for row in rows:
            try:
                yield from catalog.image_bytes([row])
            except CatalogError as error:
                yield error
