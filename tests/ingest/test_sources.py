"""What every source keeps to, whatever it reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from read_sources import bad_rows, products, table

from drawn_shop import lay_out, write
from shelfwise.formats.rows import EXCERPT
from shelfwise.ingest.bookcover30 import BookCover30Source
from shelfwise.ingest.folder import FolderSource
from shelfwise.ingest.huggingface import HuggingFaceSource
from shelfwise.ingest.imaterialist import ImaterialistSource
from shelfwise.ingest.records import Source
from shelfwise.ingest.shopee import ShopeeSource
from shelfwise.ingest.table import TableSource
from shelfwise.options import TableOptions


def of_folder(root: Path) -> Source:
    return FolderSource(lay_out(root / "shop", "train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg"))


def of_table(root: Path) -> Source:
    lines = ["1,1.jpg,A,x", "2,,A,", "3,3.jpg,,C", f"4,{'y' * 300}.jpg,B,", "5,5.jpg"]
    return TableSource(
        table(root / "t.csv", "id,i,c,d", *lines), TableOptions(id="id", image=("i",), category=("c", "d"))
    )


def of_shopee(root: Path) -> Source:
    header = "posting_id,image,image_phash,title,label_group"
    return ShopeeSource(table(root / "train.csv", header, "a,1.jpg,0,t,g", ",2.jpg,0,t,g", "c,1.jpg,0,t,g"), root)


def of_imaterialist(root: Path) -> Source:
    content = {
        "images": [{"image_id": 1}, {"image_id": 1}, {"image_id": 2, "url": "u" * 300}, {}],
        "annotations": [
            {"image_id": 1, "label_id": [3]},
            {"image_id": 1, "label_id": [3]},
            {"image_id": 7, "label_id": [3]},
        ],
    }
    return ImaterialistSource(write(root / "t.json", json.dumps(content).encode()), root)


def of_books(root: Path) -> Source:
    return BookCover30Source(
        table(root / "l.csv", '"7","07.jpg","","t","","1","g"', '"8","08.jpg","","t","","",""'), root
    )


def of_hugging_face(root: Path) -> Source:
    folder = lay_out(root / "data", "train/1.jpg", "train/2.jpg")
    table(folder / "metadata.csv", "file_name,c", "train/1.jpg,A", "train/3.jpg,")
    return HuggingFaceSource(folder, TableOptions(category=("c",)))


EVERY = [of_folder, of_table, of_shopee, of_imaterialist, of_books, of_hugging_face]


@pytest.mark.parametrize("opened", EVERY)
def test_rows_are_the_same_each_time_also_after_a_pass_that_was_left_half_way(
    tmp_path: Path, opened: Callable[[Path], Source]
):
    source = opened(tmp_path)
    first = list(source.rows())
    facts = dict(source.facts)
    assert len(list(islice(source.rows(), 1))) == 1
    assert list(source.rows()) == first
    assert source.facts == facts
    assert len(first) >= 2


@pytest.mark.parametrize("opened", EVERY)
def test_every_row_tells_its_place_and_how_it_begins_and_every_category_is_in_the_tree(
    tmp_path: Path, opened: Callable[[Path], Source]
):
    source = opened(tmp_path)
    places = [row.where for row in [*products(source), *bad_rows(source)]]
    assert all(places)
    assert len(set(places)) == len(places)
    assert all(len(row.text) <= EXCERPT for row in [*products(source), *bad_rows(source)])
    assert all(bad.text and bad.detail and bad.code.isidentifier() for bad in bad_rows(source))
    assert {product.category for product in products(source)} - {None} <= source.taxonomy.nodes.keys()
    assert all(isinstance(value, str | int) for value in source.facts.values())
    assert (source.kind, source.path.exists()) == (source.kind.lower(), True)
