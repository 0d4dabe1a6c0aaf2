from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from read_sources import bad_rows, fault, products, told

from drawn_shop import tiny, write
from shelfwise.errors import SourceError
from shelfwise.ingest.imaterialist import ImaterialistSource


def opened(folder: Path, content: Any, *photos: str, split: str | None = None) -> ImaterialistSource:
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    for name in photos:
        write(folder / "photos" / name, tiny(len(name)))
    text = content if isinstance(content, str) else json.dumps(content)
    return ImaterialistSource(write(folder / "train.json", text.encode()), folder / "photos", split)


def labels(source: ImaterialistSource) -> dict[str, tuple[str, ...]]:
    return {product.product_id: product.attributes for product in products(source)}


PUBLISHED = {
    "info": {"year": 2018, "version": 1},
    "images": [
        {"image_id": "1", "url": "https://example.com/1.jpg"}, {"image_id": 2, "url": ["https://example.com/2.jpg"]},
        {"imageId": "3", "url": []}, {"image_id": 4},
    ],
    "annotations": [
        {"image_id": 2, "label_id": ["66"]}, {"image_id": "1", "label_id": ["95", "66"]},
        {"imageId": "3", "labelId": [105, "66"]}, {"image_id": "4", "label_id": "171"},
    ],
    "license": "none",
}  # fmt: skip


def test_labels_meet_images_whether_ids_are_numbers_or_texts_and_however_keys_are_spelled(tmp_path: Path):
    source = opened(tmp_path, PUBLISHED, split="train")
    assert labels(source) == {"1": ("95", "66"), "2": ("66",), "3": ("105", "66"), "4": ("171",)}
    assert {product.split for product in products(source)} == {"train"}
    assert {product.category for product in products(source)} == {None}
    assert bad_rows(source) == []
    assert products(source)[1].where == "train.json, images[1]"
    assert "https://example.com/2.jpg" in products(source)[1].text
    assert (source.kind, list(source.taxonomy.nodes)) == ("imaterialist", [])


def test_annotations_before_the_images_and_a_byte_order_mark_make_no_difference(tmp_path: Path):
    turned = {key: PUBLISHED[key] for key in ("annotations", "images")}
    assert labels(opened(tmp_path / "turned", turned)) == labels(opened(tmp_path / "published", PUBLISHED))
    marked = opened(tmp_path / "marked", "\ufeff" + json.dumps(PUBLISHED, indent=1))
    assert labels(marked) == labels(opened(tmp_path / "published", PUBLISHED))


def test_photos_are_found_by_their_number_and_dead_links_are_normal(tmp_path: Path):
    source = opened(tmp_path, PUBLISHED, "1.jpg", "2.jpeg", "3.WEBP", "99.png", "notes.txt", ".4.jpg", "4.txt")
    photos = {product.product_id: product.photos[0] for product in products(source)}
    assert {key: photo.name for key, photo in photos.items()} == {
        "1": "1.jpg",
        "2": "2.jpeg",
        "3": "3.WEBP",
        "4": "4.jpg",
    }
    assert photos["2"].data == tmp_path / "photos/2.jpeg"
    assert photos["4"].data == tmp_path / "photos/4.jpg"
    assert all(photo.may_be_missing for photo in photos.values())
    assert source.ignored_files == 3
    assert source.facts == {
        "encoding": "utf-8", "photo_files": 4, "images": 4, "annotations": 4, "annotations_repeated": 0,
        "images_without_annotation": 0, "photo_files_of_no_image": 1,
    }  # fmt: skip


def test_two_files_for_one_image_are_told_not_chosen_from(tmp_path: Path):
    source = opened(tmp_path, PUBLISHED, "1.jpg", "1.png", "2.jpg")
    faults = {product.product_id: fault(product.photos[0]) for product in products(source)}
    assert faults == {"1": "file_ambiguous", "2": None, "3": None, "4": None}


def test_the_file_of_a_test_has_no_annotations(tmp_path: Path):
    source = opened(tmp_path, {"images": PUBLISHED["images"]}, split="test")
    assert labels(source) == {"1": (), "2": (), "3": (), "4": ()}
    assert source.facts["images_without_annotation"] == 4


def test_an_image_without_annotation_is_counted_and_an_annotation_without_image_told(tmp_path: Path):
    content = {
        "images": [{"image_id": 1}, {"image_id": 2}],
        "annotations": [
            {"image_id": 9, "label_id": [5]},
            {"image_id": 2, "label_id": []},
            {"image_id": "8", "label_id": {}},
        ],
    }
    source = opened(tmp_path, content)
    assert labels(source) == {"1": (), "2": ()}
    assert told(source) == {
        "train.json, annotations[0]": "image_unknown",
        "train.json, annotations[2]": "image_unknown",
    }
    assert [bad.product_id for bad in bad_rows(source)] == ["9", "8"]
    assert source.facts["images_without_annotation"] == 1


def test_annotations_that_contradict_one_another_take_their_image_out_and_equal_ones_are_counted(tmp_path: Path):
    content = {
        "images": [{"image_id": 1}, {"image_id": 2}, {"image_id": 3}],
        "annotations": [
            {"image_id": 1, "label_id": [5, 6]}, {"image_id": "1", "label_id": ["6", "5", "5"]},
            {"image_id": 2, "label_id": [5]}, {"image_id": 2, "label_id": [6]}, {"image_id": 3, "label_id": [7, 7]},
        ],
    }  # fmt: skip
    source = opened(tmp_path, content)
    assert labels(source) == {"1": ("5", "6"), "3": ("7",)}
    assert told(source) == {"train.json, images[1]": "label_conflict"}
    assert bad_rows(source)[0].detail == "annotations[3] says '6', an annotation before it '5'"
    assert source.facts["annotations_repeated"] == 2


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        ({"image_id": 1, "label_id": [{"a": 1}]}, "cell_type"),
        ({"image_id": 1, "label_id": ["66", " "]}, "label_missing"),
        ({"image_id": 1, "label_id": None}, "label_missing"),
        ({"image_id": 1, "label_ids": ["66"]}, "label_missing"),
    ],
)
def test_labels_that_cannot_be_read_never_leave_an_image_without_labels(tmp_path: Path, annotation: dict, code: str):
    content = {
        "images": [{"image_id": 1}, {"image_id": 2}],
        "annotations": [annotation, {"image_id": 2, "label_id": ["1"]}],
    }
    source = opened(tmp_path, content)
    assert labels(source) == {"2": ("1",)}
    assert told(source) == {"train.json, images[0]": code}
    assert "annotations[0]: label_id" in bad_rows(source)[0].detail


def test_rows_without_an_id_or_of_another_form_are_told(tmp_path: Path):
    content = {
        "images": [{"url": "x"}, {"image_id": ""}, {"image_id": [1]}, 7, {"image_id": "../secret"}, {"image_id": 1}],
        "annotations": [{"label_id": [1]}, [1, 2], {"image_id": 1, "label_id": [3]}],
    }
    source = opened(tmp_path, content)
    assert labels(source) == {"../secret": (), "1": ("3",)}
    assert fault(products(source)[0].photos[0]) == "path_outside"
    codes = {bad.where.removeprefix("train.json, "): bad.code for bad in bad_rows(source)}
    assert {place: code for place, code in codes.items() if place not in ("annotations[1]", "images[3]")} == {
        "annotations[0]": "id_missing", "images[0]": "id_missing", "images[1]": "id_missing", "images[2]": "cell_type",
    }  # fmt: skip
    assert {"annotations[1]", "images[3]"} <= codes.keys()  # no objects
    assert len(list(source.rows())) == 6 + 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"annotations": []}, "need ['images']"),
        ({"image": [{"image_id": 1}]}, "need ['images']"),
        ("[1, 2]", "train.json"),
        ('{"images": [{"image_id": 1}', "line 1"),
        ('{"images": [{"image_id": 1},]}', "line 1"),
        ('{"images": [],\n "images": [{"image_id": 1}]}', "line 2"),
    ],
)
def test_a_file_of_another_structure_is_an_error(tmp_path: Path, content: Any, said: str):
    with pytest.raises(SourceError) as refused:
        list(opened(tmp_path, content).rows())
    assert said in str(refused.value)


def test_no_folder_of_photos_is_an_error(tmp_path: Path):
    source = opened(tmp_path, PUBLISHED)
    with pytest.raises(SourceError, match="nothing is not a folder"):
        ImaterialistSource(source.path, tmp_path / "nothing")
