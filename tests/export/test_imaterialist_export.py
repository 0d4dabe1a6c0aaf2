from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from round_trip import assert_equal, exported, images, make, product, products, read_back

from drawn_files import encodings
from drawn_shop import tiny, write
from shelfwise.catalog import Catalog
from shelfwise.ingest import ingest
from shelfwise.ingest.imaterialist import ImaterialistSource


def challenge(root: Path) -> Path:
    """Files like the original's, ids as numbers here and texts there, with a dead link, brought into a catalog."""
    train = {
        "images": [{"image_id": number, "url": f"https://a.example/{number}.jpg"} for number in (1, 2, 3, 30)],
        "annotations": [
            {"image_id": "1", "label_id": ["95", "66"]},
            {"image_id": "3", "label_id": [66]},
            {"image_id": "30", "label_id": ["66", "105", "153"]},
        ],
    }
    write(root / "train.json", json.dumps(train).encode())
    write(root / "test.json", json.dumps({"images": [{"image_id": "7", "url": ["https://a.example/7"]}]}).encode())
    for number in (1, 2, 7):
        write(root / "images" / f"{number}.jpg", tiny(number))
    write(root / "images" / "30.png", encodings()["png"])
    catalog = root.parent / "one.catalog"
    for split in ("train", "test"):
        ingest(ImaterialistSource(root / f"{split}.json", root / "images", split), catalog)
    return catalog


def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        return json.load(file)


def test_a_catalog_of_the_original_s_form_comes_back_with_its_dead_links(tmp_path: Path):
    catalog = challenge(tmp_path / "files")
    summary, out = exported(catalog, "imaterialist")
    assert (summary.products, summary.photos, summary.files) == (5, 4, 6)
    assert (summary.left_out, summary.notes) == ({}, {})
    assert [row["status"] for row in images(catalog)].count("missing") == 1
    assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)
    assert sorted(path.name for path in (out / "images").iterdir()) == ["1.jpg", "2.jpg", "30.png", "7.jpg"]


def test_python_s_json_reads_what_the_original_holds(tmp_path: Path):
    _, out = exported(challenge(tmp_path / "files"), "imaterialist")
    train = read(out / "train.json")
    assert [image["image_id"] for image in train["images"]] == [1, 2, 3, 30]
    assert {tuple(image) for image in train["images"]} == {("image_id", "url")}
    assert train["annotations"] == [
        {"image_id": 1, "label_id": ["95", "66"]},
        {"image_id": 3, "label_id": ["66"]},
        {"image_id": 30, "label_id": ["66", "105", "153"]},
    ]
    assert read(out / "test.json") == {"images": [{"image_id": 7, "url": ""}]}


def test_the_comparison_sees_a_label_less(tmp_path: Path):
    catalog = challenge(tmp_path / "files")
    summary, out = exported(catalog, "imaterialist")
    (out / "train.json").write_text((out / "train.json").read_text().replace('"95", ', ""))
    with pytest.raises(AssertionError):
        assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)


def test_what_has_no_place_is_counted_and_ids_that_are_no_file_names_become_numbers(tmp_path: Path):
    catalog = make(
        tmp_path / "one.catalog",
        product("a/b", tiny(1), tiny(2), category=("x",), title="t", attributes=("dark red", 'the "best"')),
        product("..", tiny(3), group="g", description="d"),
        product("no photo", attributes=("x",)),
        product("broken", b"<html>", attributes=("x",)),
        tree=[("x",)],
    )
    summary, out = exported(catalog, "imaterialist")
    assert (summary.products, summary.photos) == (2, 2)
    assert summary.left_out == {
        "titles": 1, "descriptions": 1, "categories": 1, "groups": 1, "photos beside the first": 1,
        "quarantined photos": 1, "products without photos": 2,
    }  # fmt: skip
    assert summary.notes == {"product ids that became numbers": 2}
    found = read(out / "products.json")
    assert [image["image_id"] for image in found["images"]] == [1, 2]
    assert found["annotations"] == [{"image_id": 1, "label_id": ["dark red", 'the "best"']}]
    assert (out / "product_ids.csv").read_text() == "number,product_id\n1,a/b\n2,..\n3,no photo\n4,broken\n"
    again = products(read_back(summary, tmp_path / "two.catalog"))
    assert [(row["product_id"], row["attributes"]) for row in again] == [("1", ["dark red", 'the "best"']), ("2", [])]


def test_ids_of_letters_stay_texts(tmp_path: Path):
    catalog = make(tmp_path / "one.catalog", product("red-1.5", tiny(1)), product("7", tiny(2)), tree=[])
    summary, out = exported(catalog, "imaterialist")
    assert read(out / "products.json") == {"images": [{"image_id": "red-1.5", "url": ""}, {"image_id": "7", "url": ""}]}
    assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)


def test_titles_alone_leave_nothing_to_write_and_it_is_said(tmp_path: Path):
    catalog = make(tmp_path / "one.catalog", product("1", title="a"), tree=[])
    summary, out = exported(catalog, "imaterialist")
    assert (summary.products, summary.ingest) == (0, [])
    assert summary.left_out == {"titles": 1, "products without photos": 1}
    assert [path for path in out.rglob("*") if path.is_file()] == []
    assert len(Catalog(catalog).products()) == 1
