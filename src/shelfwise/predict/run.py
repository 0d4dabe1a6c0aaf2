"""Answer for photos: files, folders, or bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shelfwise.bundle import Bundle
from shelfwise.engines import available_cores, map_ordered
from shelfwise.engines.decoders import Decoders
from shelfwise.errors import ImageError
from shelfwise.files import text_of
from shelfwise.images.files import read_picture
from shelfwise.options import PredictOptions
from shelfwise.predict.certain import Certainty
from shelfwise.predict.prediction import Prediction, Refused
from shelfwise.predict.products import Product, batches, each_folder, each_photo
from shelfwise.progress import SILENT, Progress

Pixels = NDArray[np.uint8]
Features = NDArray[np.float32]

_BATCH = 8


def predict(
    bundle: Path | str | Bundle,
    photos: Sequence[Path | str],
    options: PredictOptions | None = None,
    *,
    progress: Progress = SILENT,
) -> Iterator[Prediction]:
    """Yield a prediction for every photo, in order; a folder stands for all files below it but hidden ones.

    With `per="folder"` all photos of a folder are one product, answered once from those that can be used. What cannot be used
    is answered with its reason. Raises SourceError when there is no photo, BundleError for a bundle that is damaged.
    """
    options = options or PredictOptions()
    products = each_folder(photos) if options.per == "folder" else each_photo(photos)
    threads = options.threads or available_cores()
    with Decoders(threads) as decoders:
        decoders.start()  # while the bundle is read
        loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        certainty = Certainty.asked(loaded, options)

        def answered(batch: list[Product]) -> list[Prediction]:
            return _answered(certainty, decoders, batch, options.top)

        with progress.task("predict", len(products)) as advance:
            for predictions in map_ordered(answered, batches(products, _BATCH), threads):
                yield from predictions
                advance(len(predictions))


def _answered(certainty: Certainty, decoders: Decoders, products: list[Product], top: int) -> list[Prediction]:
    """Answer for products from those of their photos that can be used."""
    owner: list[int] = []
    features: list[Features] = []
    refused: list[list[Refused]] = [[] for _ in products]
    photos = [(place, file) for place, product in enumerate(products) for file in product.photos]
    for start in range(0, len(photos), _BATCH):
        squares = []
        for place, file in photos[start : start + _BATCH]:
            try:
                squares.append(_prepared(certainty.bundle, decoders, file))
                owner.append(place)
            except ImageError as error:
                refused[place].append(Refused(text_of(file), error.code, error.detail))
        if squares:
            features.append(_features(certainty.bundle, squares))
    answerable, product, used = np.unique(np.array(owner, np.intp), return_inverse=True, return_counts=True)
    told = _told(certainty, np.concatenate(features), product, top) if features else []
    answers, counts = dict(zip(answerable, told, strict=True)), dict(zip(answerable, used, strict=True))
    return [
        Prediction.of(text_of(each.name), answers.get(place), refused[place], int(counts.get(place, 0)), each.is_folder)
        for place, each in enumerate(products)
    ]


def _prepared(bundle: Bundle, decoders: Decoders, file: Path) -> list[Pixels]:
    """Return a square for each backbone."""
    return decoders.prepare(read_picture(file), [extractor.preprocessing for extractor in bundle.extractors])


def _features(bundle: Bundle, squares: list[list[Pixels]]) -> Features:
    """Return the feature vectors of prepared photos, rounded to float16 like those of a catalog; see Bundle.features_of."""
    vectors = [
        extractor.vectors(np.stack(of_one)).astype(np.float16)
        for extractor, of_one in zip(bundle.extractors, zip(*squares, strict=True), strict=True)
    ]
    return bundle.layout.features(vectors)


def _told(certainty: Certainty, x: Features, product: NDArray[np.intp], top: int) -> list[Prediction]:
    """Answer for products with feature vectors (n, d) of their photos, not yet under their names."""
    bundle = certainty.bundle
    probabilities, familiarity = bundle.answered(x, product)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    sure, sets = certainty.sure(probabilities), certainty.sets(probabilities)
    return [
        Prediction(
            "", "ok", tuple(_answer(bundle, int(column), probabilities[row, column]) for column in best[row]),
            familiarity=None if familiarity is None else float(familiarity[row]), sure=sure[row], set=sets[row],
        )
        for row in range(len(probabilities))
    ]  # fmt: skip


def _answer(bundle: Bundle, column: int, probability: float) -> tuple[str, tuple[str, ...], float]:
    category = bundle.categories[column]
    return category, bundle.taxonomy.names(category), float(probability)
