"""Compute the vectors of a catalog's photos that are not there yet."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shelfwise.backbones import PRESETS, BackboneSpec, Extractor, parse_specs
from shelfwise.backbones.precision import settle_precision
from shelfwise.catalog import Catalog
from shelfwise.engines import available_cores, map_ordered
from shelfwise.errors import CatalogError
from shelfwise.options import EmbedOptions
from shelfwise.progress import SILENT, Advance, Progress

# Photos per call of a backbone; larger batches leave the processor's cache and are slower (docs/experiments.md).
_BATCH = 8
# A commit after so many photos or so many seconds: what a kill -9 can cost.
_ROWS_PER_COMMIT, _SECONDS_PER_COMMIT = 4096, 60


@dataclass(slots=True)
class BackboneSummary:
    """What one backbone did: photos it ran on, copies of the same picture, photos that were done before, speed."""

    backbone: str
    precision: str
    dimension: int
    computed: int = 0
    same_picture: int = 0
    already_there: int = 0
    seconds: float = 0.0

    @property
    def photos_per_s(self) -> float | None:
        """Rate over what was computed; None where nothing was."""
        return round(self.computed / self.seconds, 1) if self.computed else None


@dataclass(slots=True)
class EmbedSummary:
    """What embed did, a row per backbone."""

    catalog: str
    images: int
    backbones: list[BackboneSummary] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        rows = [asdict(row) | {"photos_per_s": row.photos_per_s} for row in self.backbones]
        return {"catalog": self.catalog, "images": self.images, "backbones": rows}


def embed(catalog: Path | str, options: EmbedOptions | None = None, *, progress: Progress = SILENT) -> EmbedSummary:
    """Compute and store the embeddings of all usable photos, backbone by backbone.

    Stopped at any moment, it goes on where it was; photos with the same bytes are computed once.
    Raises OptionError or BackboneError for a backbone that is not to be had, CatalogError for a folder that is no catalog.
    """
    options = options or EmbedOptions()
    opened = Catalog(catalog)
    asked = parse_specs(PRESETS[options.preset] if options.backbone is None else options.backbone)
    specs = [settle_precision(spec, options.precision) for spec in asked]
    images = _usable(opened)
    summary = EmbedSummary(str(catalog), len(images["row"]))
    for spec in specs:
        summary.backbones.append(_embed_one(opened, spec, images, options.threads or available_cores(), progress))
    opened.record_embedding([spec.to_dict() for spec in specs])
    return summary


def _usable(catalog: Catalog) -> dict[str, NDArray[Any]]:
    """Return row, id and digest of the photos with status ok, in row order."""
    table = catalog.images(["image_id", "sha256", "status"])
    ok = np.flatnonzero(table.column("status").to_numpy() == "ok")
    taken = table.take(pa.array(ok))
    return {"row": ok, "id": taken.column("image_id").to_numpy(), "digest": taken.column("sha256").to_numpy()}


def _embed_one(
    catalog: Catalog, spec: BackboneSpec, images: dict[str, NDArray[Any]], threads: int, progress: Progress
) -> BackboneSummary:
    summary = BackboneSummary(str(spec), spec.precision, sum(spec.widths))
    with catalog.embedding_writer(spec.key):
        known = set(catalog.embedded_pictures(spec.key).to_pylist())
        places = _first_of_each_picture(images["digest"], known)
        summary.already_there = sum(digest in known for digest in images["digest"])
        summary.same_picture = len(images["row"]) - summary.already_there - len(places)
        if not len(places):
            return summary
        with progress.task(f"load {spec}", 1) as advance:  # the first time, its graph is built and quantized
            extractor = Extractor(spec)
            advance(1)
        started = time.perf_counter()
        with progress.task(f"embed {spec}", len(places)) as advance:
            _compute(catalog, extractor, images, places, threads, advance)
    summary.computed, summary.seconds = len(places), round(time.perf_counter() - started, 3)
    return summary


def _first_of_each_picture(digests: NDArray[Any], known: set[bytes]) -> NDArray[np.int64]:
    """Return the places to compute: of every picture that is not known, the first."""
    seen = set(known)
    first: list[int] = []
    for place, digest in enumerate(digests):
        if digest not in seen:
            seen.add(digest)
            first.append(place)
    return np.array(first, dtype=np.int64)


def _compute(
    catalog: Catalog,
    extractor: Extractor,
    images: dict[str, NDArray[Any]],
    places: NDArray[np.int64],
    threads: int,
    advance: Advance,
) -> None:

    def vectors(batch: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        pictures = catalog.image_bytes(images["row"][batch])
        for place, picture in zip(batch, pictures, strict=True):
            _refuse_rot(catalog, images, place, picture)
        return batch, extractor.vectors_of(pictures).astype(np.float16)

    batches = (places[start : start + _BATCH] for start in range(0, len(places), _BATCH))
    for digests, matrix in _commits(images["digest"], map_ordered(vectors, batches, threads), advance):
        catalog.append_embeddings(extractor.spec.key, digests, matrix)


def _refuse_rot(catalog: Catalog, images: dict[str, NDArray[Any]], place: np.int64, picture: bytes) -> None:
    if hashlib.sha256(picture).digest() != images["digest"][place]:
        raise CatalogError(
            f"hash_mismatch: photo {images['id'][place]} is not what was imported: see  shelfwise verify {catalog.path}"
        )


def _commits(
    digests: NDArray[Any], results: Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]], advance: Advance
) -> Iterator[tuple[list[bytes], NDArray[np.float16]]]:
    """Gather batches into commits of bounded size and age."""
    places: list[NDArray[np.int64]] = []
    matrices: list[NDArray[np.float16]] = []
    since = time.monotonic()
    for batch, matrix in results:
        places.append(batch)
        matrices.append(matrix)
        advance(len(batch))
        if len(places) * _BATCH >= _ROWS_PER_COMMIT or time.monotonic() - since > _SECONDS_PER_COMMIT:
            yield list(digests[np.concatenate(places)]), np.concatenate(matrices)
            places, matrices, since = [], [], time.monotonic()
    if places:
        yield list(digests[np.concatenate(places)]), np.concatenate(matrices)
