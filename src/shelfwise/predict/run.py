"""Answer for photos: files, folders, or bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.bundle import Bundle
from shelfwise.engines import available_cores, map_ordered
from shelfwise.engines.decoders import Decoders
from shelfwise.errors import ImageError, SourceError
from shelfwise.files import text_of
from shelfwise.images.files import read_picture
from shelfwise.options import PredictOptions
from shelfwise.progress import SILENT, Progress

Pixels = NDArray[np.uint8]
Answers = tuple[tuple[str, tuple[str, ...], float], ...]

_BATCH = 8


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one photo.

    status: `ok`, or `quarantined` with reason and detail. answers: category id, names from the top down and probability,
    the likeliest first.
    """

    photo: str
    status: str
    answers: Answers = ()
    reason: str | None = None
    detail: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON values."""
        if self.status != "ok":
            return {"photo": self.photo, "status": self.status, "reason": self.reason, "detail": self.detail}
        answers = [{"category": c, "path": list(names), "probability": round(p, 6)} for c, names, p in self.answers]
        return {"photo": self.photo, "status": self.status, "answers": answers}


def predict(
    bundle: Path | str | Bundle,
    photos: Sequence[Path | str],
    options: PredictOptions | None = None,
    *,
    progress: Progress = SILENT,
) -> Iterator[Prediction]:
    """Yield a prediction for every photo, in order; a folder stands for all files below it but hidden ones.

    A photo that cannot be used is answered with its reason. Raises SourceError when there is no photo, BundleError for a
    bundle that is damaged.
    """
    options = options or PredictOptions()
    files = list(_files(photos))
    batches = [files[start : start + _BATCH] for start in range(0, len(files), _BATCH)]
    threads = options.threads or available_cores()
    with Decoders(threads) as decoders:
        decoders.start()  # while the bundle is read
        loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)

        def answered(batch: list[Path]) -> list[Prediction]:
            return _answered(loaded, decoders, batch, options.top)

        with progress.task("predict", len(files)) as advance:
            for predictions in map_ordered(answered, batches, threads):
                yield from predictions
                advance(len(predictions))


def _files(photos: Sequence[Path | str]) -> Iterator[Path]:
    for photo in map(Path, photos):
        if photo.is_dir():
            hidden = (".", "__")
            below = [
                f for f in sorted(photo.rglob("*")) if not any(p.startswith(hidden) for p in f.relative_to(photo).parts)
            ]
            below = [file for file in below if not file.is_dir()]
            if not below:
                raise SourceError(f"{photo} holds no files")
            yield from below
        elif photo.exists():
            yield photo
        else:
            raise SourceError(f"{photo} does not exist")


def _answered(bundle: Bundle, decoders: Decoders, files: list[Path], top: int) -> list[Prediction]:
    views = [extractor.preprocessing for extractor in bundle.extractors]
    squares: dict[int, list[Pixels]] = {}
    refused: dict[int, ImageError] = {}
    for place, file in enumerate(files):
        try:
            squares[place] = decoders.prepare(read_picture(file), views)
        except ImageError as error:
            refused[place] = error
    answers = dict(zip(squares, _answers(bundle, list(squares.values()), top), strict=True))
    return [
        Prediction(text_of(file), "ok", answers[place])
        if place in answers
        else Prediction(text_of(file), "quarantined", reason=refused[place].code, detail=refused[place].detail)
        for place, file in enumerate(files)
    ]


def _answers(bundle: Bundle, squares: list[list[Pixels]], top: int) -> list[Answers]:
    """Answer for prepared photos: for each, a square for each backbone."""
    if not squares:
        return []
    # Rounded to float16 like the vectors of a catalog; see Bundle.features_of.
    vectors = [
        extractor.vectors(np.stack(of_one)).astype(np.float16)
        for extractor, of_one in zip(bundle.extractors, zip(*squares, strict=True), strict=True)
    ]
    probabilities = bundle.probabilities(bundle.layout.features(vectors))
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        tuple(_answer(bundle, int(column), row[column]) for column in columns)
        for row, columns in zip(probabilities, best, strict=True)
    ]


def _answer(bundle: Bundle, column: int, probability: float) -> tuple[str, tuple[str, ...], float]:
    category = bundle.categories[column]
    return category, bundle.taxonomy.names(category), float(probability)


def to_csv(predictions: Iterable[Prediction]) -> str:
    """Write predictions as CSV (RFC 4180), a row a photo; cells that a spreadsheet would take for a formula are quoted with '."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["photo", "status", "category", "path", "probability", "reason", "detail"])
    for prediction in predictions:
        category, names, probability = prediction.answers[0] if prediction.answers else ("", (), "")
        shown = f"{probability:.6f}" if prediction.answers else ""
        row = [
            prediction.photo,
            prediction.status,
            category,
            " > ".join(names),
            shown,
            prediction.reason,
            prediction.detail,
        ]
        writer.writerow([_harmless(cell or "") for cell in row])
    return buffer.getvalue()


def _harmless(cell: str) -> str:
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
