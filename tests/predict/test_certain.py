import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shelfwise.bundle import Bundle
from shelfwise.classifiers.certainty import set_bar, threshold_for
from shelfwise.options import PredictOptions
from shelfwise.predict import predict, to_csv


@pytest.fixture(scope="module")
def bundle(drawn_bundle: Path) -> Bundle:
    return Bundle.load(drawn_bundle)


@pytest.mark.parametrize("max_error", [0.3, 0.1])
def test_an_answer_is_the_deepest_shelf_that_passes_or_unsure(bundle: Bundle, drawn_folder: Path, max_error: float):
    predictions = list(predict(bundle, [drawn_folder], PredictOptions(max_error=max_error, top=100)))
    assert predictions
    bar = threshold_for(bundle.held_out(), max_error).bar
    for prediction in predictions:
        expected, above = (), None
        for depth in range(bundle.taxonomy.depth):  # the way down, by names
            shares: dict[tuple[str, ...], float] = {}
            for _, names, probability in prediction.answers:
                if above is None or names[:depth] == above:
                    shares[names[: depth + 1]] = shares.get(names[: depth + 1], 0.0) + probability
            above = max(shares, key=lambda names: shares[names])
            if shares[above] >= bar:
                expected, chance = above, shares[above]
        assert prediction.sure.path == expected
        if expected:
            assert prediction.sure.probability == pytest.approx(chance, abs=1e-5)
            assert bundle.taxonomy.names(prediction.sure.category) == expected
            assert prediction.sure.level == bundle.taxonomy.level_names[len(expected) - 1]
        assert prediction.to_dict()["sure"]["path"] == list(expected)


def test_what_too_few_held_out_products_cannot_promise_is_not_answered(bundle: Bundle, drawn_folder: Path):
    prediction = next(predict(bundle, [drawn_folder], PredictOptions(max_error=0.0001)))
    assert prediction.sure.category is None
    assert "more are needed" in prediction.sure.threshold.message()
    assert prediction.to_dict()["sure"]["category"] is None


def test_sets_hold_what_is_likely_enough_the_likeliest_first(bundle: Bundle, drawn_folder: Path):
    predictions = list(predict(bundle, [drawn_folder], PredictOptions(sets=0.1, top=100)))
    bar = np.float32(set_bar(bundle.held_out(), 0.1))
    for prediction in predictions:
        likely = [category for category, _, probability in prediction.answers if np.float32(probability) >= bar]
        assert list(prediction.set) == (likely or [prediction.answers[0][0]])
        assert prediction.sure is None


def test_noise_looks_less_familiar_than_photos_of_the_catalog(bundle: Bundle, drawn_folder: Path, tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    known = [prediction.familiarity for prediction in predict(bundle, [drawn_folder])]
    strange = next(predict(bundle, [tmp_path / "noise.png"])).familiarity
    assert 0 < strange < np.quantile(known, 0.05)


def test_the_table_has_the_sure_shelf_and_the_set(bundle: Bundle, drawn_folder: Path):
    predictions = list(predict(bundle, [drawn_folder], PredictOptions(max_error=0.3, sets=0.1)))
    for row, prediction in zip(csv.DictReader(io.StringIO(to_csv(predictions))), predictions, strict=True):
        assert row["sure_category"] == (prediction.sure.category or "")
        assert row["sure_path"] == " > ".join(prediction.sure.path)
        assert row["set"].split(" | ") == list(prediction.set)
        assert float(row["familiarity"]) == pytest.approx(prediction.familiarity, abs=1e-6)
