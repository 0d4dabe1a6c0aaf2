"""Compute the vectors of a catalog's photos that are not there yet."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shelfwise.backbones import PRESETS, BackboneSpec, Extractor, parse_specs
from shelfwise.backbones.precision import settle_precision
from shelfwise.catalog import Catalog
from shelfwise.engines import available_cores
from shelfwise.engines.missing import UsablePhotos, compute_missing, missing_vectors, usable_photos
from shelfwise.options import EmbedOptions
from shelfwise.progress import SILENT, Progress

# Photos per call of a backbone; larger batches leave the processor's cache and are slower (docs/experiments.md).
_BATCH = 8


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
    photos = usable_photos(opened)
    summary = EmbedSummary(str(catalog), len(photos.row))
    for spec in specs:
        summary.backbones.append(_embed_one(opened, spec, photos, options.threads or available_cores(), progress))
    opened.record_embedding([spec.to_dict() for spec in specs])
    return summary


def _embed_one(
    catalog: Catalog, spec: BackboneSpec, photos: UsablePhotos, threads: int, progress: Progress
) -> BackboneSummary:
    summary = BackboneSummary(str(spec), spec.precision, sum(spec.widths))
    with catalog.embedding_writer(spec.key):
        missing = missing_vectors(catalog, spec.key, photos)
        summary.already_there, summary.same_picture = missing.already_there, missing.same_picture
        places = missing.places
        if not len(places):
            return summary
        with progress.task(f"load {spec}", 1) as advance:  # the first time, its graph is built and quantized
            extractor = Extractor(spec)
            advance(1)
        started = time.perf_counter()
        with progress.task(f"embed {spec}", len(places)) as advance:
            compute_missing(
                catalog, spec.key, photos, places, extractor.vectors_of, batch=_BATCH, threads=threads, advance=advance
            )
    summary.computed, summary.seconds = len(places), round(time.perf_counter() - started, 3)
    return summary
