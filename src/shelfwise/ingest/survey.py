"""The first pass over a source: count it, find ids that occur twice, and learn of broken structure before anything is written."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shelfwise.errors import ImageError
from shelfwise.formats.rows import BadRow
from shelfwise.ingest.photos import content_digest
from shelfwise.ingest.records import Damage, FilePart, PhotoSource, ProductRecord, Source
from shelfwise.progress import Progress


@dataclass(slots=True)
class Survey:
    """What a source holds.

    rows = products + bad rows + duplicates. conflicts: ids that occur with different content, none of which is taken.
    size_bytes: of all photos together.
    """

    rows: int = 0
    products: int = 0
    photos: int = 0
    size_bytes: int = 0
    duplicates: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    repeated: set[str] = field(default_factory=set)
    conflicts: set[str] = field(default_factory=set)
    digest: str = ""

    def accepted(self, source: Source) -> Iterator[ProductRecord]:
        """Go through the products to take, every id once."""
        taken: set[str] = set()
        for record in source.rows():
            if not isinstance(record, ProductRecord) or record.product_id in self.conflicts:
                continue
            if record.product_id in self.repeated:
                if record.product_id in taken:
                    continue
                taken.add(record.product_id)
            yield record


def survey(source: Source, progress: Progress) -> Survey:
    """Go through a source without decoding a photo; raises SourceError where its structure is broken."""
    found = Survey()
    # 8 bytes an id, so that 12 million of them need no more than 100 MB; equal hashes are then compared by their ids.
    hashes = array("q")
    digest = hashlib.blake2b(digest_size=16)
    with progress.task(f"scan {source.path.name}", None) as advance:
        for row in source.rows():
            advance(1)
            if isinstance(row, Damage):
                found.damage.append(row)
                continue
            found.rows += 1
            if isinstance(row, BadRow):
                found.bad_rows.append(row)
                continue
            hashes.append(hash(row.product_id))
            found.products += 1
            found.photos += len(row.photos)
            size_bytes = sum(map(_size_bytes, row.photos))
            digest.update(f"{row.product_id}\0{len(row.photos)}\0{size_bytes}\n".encode("utf-8", "surrogatepass"))
            found.size_bytes += size_bytes
    found.digest = digest.hexdigest()
    ordered = np.sort(np.frombuffer(hashes, dtype=np.int64))
    repeated = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    if repeated:
        _tell_repeats_apart(source, found, repeated)
    return found


def _size_bytes(photo: PhotoSource) -> int:
    match photo.data:
        case FilePart(length=length):
            return length
        case Path() as path:
            with suppress(OSError, ValueError):
                return path.stat().st_size
        case bytes() as data:
            return len(data)
        case ImageError():
            pass
    return 0


def _tell_repeats_apart(source: Source, found: Survey, hashes: set[int]) -> None:
    """Read the rows whose ids occur again: equal ones are duplicates, of different ones none can be taken."""
    rows: dict[str, list[tuple[bytes, BadRow]]] = {}
    for row in source.rows():
        if isinstance(row, ProductRecord) and hash(row.product_id) in hashes:
            as_bad = BadRow(row.where, "id_conflict", "", row.text, row.product_id)
            rows.setdefault(row.product_id, []).append((content_digest(row), as_bad))
    for product_id, same_id in rows.items():
        if len(same_id) == 1:
            continue
        if len({content for content, _ in same_id}) == 1:
            found.repeated.add(product_id)
            found.duplicates += len(same_id) - 1
            found.products -= len(same_id) - 1
        else:
            found.conflicts.add(product_id)
            found.products -= len(same_id)
            places = " and ".join(bad.where for _, bad in same_id[:10])
            said = f"the id {product_id!r} occurs {len(same_id)} times with different content: {places}"
            found.bad_rows += [BadRow(bad.where, bad.code, said, bad.text, product_id) for _, bad in same_id]
