from __future__ import annotations

from pathlib import Path

import pytest
from read_sources import bad_rows, fault, products, table, told

from drawn_shop import tiny, write
from shelfwise.errors import SourceError
from shelfwise.ingest.shopee import ShopeeSource

HEADER = "posting_id,image,image_phash,title,label_group"
# In the form of the data set's own lines; two postings share a file, two groups share a title.
LINES = [
    'train_129225211,0000a68812bc7e98c42888dfb1c07da0.jpg,94974f937d4c2433,Paper Bag Victoria Secret,249114794',
    'train_3386243561,00039780dfc94d01db8676fe789ecd05.jpg,af3f9460c2838f0f,"Tape 3M VHB 12 mm x 4,5 m",2937985045',
    'train_2288590299,0000a68812bc7e98c42888dfb1c07da0.jpg,94974f937d4c2433,Paper Bag Victoria Secret,249114794',
    'train_2406599165,00117e4fc239b1b641ff08340b429633.jpg,8514fc58eafea283,Paper Bag Victoria Secret,2395904891',
    r'train_1802986387,00136d1cf4edede0203f32f05f660588.jpg,a6f319f924ad708c,"Nescafé \xc3\x89clair Latte ""2+1""",4093212188',
]  # fmt: skip


def shopee(folder: Path, *lines: str) -> ShopeeSource:
    for name in {line.split(",")[1] for line in lines[1:]} - {""}:
        write(folder / "train_images" / name, tiny(len(name)))
    return ShopeeSource(table(folder / "train.csv", *lines), folder / "train_images")


def test_postings_are_products_with_their_photo_title_and_group(tmp_path: Path):
    opened = shopee(tmp_path, HEADER, *LINES)
    found = products(opened)
    assert [product.product_id for product in found] == [line.split(",")[0] for line in LINES]
    assert [product.group for product in found] == ["249114794", "2937985045", "249114794", "2395904891", "4093212188"]
    assert found[1].title == "Tape 3M VHB 12 mm x 4,5 m"
    assert found[4].title == r'Nescafé \xc3\x89clair Latte "2+1"'  # kept as written: the file itself escapes so
    assert found[0].photos == found[2].photos
    assert found[0].photos[0].data == tmp_path / "train_images/0000a68812bc7e98c42888dfb1c07da0.jpg"
    assert {product.category for product in found} == {product.split for product in found} == {None}
    assert (found[0].where, found[0].text) == ("train.csv, line 2", LINES[0])
    assert (opened.kind, list(opened.taxonomy.nodes)) == ("shopee", [])
    assert opened.facts == {"encoding": "utf-8", "groups": "label_group"}


def test_the_file_of_a_test_has_no_groups_and_says_so(tmp_path: Path):
    lines = [line.rsplit(",", 1)[0] for line in (HEADER, *LINES)]
    opened = shopee(tmp_path, *lines)
    assert {product.group for product in products(opened)} == {None}
    assert len(products(opened)) == 5
    assert opened.facts["groups"] == "none"


@pytest.mark.parametrize("column", ["posting_id", "image", "image_phash", "title", "label_group"])
def test_a_column_with_another_name_is_an_error(tmp_path: Path, column: str):
    with pytest.raises(SourceError) as refused:
        shopee(tmp_path, f"{HEADER},".replace(f"{column},", f"{column}s,").rstrip(","), *LINES)
    assert f"need ['{column}']" in str(refused.value)
    assert f"'{column}s' may be meant for '{column}'" in str(refused.value)


def test_bad_postings_are_told_and_photos_outside_are_not_read(tmp_path: Path):
    opened = shopee(
        tmp_path, HEADER, LINES[0], ",x.jpg,0,no id,1", "train_1,,0,no photo,1", "train_2,a.jpg,0,short",
    )  # fmt: skip
    assert told(opened) == {
        "train.csv, line 3": "id_missing", "train.csv, line 4": "no_image", "train.csv, line 5": "row_columns",
    }  # fmt: skip
    assert [bad.product_id for bad in bad_rows(opened)] == [None, "train_1", None]
    outside = table(
        tmp_path / "out.csv", HEADER, "a,../train.csv,0,t,1", "b,/etc/passwd,0,t,1", "c,https://x/y.jpg,0,t,1"
    )
    photos = [product.photos[0] for product in products(ShopeeSource(outside, tmp_path / "train_images"))]
    assert [fault(photo) for photo in photos] == ["path_outside", "path_outside", "is_url"]


def test_an_empty_group_is_no_group_and_no_folder_of_photos_is_an_error(tmp_path: Path):
    opened = shopee(tmp_path, HEADER, "a,a.jpg,0,t,", "b,b.jpg,0,t,  ")
    assert [product.group for product in products(opened)] == [None, None]
    with pytest.raises(SourceError, match="train_image is not a folder"):
        ShopeeSource(opened.path, tmp_path / "train_image")
