"""Photos of a folder as one product."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn_shop import photo, shelfwise, write
from shelfwise.bundle import Bundle
from shelfwise.errors import SourceError
from shelfwise.options import PredictOptions
from shelfwise.predict import Prediction, predict, to_csv
from shelfwise.predict.products import Product, batches, each_folder

PER_FOLDER = PredictOptions(per="folder", top=12)


@pytest.fixture(scope="module")
def bundle(drawn_bundle: Path) -> Bundle:
    return Bundle.load(drawn_bundle)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four products: of 3 photos, of 11, of 2 and a damaged one, and of damaged ones alone."""
    root = tmp_path_factory.mktemp("folders")
    for name, kind, photos in (("a", "mug", 3), ("b", "boot", 11), ("c", "apple", 2)):
        for number in range(photos):
            write(root / name / f"{number:02}.jpg", photo(kind, 600 + number))
    write(root / "c" / "00-first.jpg", photo("apple", 1)[:100])
    write(root / "d" / "1.jpg", b"")
    write(root / "d" / "2.jpg", b"<html>no photo</html>")
    return root


@pytest.fixture(scope="module")
def told(bundle: Bundle, folders: Path) -> list[Prediction]:
    return list(predict(bundle, [folders], PER_FOLDER))


def test_a_folder_is_answered_once_as_the_bundle_answers_for_a_product_of_its_photos(
    bundle: Bundle, folders: Path, told: list[Prediction]
) -> None:
    assert [prediction.photo for prediction in told] == [str(folders / name) for name in "abcd"]
    for prediction in told[:2]:
        pictures = [file.read_bytes() for file in sorted(Path(prediction.photo).iterdir())]
        expected = bundle.probabilities(bundle.features_of(pictures), np.zeros(len(pictures), np.int64))[0]
        assert prediction.photos == len(pictures)
        found = {category: probability for category, _, probability in prediction.answers}
        np.testing.assert_allclose([found[c] for c in bundle.categories], expected, atol=1e-5)
        assert prediction.refused == ()


def test_a_folder_with_a_damaged_photo_is_answered_from_the_others(bundle: Bundle, told: list[Prediction]) -> None:
    prediction = told[2]
    assert (prediction.status, prediction.photos) == ("ok", 2)
    assert [(Path(each.photo).name, each.reason) for each in prediction.refused] == [("00-first.jpg", "img_truncated")]
    (without,) = predict(bundle, sorted(Path(prediction.photo).glob("0?.jpg")), PER_FOLDER)
    assert [answer[:2] for answer in without.answers] == [answer[:2] for answer in prediction.answers]
    np.testing.assert_allclose([a[2] for a in without.answers], [a[2] for a in prediction.answers], atol=1e-5)


def test_a_folder_without_a_usable_photo_is_quarantined(told: list[Prediction]) -> None:
    prediction = told[3]
    assert (prediction.status, prediction.reason, prediction.photos) == ("quarantined", "img_empty", 0)
    assert prediction.detail == "none of its photos can be used: 1.jpg img_empty, 2.jpg img_format"


def test_json_and_csv_count_the_photos_of_each_folder(told: list[Prediction]) -> None:
    values = json.loads(json.dumps(told[2].to_dict()))
    assert values["folder"] == told[2].photo
    assert values["photos"] == 2
    assert values["refused"][0]["reason"] == "img_truncated"
    assert told[3].to_dict()["photos"] == 0
    rows = list(csv.DictReader(io.StringIO(to_csv(told))))
    assert [(row["status"], row["photos"], row["refused"]) for row in rows] == [
        ("ok", "3", "0"), ("ok", "11", "0"), ("ok", "2", "1"), ("quarantined", "0", "2"),
    ]  # fmt: skip
    assert "photo" not in rows[0]


def test_a_folder_of_one_photo_is_answered_like_the_photo(bundle: Bundle, tmp_path: Path) -> None:
    file = write(tmp_path / "one" / "1.jpg", photo("shirt", 700))
    (alone,), (folder,) = predict(bundle, [file], PredictOptions(top=12)), predict(bundle, [tmp_path], PER_FOLDER)
    assert (alone.answers, alone.photos, folder.photos) == (folder.answers, None, 1)


def test_photos_beside_folders_are_a_product_of_their_own(tmp_path: Path) -> None:
    for name in ("x/1.jpg", "x/y/1.jpg", "x/y/2.jpg", "x/.hidden/1.jpg"):
        write(tmp_path / name, b"")
    assert each_folder([tmp_path / "x", tmp_path / "x/1.jpg"]) == [
        Product(tmp_path / "x", (tmp_path / "x/1.jpg",), is_folder=True),
        Product(tmp_path / "x/y", (tmp_path / "x/y/1.jpg", tmp_path / "x/y/2.jpg"), is_folder=True),
    ]
    with pytest.raises(SourceError, match="does not exist"):
        each_folder([tmp_path / "nowhere"])


@given(sizes=st.lists(st.integers(1, 12), max_size=20), photos=st.integers(1, 10))
def test_batches_hold_all_products_in_order_and_few_photos_each(sizes: list[int], photos: int) -> None:
    products = [Product(Path(str(n)), (Path("photo"),) * size) for n, size in enumerate(sizes)]
    found = list(batches(products, photos))
    assert [product for batch in found for product in batch] == products
    for batch in found:
        assert len(batch) == 1 or sum(len(product.photos) for product in batch) <= photos


def test_the_command_answers_for_folders(drawn_bundle: Path, folders: Path) -> None:
    ran = shelfwise("predict", drawn_bundle, folders, "--per", "folder")
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0].startswith(f"{folders / 'a'}  Home > Kitchen > Mug")
    assert lines[0].endswith("3 photos")
    assert lines[2].endswith("2 photos, not 00-first.jpg: img_truncated")
    assert lines[-1] == "3 answered, 1 quarantined"
