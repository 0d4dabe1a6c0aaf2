from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import imagehash
import pytest
from PIL import Image
from round_trip import assert_equal, exported, make, pictures, product, read_back

from drawn_files import encodings
from drawn_shop import photo, tiny, write
from shelfwise.ingest import ingest
from shelfwise.ingest.shopee import ShopeeSource

SHARED = hashlib.md5(b"1").hexdigest() + ".jpg"
POSTINGS = [
    ["train_129225211", SHARED, "94974f937d4c2433", "Paper Bag Victoria Secret", "249114794"],
    ["train_3386243561", "b.jpg", "af3f9460c2838f0f", 'Double Tape 3M VHB 12 mm x 4,5 m "ORIGINAL"', "249114794"],
    ["train_2288590299", SHARED, "94974f937d4c2433", "=Maling TTS Canned Pork Luncheon Meat 397 gr", "2395904891"],
    ["train_2406599165", "c.png", "8514fc58eafea283", "Daster Batik\\xe2\\x80\\x93 two\nlines", "4093212188"],
]


def challenge(root: Path) -> Path:
    """Files like the original's, two postings with one picture, brought into a catalog."""
    images = root / "train_images"
    for name, data in ((SHARED, tiny(1)), ("b.jpg", photo("mug")), ("c.png", encodings()["png"])):
        write(images / name, data)
    with (root / "train.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["posting_id", "image", "image_phash", "title", "label_group"], *POSTINGS])
    catalog = root.parent / "one.catalog"
    ingest(ShopeeSource(root / "train.csv", images), catalog)
    return catalog


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "train.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_a_catalog_of_the_original_s_form_comes_back_row_for_row(tmp_path: Path):
    catalog = challenge(tmp_path / "files")
    summary, _ = exported(catalog, "shopee")
    assert (summary.products, summary.photos, summary.files, summary.left_out) == (4, 4, 1 + 3, {})
    assert summary.notes == {"cells that a spreadsheet would run": 1}
    assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)


def test_the_comparison_sees_another_group(tmp_path: Path):
    catalog = challenge(tmp_path / "files")
    summary, out = exported(catalog, "shopee")
    (out / "train.csv").write_text((out / "train.csv").read_text().replace("4093212188", "4093212189"))
    with pytest.raises(AssertionError):
        assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)


def test_python_s_csv_reads_the_original_s_columns_and_postings_share_a_picture(tmp_path: Path):
    _, out = exported(challenge(tmp_path / "files"), "shopee")
    found = rows(out)
    assert list(found[0]) == ["posting_id", "image", "image_phash", "title", "label_group"]
    kept = [[row["posting_id"], row["title"], row["label_group"]] for row in found]
    assert kept == [[posting, title, group] for posting, _, _, title, group in POSTINGS]
    assert found[0]["image"] == found[2]["image"]
    assert len(pictures(out)) == 3
    assert [(out / "train_images" / row["image"]).read_bytes() for row in found] == [
        tiny(1), photo("mug"), tiny(1), encodings()["png"]
    ]  # fmt: skip


def test_the_hash_is_that_of_imagehash(tmp_path: Path):
    _, out = exported(challenge(tmp_path / "files"), "shopee")
    for row in rows(out):
        with Image.open(out / "train_images" / row["image"]) as picture:
            assert row["image_phash"] == str(imagehash.phash(picture.convert("RGB")))


def test_what_has_no_place_is_counted(tmp_path: Path):
    catalog = make(
        tmp_path / "one.catalog",
        product("1", tiny(1), tiny(2), category=("x",), description="d", attributes=("a",), split="train"),
        product("2", b"<html>", title="t"),
        product("3", tiny(3), group="-7"),
        tree=[("x",)],
    )
    summary, out = exported(catalog, "shopee")
    assert summary.left_out == {
        "quarantined photos": 1, "descriptions": 1, "categories": 1, "attributes": 1, "splits": 1,
        "photos beside the first": 1, "products without photos": 1,
    }  # fmt: skip
    assert summary.notes == {"cells that a spreadsheet would run": 1}
    assert [(row["posting_id"], row["title"], row["label_group"]) for row in rows(out)] == [
        ("1", "", ""),
        ("3", "", "-7"),
    ]


def test_titles_alone_leave_nothing_to_write_and_it_is_said(tmp_path: Path):
    summary, out = exported(make(tmp_path / "one.catalog", product("1", title="a"), tree=[]), "shopee")
    assert (summary.products, summary.left_out, summary.ingest) == (0, {"products without photos": 1}, [])
    assert rows(out) == []
