"""What was quarantined, and a second try at it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shelfwise.catalog import Catalog, changing
from shelfwise.engines import available_cores, map_ordered
from shelfwise.engines.decoders import Decoders
from shelfwise.errors import ImageError
from shelfwise.images.files import read_picture
from shelfwise.ingest.photos import ReadPhoto, image_row, read_part
from shelfwise.ingest.records import FilePart, PhotoSource
from shelfwise.progress import SILENT, Progress

_COLUMNS = ["image_id", "product_id", "position", "uri", "offset", "length", "sha256", "status", "reason", "detail"]


def quarantined(path: Path | str) -> Iterator[dict[str, Any]]:
    """Go through what is quarantined in a catalog, rows of sources first, then photos.

    Every entry has id, source, place, stage (`row` or `photo`), code, detail, text, sha256 (hex or None) and time.
    """
    catalog = Catalog(path)
    for row in catalog.quarantine().to_pylist():
        yield row | {"sha256": row["sha256"].hex() if row["sha256"] else None, "time": row["time"].isoformat()}
    for image in _images(catalog, ("quarantined",)).to_pylist():
        yield {
            "id": image["image_id"], "source": image["uri"], "stage": "photo", "code": image["reason"],
            "place": f"byte {image['offset']}" if image["offset"] else "",
            "detail": image["detail"], "text": "", "sha256": image["sha256"].hex() if image["sha256"] else None,
            "time": catalog.description.snapshot.time,
        }  # fmt: skip


@dataclass(slots=True)
class RetrySummary:
    """What a second try came to: photos tried = recovered + still quarantined or missing, by reason."""

    catalog: str
    tried: int = 0
    recovered: int = 0
    still: dict[str, int] = field(default_factory=dict)
    quarantined_rows: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)


def retry(path: Path | str, *, progress: Progress = SILENT) -> RetrySummary:
    """Try every quarantined or missing photo again: read it anew where its file is, else decode what is stored.

    Rows of sources are not tried: mend the source and ingest it again.
    """
    summary = RetrySummary(str(path))
    with changing(path, "quarantine retry") as change:
        catalog = change.catalog or Catalog(path)
        summary.quarantined_rows = len(catalog.quarantine())
        images = _images(catalog, ("quarantined", "missing"))
        summary.tried = len(images)
        still: Counter[str] = Counter()
        recovered = []
        with Decoders() as decoders, progress.task("retry", len(images)) as advance:
            for row in map_ordered(
                lambda image: _again(catalog, image, decoders), images.to_pylist(), available_cores()
            ):
                advance(1)
                if row["status"] == "ok":
                    recovered.append(row)
                else:
                    still[row["reason"]] += 1
        if recovered:
            change.delete_images([row["image_id"] for row in recovered])
            change.append_images(recovered)
    summary.recovered, summary.still = len(recovered), dict(still.most_common())
    return summary


def _images(catalog: Catalog, statuses: tuple[str, ...]) -> pa.Table:
    images = catalog.images(_COLUMNS)
    images = images.append_column("row", pa.array(range(len(images)), pa.int64()))
    return images.filter(pc.is_in(images.column("status"), pa.array(statuses)))


def _again(catalog: Catalog, image: dict[str, Any], decoders: Decoders) -> dict[str, Any]:
    may_be_missing = image["status"] == "missing"
    if image["offset"] is None and image["sha256"] is None:  # there is nothing to read: a path that leads out, a URL
        return {"status": image["status"], "reason": image["reason"]}
    stored = catalog.image_bytes([image["row"]])[0] if image["sha256"] else None
    try:
        content: bytes | ImageError = _read(image)
    except ImageError as error:
        content = stored if stored is not None else error
    path = Path(image["uri"])
    source: bytes | Path | FilePart | ImageError = path
    if image["offset"] is None:
        source = content
    elif image["offset"]:
        source = FilePart(path, image["offset"], image["length"] or 0)
    digest = hashlib.sha256(content).digest() if isinstance(content, bytes) else None
    photo = ReadPhoto(PhotoSource(image["uri"], source, may_be_missing), content, digest)
    return image_row(image["product_id"], image["position"], photo, decoders, in_place=False)


def _read(image: dict[str, Any]) -> bytes:
    """Read the photo where it came from; raises ImageError where that is not possible any more."""
    if image["offset"] is None:
        raise ImageError("file_missing", "it came from no file of its own")
    if image["offset"]:
        return read_part(Path(image["uri"]), image["offset"], image["length"] or 0)
    return read_picture(Path(image["uri"]))
