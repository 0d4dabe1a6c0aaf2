from __future__ import annotations

import csv
from pathlib import Path

import bson
import pytest
from round_trip import assert_equal, exported, images, make, product, products, read_back

from drawn_files import encodings
from drawn_shop import tiny, write
from shelfwise.errors import CatalogError
from shelfwise.export.numbers import all_int64
from shelfwise.ingest import ingest
from shelfwise.ingest.cdiscount import CdiscountSource

NAMES = (
    b"category_id,category_level1,category_level2,category_level3\n"
    b"1000021794,ABONNEMENT / SERVICES,CARTE PREPAYEE,CARTE PREPAYEE MULTIMEDIA\n"
    b'1000019289,SPORT,CYCLES,"VELO ENFANT (10"" - 12"" - 14"" - 16"")"\n'
    b"1000019290,SPORT,CYCLES,CYCLES\n"
)


def document(product_id: int, category: int | None, *photos: bytes) -> dict[str, object]:
    label = {} if category is None else {"category_id": category}
    return {"_id": product_id} | label | {"imgs": [{"picture": photo} for photo in photos]}


TRAIN = [
    document(0, 1000021794, tiny(0)),
    document(7, 1000019289, tiny(1), tiny(2), tiny(3), tiny(4)),
    document(5, 1000019289, tiny(1), encodings()["png"], tiny(5), tiny(6), tiny(7)),
    document(2**31, 1000021794, tiny(8)),
    document(-3, 1000019289, tiny(9)),
]
TEST = [document(10, None, tiny(10)), document(11, None, tiny(11), tiny(12))]


def challenge(root: Path) -> Path:
    """The original's files, written by pymongo, brought into a catalog."""
    write(root / "category_names.csv", NAMES)
    write(root / "train.bson", b"".join(map(bson.encode, TRAIN)))
    write(root / "test.bson", b"".join(map(bson.encode, TEST)))
    catalog = root.parent / "one.catalog"
    for split in ("train", "test"):
        ingest(CdiscountSource(root / f"{split}.bson", root / "category_names.csv", split=split), catalog)
    return catalog


def test_the_original_s_files_come_back_byte_for_byte_and_so_does_the_catalog(tmp_path: Path):
    catalog = challenge(tmp_path / "files")
    summary, out = exported(catalog, "cdiscount")
    assert sorted(path.name for path in out.iterdir()) == ["category_names.csv", "test.bson", "train.bson"]
    for name in ("train.bson", "test.bson"):
        assert (out / name).read_bytes() == (tmp_path / "files" / name).read_bytes()
    assert (summary.products, summary.photos, summary.files) == (7, 15, 3)
    assert (summary.left_out, summary.notes) == ({}, {"photos that are no JPEG": 1})
    assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)


def test_the_names_of_categories_are_the_original_s_rows(tmp_path: Path):
    _, out = exported(challenge(tmp_path / "files"), "cdiscount")
    with (out / "category_names.csv").open(encoding="utf-8", newline="") as file:
        assert sorted(file) == sorted(NAMES.decode().splitlines(keepends=True))


def test_the_comparison_sees_a_photo_more(tmp_path: Path):
    catalog = challenge(tmp_path / "files")
    summary, out = exported(catalog, "cdiscount")
    changed = [*TEST[:1], document(11, None, tiny(11), tiny(12), tiny(12))]
    (out / "test.bson").write_bytes(b"".join(map(bson.encode, changed)))
    with pytest.raises(AssertionError):
        assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)


def test_other_ids_become_numbers_with_a_table_of_them(tmp_path: Path):
    leaves = [("Fruit", "Apple", "Gala"), ("Fruit", "Kiwi"), ("Milk",)]
    catalog = make(
        tmp_path / "one.catalog",
        product("train/a", tiny(1), tiny(2), category=leaves[0], split="train", title="t", group="g"),
        product("=b", tiny(3), category=leaves[2], split="test/2"),
        product("12", tiny(4), category=leaves[1], description="d", attributes=("x",)),
        product("no photo", category=leaves[1]),
        tree=leaves,
    )
    summary, out = exported(catalog, "cdiscount")
    assert sorted(path.name for path in out.iterdir()) == [
        "category_names.csv", "product_ids.csv", "products.bson", "test%2F2.bson", "train.bson"
    ]  # fmt: skip
    number = 1_000_000_000
    assert bson.decode_all((out / "train.bson").read_bytes()) == [document(1, number, tiny(1), tiny(2))]
    assert bson.decode_all((out / "test%2F2.bson").read_bytes()) == [document(2, number + 2, tiny(3))]
    assert bson.decode_all((out / "products.bson").read_bytes()) == [document(3, number + 1, tiny(4))]
    assert (out / "product_ids.csv").read_text() == "number,product_id\n1,train/a\n2,'=b\n3,12\n4,no photo\n"
    with (out / "category_names.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [
        [f"{number}", "Fruit", "Apple", "Gala"],
        [f"{number + 1}", "Fruit", "Kiwi", "Kiwi"],
        [f"{number + 2}", "Milk", "Milk", "Milk"],
    ]
    assert summary.left_out == {
        "titles": 1,
        "descriptions": 1,
        "attributes": 1,
        "groups": 1,
        "products without photos": 1,
    }
    assert summary.notes == {
        "category ids that became numbers": 3,
        "categories above the third level, whose name is repeated below": 2,
        "product ids that became numbers": 3,
    }
    again = read_back(summary, tmp_path / "two.catalog")
    assert [(row["product_id"], row["split"]) for row in products(again)] == [
        ("1", "train"),
        ("2", "test/2"),
        ("3", None),
    ]
    assert len(images(again)) == 4


def test_a_split_called_products_and_products_without_a_split_stay_apart(tmp_path: Path):
    filed = {"category": ("=a", "b", "c")}
    records = [product("1", tiny(1), split="products", **filed), product("2", tiny(2), **filed)]
    summary, out = exported(make(tmp_path / "one.catalog", *records, tree=[filed["category"]]), "cdiscount")
    assert sorted(path.name for path in out.glob("*.bson")) == ["products.bson", "products~2.bson"]
    assert summary.notes["cells that a spreadsheet would run"] == 1
    again = products(read_back(summary, tmp_path / "two.catalog"))
    assert [(row["product_id"], row["split"]) for row in again] == [("1", "products"), ("2", None)]


def test_numbers_of_products_are_the_same_when_splits_are_exported_one_by_one(tmp_path: Path):
    catalog = make(
        tmp_path / "one.catalog", product("a", tiny(1), split="train"), product("b", tiny(2), split="test"), tree=[]
    )
    for split, number in (("test", 2), ("train", 1)):
        _, out = exported(catalog, "cdiscount", split, split)
        assert [row["_id"] for row in bson.decode_all((out / f"{split}.bson").read_bytes())] == [number]


def test_only_whole_numbers_of_64_bits_are_kept_as_ids(tmp_path: Path):
    kept = ["0", "-1", str(2**63 - 1), str(-(2**63))]
    assert all_int64(kept)
    for other in ("007", "1.0", str(2**63), str(-(2**63) - 1), "1_0", "\u0661", "-0", "+1", " 1", "", "9" * 5000):
        assert not all_int64([*kept, other])
    summary, out = exported(make(tmp_path / "one.catalog", *(product(i, tiny(1)) for i in kept), tree=[]), "cdiscount")
    assert [path.name for path in out.iterdir()] == ["products.bson"]
    assert [row["_id"] for row in bson.decode_all((out / "products.bson").read_bytes())] == [int(i) for i in kept]
    assert [row["product_id"] for row in products(read_back(summary, tmp_path / "two.catalog"))] == kept


def test_a_deeper_tree_and_two_categories_of_one_name_are_errors_that_leave_nothing(tmp_path: Path):
    deep = make(tmp_path / "deep.catalog", product("1", tiny(1), category=tuple("abcd")), tree=[tuple("abcd")])
    with pytest.raises(CatalogError, match="a > b > c > d: the tree has 4 levels"):
        exported(deep, "cdiscount")
    twins = [("a",), ("a", "a"), ("a", "a", "a")]
    records = [product(str(number), tiny(number), category=category) for number, category in enumerate(twins)]
    with pytest.raises(CatalogError, match="would both be a > a > a"):
        exported(make(tmp_path / "twins.catalog", *records, tree=twins), "cdiscount")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep.catalog", "twins.catalog"]


def test_titles_alone_leave_nothing_to_write_and_it_is_said(tmp_path: Path):
    catalog = make(tmp_path / "one.catalog", product("1", title="a", category=("x",)), tree=[("x",)])
    summary, out = exported(catalog, "cdiscount")
    assert (summary.products, summary.photos) == (0, 0)
    assert summary.left_out == {"titles": 1, "products without photos": 1}
    assert [path.name for path in out.iterdir()] == ["category_names.csv"]
    assert summary.ingest == []
