"""Answer for photos: files, folders, or bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shelfwise.bundle import Bundle
from shelfwise.engines import available_cores, map_ordered
from shelfwise.engines.decoders import Decoders
from shelfwise.errors import ImageError, SourceError
from shelfwise.files import text_of
from shelfwise.images.files import read_picture
from shelfwise.options import PredictOptions
from shelfwise.predict.certain import Certainty
from shelfwise.predict.prediction import Prediction
from shelfwise.progress import SILENT, Progress

Pixels = NDArray[np.uint8]

_BATCH = 8


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
        certainty = Certainty.asked(loaded, options)

        def answered(batch: list[Path]) -> list[Prediction]:
            return _answered(certainty, decoders, batch, options.top)

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


def _answered(certainty: Certainty, decoders: Decoders, files: list[Path], top: int) -> list[Prediction]:
    views = [extractor.preprocessing for extractor in certainty.bundle.extractors]
    squares: dict[Path, list[Pixels]] = {}
    refused: dict[Path, ImageError] = {}
    for file in files:
        try:
            squares[file] = decoders.prepare(read_picture(file), views)
        except ImageError as error:
            refused[file] = error
    told = _predictions(certainty, squares, top)
    return [
        told[file]
        if file in told
        else Prediction(text_of(file), "quarantined", reason=refused[file].code, detail=refused[file].detail)
        for file in files
    ]


def _predictions(certainty: Certainty, squares: dict[Path, list[Pixels]], top: int) -> dict[Path, Prediction]:
    """Answer for prepared photos: for each, a square for each backbone."""
    if not squares:
        return {}
    bundle = certainty.bundle
    # Rounded to float16 like the vectors of a catalog; see Bundle.features_of.
    vectors = [
        extractor.vectors(np.stack(of_one)).astype(np.float16)
        for extractor, of_one in zip(bundle.extractors, zip(*squares.values(), strict=True), strict=True)
    ]
    probabilities, familiarity = bundle.answered(bundle.layout.features(vectors))
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    sure, sets = certainty.sure(probabilities), certainty.sets(probabilities)
    return {
        file: Prediction(
            text_of(file), "ok", tuple(_answer(bundle, int(column), probabilities[row, column]) for column in best[row]),
            familiarity=None if familiarity is None else float(familiarity[row]), sure=sure[row], set=sets[row],
        )
        for row, file in enumerate(squares)
    }  # fmt: skip


def _answer(bundle: Bundle, column: int, probability: float) -> tuple[str, tuple[str, ...], float]:
    category = bundle.categories[column]
    return category, bundle.taxonomy.names(category), float(probability)
