"""Answer for a split of a catalog and say how good the answers are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shelfwise.backbones.products import filed_products, read_products
from shelfwise.bundle import Bundle
from shelfwise.bundle.own_vectors import compute_own_vectors
from shelfwise.catalog import Catalog
from shelfwise.classifiers.certainty import threshold_for
from shelfwise.errors import LabelMismatchError
from shelfwise.evaluate.against import compared_with
from shelfwise.evaluate.answering import answers_about, answers_about_photos
from shelfwise.evaluate.baseline import nearest_hash_baseline
from shelfwise.evaluate.metrics import metrics_of
from shelfwise.evaluate.page import report_page
from shelfwise.evaluate.photos import by_photos
from shelfwise.evaluate.shift import shifted
from shelfwise.files import write_bytes, write_json
from shelfwise.metrics.abstention import abstention
from shelfwise.metrics.classification import score
from shelfwise.metrics.confusion import confusion
from shelfwise.metrics.permutation import permuted_labels
from shelfwise.options import EvaluateOptions
from shelfwise.progress import SILENT, Progress


@dataclass(frozen=True, slots=True)
class EvaluateSummary:
    """The figures as JSON values, and where the report is (None where none was asked for)."""

    metrics: dict[str, Any]
    report: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return self.metrics | {"report": self.report}


def evaluate(
    bundle: Path | str | Bundle,
    catalog: Path | str,
    to: Path | str | None = None,
    options: EvaluateOptions | None = None,
    *,
    progress: Progress = SILENT,
) -> EvaluateSummary:
    """Score a bundle on a split of a catalog; with `to`, write `index.html` and `metrics.json` there.

    Raises LabelMismatchError when the split holds categories that the bundle does not know or knows by other names, and
    when the answers look right but for a permutation of the labels.
    """
    options = options or EvaluateOptions()
    loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
    opened = Catalog(catalog)
    with progress.task(f"evaluate {options.split}", 3) as advance:
        compute_own_vectors(loaded, opened, filed_products(opened, [options.split])[0], options.split, progress)
        data = read_products(opened, loaded.layout, [options.split])
        answers = answers_about(loaded, opened, data, options)
        advance(1)
        permuted = permuted_labels(confusion(answers))
        if permuted is not None:
            raise LabelMismatchError(permuted.message())
        scores = score(answers, seed=options.seed)
        metrics = metrics_of(loaded, opened, data, answers, scores, options)
        alone = answers if len(data.photos) == len(data) else answers_about_photos(loaded, opened, data, options)
        metrics |= by_photos(data, answers, scores, alone, seed=options.seed)
        if options.max_error is not None:
            threshold = threshold_for(loaded.held_out(), options.max_error)
            metrics["abstention"] = abstention(answers, threshold, options.seed)
        if options.baseline is not None:
            metrics["baseline"] = nearest_hash_baseline(loaded, opened, answers, options.split, options.seed)
        if options.shift:
            metrics |= shifted(loaded, answers, metrics["notes"])
        metrics["against"] = [compared_with(path, opened, answers, options) for path in options.against]
        advance(1)
        if to is not None:
            page = report_page(loaded, opened, data, answers, scores, metrics, options)
            write_json(Path(to) / "metrics.json", metrics)
            write_bytes(Path(to) / "index.html", page.encode())
        advance(1)
    return EvaluateSummary(metrics, None if to is None else str(Path(to) / "index.html"))
