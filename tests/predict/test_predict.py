from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from drawn_shop import photo, shelf, tiny, write
from shelfwise.bundle import Bundle
from shelfwise.errors import BundleError, OptionError, SourceError
from shelfwise.options import PredictOptions
from shelfwise.predict import Prediction, predict, to_csv


@pytest.fixture(scope="module")
def bundle(drawn_bundle: Path) -> Bundle:
    return Bundle.load(drawn_bundle)


def test_a_photo_is_answered_with_shelves_and_probabilities_the_likeliest_first(bundle: Bundle, drawn_folder: Path):
    file = drawn_folder / "test" / shelf("mug") / "mug-200.jpg"
    (prediction,) = predict(bundle, [file])
    assert (prediction.photo, prediction.status) == (str(file), "ok")
    assert prediction.answers[0][:2] == ("Home/Kitchen/Mug", ("Home", "Kitchen", "Mug"))
    shares = [probability for _, _, probability in prediction.answers]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 5
    everything = next(predict(bundle, [file], PredictOptions(top=99))).answers
    assert len({category for category, _, _ in everything}) == 12
    assert sum(probability for _, _, probability in everything) == pytest.approx(1, abs=1e-5)
    assert everything[:5] == prediction.answers


def test_a_folder_stands_for_its_files_in_order_and_arguments_keep_theirs(bundle: Bundle, drawn_folder: Path):
    first, second = drawn_folder / "test/Home/Kitchen/Plate", drawn_folder / "test/Fashion"
    answered = [prediction.photo for prediction in predict(bundle, [first, second])]
    assert answered == [str(file) for root in (first, second) for file in sorted(root.rglob("*.jpg"))]
    assert len(answered) == 20


def test_a_photo_that_cannot_be_used_is_answered_with_its_reason_and_the_others_as_ever(bundle: Bundle, tmp_path: Path):
    for number in range(20):
        write(tmp_path / f"{number:02}.jpg", photo("boot", number))
    plain = {p.photo: p for p in predict(bundle, [tmp_path])}
    write(tmp_path / "05.jpg", photo("boot", 5)[:100])
    write(tmp_path / "17.jpg", b"")
    write(tmp_path / "18.jpg", b"<html>no photo</html>")
    found = {Path(p.photo).name: p for p in predict(bundle, [tmp_path])}
    assert len(found) == 20
    assert {name: p.reason for name, p in found.items() if p.status != "ok"} == {
        "05.jpg": "img_truncated", "17.jpg": "img_empty", "18.jpg": "img_format",
    }  # fmt: skip
    for name, prediction in found.items():
        if prediction.status == "ok":
            before = plain[prediction.photo]
            assert prediction.answers[0][0] == before.answers[0][0]
            told = [{c: p for c, _, p in each.answers} for each in (prediction, before)]
            assert told[0].keys() == told[1].keys(), name
            np.testing.assert_allclose([told[0][c] for c in told[1]], list(told[1].values()), atol=1e-5)
        else:
            assert prediction.answers == ()
            assert prediction.detail


def test_a_photo_is_answered_alike_alone_in_a_batch_and_by_any_number_of_threads(bundle: Bundle, drawn_folder: Path):
    files = sorted((drawn_folder / "test").rglob("*.jpg"))[:19]
    runs = [list(predict(bundle, files, PredictOptions(top=12, threads=threads))) for threads in (1, 2)]
    runs.append([prediction for file in files for prediction in predict(bundle, [file], PredictOptions(top=12))])
    assert runs[0] == runs[1]
    for alone, together in zip(runs[2], runs[0], strict=True):
        assert alone.answers[0][0] == together.answers[0][0]
        by_category = {c: p for c, _, p in alone.answers}
        np.testing.assert_allclose(
            [by_category[c] for c, _, _ in together.answers], [p for _, _, p in together.answers], atol=1e-5
        )


def test_hidden_files_and_folders_are_left_out(bundle: Bundle, tmp_path: Path):
    for name in ("a/1.jpg", ".thumbnails/1.jpg", "__MACOSX/1.jpg", "a/.1.jpg"):
        write(tmp_path / ".home" / name, photo("mug"))
    assert [p.photo for p in predict(bundle, [tmp_path / ".home"])] == [str(tmp_path / ".home/a/1.jpg")]


def test_fifos_and_devices_are_never_opened(bundle: Bundle, tmp_path: Path):
    os.mkfifo(tmp_path / "fifo.jpg")
    write(tmp_path / "photo.jpg", photo("mug"))
    (tmp_path / "link.jpg").symlink_to("nowhere.jpg")
    found = [(p.status, p.reason) for p in predict(bundle, [tmp_path, "/dev/zero"])]
    assert found == [
        ("quarantined", "path_outside"),
        ("quarantined", "file_missing"),
        ("ok", None),
        ("quarantined", "path_outside"),
    ]


def test_a_file_over_the_limit_is_refused_before_it_is_read(bundle: Bundle, tmp_path: Path):
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(51 * 2**20)
    (prediction,) = predict(bundle, [tmp_path])
    assert prediction.reason == "img_too_large"


def test_what_is_not_there_is_an_error(bundle: Bundle, tmp_path: Path):
    with pytest.raises(SourceError, match=r"gone\.jpg does not exist"):
        list(predict(bundle, [tmp_path / "gone.jpg"]))
    with pytest.raises(SourceError, match="holds no files"):
        list(predict(bundle, [tmp_path]))
    with pytest.raises(BundleError, match="does not exist: make one with  shelfwise train"):
        list(predict(tmp_path / "gone.bundle", [write(tmp_path / "1.jpg", tiny(1))]))
    with pytest.raises(OptionError, match="--top 0"):
        PredictOptions(top=0)


def test_a_folder_and_a_zip_of_one_bundle_answer_alike(drawn_bundle: Path, drawn_folder: Path, tmp_path: Path):
    Bundle.load(drawn_bundle).save(tmp_path / "shop.bundle.zip")
    photos = [drawn_folder / "val/Food"]
    assert list(predict(tmp_path / "shop.bundle.zip", photos)) == list(predict(drawn_bundle, photos))


def test_a_name_that_is_no_utf8_is_answered_readably(bundle: Bundle, tmp_path: Path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bl\xe5.jpg"))
    odd.write_bytes(photo("mug"))
    found = list(predict(bundle, [tmp_path]))
    assert [p.photo for p in found] == [f"{tmp_path}/bl\\xe5.jpg"]
    assert r"bl\xe5.jpg" in to_csv(found)


def test_json_values_hold_all_that_was_answered(bundle: Bundle, tmp_path: Path):
    write(tmp_path / "a.jpg", photo("apple"))
    write(tmp_path / "b.jpg", b"x")
    first, second = (json.loads(json.dumps(p.to_dict())) for p in predict(bundle, [tmp_path]))
    assert first["answers"][0]["path"] == ["Food", "Fruit", "Apple"]
    assert set(first) == {"photo", "status", "answers", "familiarity"}
    assert second == {
        "photo": str(tmp_path / "b.jpg"), "status": "quarantined", "reason": "img_empty", "detail": second["detail"],
    }  # fmt: skip


def test_csv_cells_that_a_spreadsheet_takes_for_a_formula_are_made_harmless():
    names = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'plain, with "quotes"', "ä\n2"]
    predictions = [Prediction(name, "ok", ((name, ("top", name), 0.25),)) for name in names]
    predictions.append(Prediction("=x", "quarantined", reason="img_empty", detail="=y"))
    rows = list(csv.reader(io.StringIO(to_csv(predictions), newline="")))
    asked = ["sure_category", "sure_path", "sure_level", "sure_probability", "set"]
    assert rows[0] == ["photo", "status", "category", "path", "probability", "familiarity", *asked, "reason", "detail"]
    for name, row in zip(names, rows[1:], strict=False):
        harmless = name if name[0] in "pä" else "'" + name
        assert row == [harmless, "ok", harmless, f"top > {name}", "0.250000", *[""] * 8]
    assert rows[-1] == ["'=x", "quarantined", *[""] * 9, "img_empty", "'=y"]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)


def test_asking_for_photos_changes_no_file(drawn_bundle: Path, tmp_path: Path):
    copy = shutil.copytree(drawn_bundle, tmp_path / "x.bundle")
    write(tmp_path / "1.jpg", photo("mug"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    list(predict(copy, [tmp_path / "1.jpg"]))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
