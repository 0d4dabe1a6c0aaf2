from __future__ import annotations

import filecmp
from pathlib import Path

import pytest
from round_trip import assert_equal, digests, exported, images, make, pictures, product, products, read_back

from drawn_files import encodings
from drawn_shop import lay_out, tiny, write
from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError
from shelfwise.export.names import category_folders
from shelfwise.formats.class_folders import PICTURE_ENDINGS
from shelfwise.ingest import FolderSource, ingest
from shelfwise.taxonomy import Node, Taxonomy

ODD = ("100% Wool/Tie & Dye", "Fruit/Äpfel", "Fruit/Kiwi (green)", "Fruit", "Fruit/50%2FOff", "Back\\slash")


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def laid_out(root: Path, *heads: str) -> Path:
    lay_out(root, *(f"{head}{odd}/{name}" for head in heads for odd in ODD for name in ("1.jpg", "zwei ü.JPEG")))
    for head in heads:
        write(root / f"{head}loose.jpg", tiny(900 + len(head)))
        write(root / f"{head}Fruit/really a png.jpg", encodings()["png"])
    return root


@pytest.mark.parametrize("heads", [("",), ("train/", "test/"), ("train/", "valid/", "test/")])
def test_a_folder_comes_back_to_the_last_byte_and_so_does_its_catalog(tmp_path: Path, heads: tuple[str, ...]):
    root = laid_out(tmp_path / "photos", *heads)
    catalog = tmp_path / "one.catalog"
    ingest(FolderSource(root), catalog)
    summary, out = exported(catalog, "folder")
    assert files(out) == files(root)
    assert filecmp.cmpfiles(root, out, files(root), shallow=False) == (files(root), [], [])
    assert (summary.left_out, summary.notes) == ({}, {})
    assert summary.files == summary.photos == summary.products == len(files(root))
    assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)


def test_the_comparison_sees_a_photo_that_moved(tmp_path: Path):
    catalog = tmp_path / "one.catalog"
    ingest(FolderSource(laid_out(tmp_path / "photos", "")), catalog)
    summary, out = exported(catalog, "folder")
    (out / "Fruit" / "1.jpg").rename(out / "Fruit" / "2.jpg")
    with pytest.raises(AssertionError):
        assert_equal(read_back(summary, tmp_path / "two.catalog"), catalog)


def test_broken_photos_stay_behind_and_are_counted(tmp_path: Path):
    root = laid_out(tmp_path / "photos", "")
    write(root / "Fruit" / "broken.jpg", b"<html>not a photo</html>")
    catalog = tmp_path / "one.catalog"
    ingest(FolderSource(root), catalog)
    summary, out = exported(catalog, "folder")
    assert set(files(root)) - set(files(out)) == {"Fruit/broken.jpg"}
    assert summary.left_out == {"quarantined photos": 1, "products without photos": 1}


def test_products_of_other_origin_lose_no_photo_whatever_they_are_called(tmp_path: Path):
    photos = [tiny(number) for number in range(8)]
    png = encodings()["png"]
    tree = [("a/b",), ("a%2Fb",), (".hidden", "__cache__"), ("..",), ("x" * 300,)]
    catalog = make(
        tmp_path / "one.catalog",
        product("7", photos[0], photos[1], category=tree[0], title="=two", attributes=("red", "wool")),
        product("x/7.jpg", photos[2], category=tree[0], group="g"),
        product("7.jpg", photos[3], category=tree[0], description="three"),
        product("../../etc/passwd", photos[4], category=tree[1]),
        product(".htaccess", photos[5], category=tree[2]),
        product("y" * 400, photos[6], category=tree[3]),
        product("a%2Fb/7.png", png, category=tree[4]),
        product("nowhere", photos[7]),
        product("title only", title="no photo"),
        tree=tree,
    )
    summary, out = exported(catalog, "folder")
    assert pictures(out) == digests(*photos, png)
    assert {path.resolve().is_relative_to(out.resolve()) for path in out.rglob("*")} == {True}
    assert summary.left_out == {
        "titles": 2, "descriptions": 1, "attributes": 1, "groups": 1, "products without photos": 1
    }  # fmt: skip
    assert summary.notes == {
        "category names that a folder cannot have": 4 + 1,
        "product ids that become another path": 8,
        "photos that become products of their own": 1,
    }
    assert [row["sha256"] for row in images(catalog)] != []
    again = read_back(summary, tmp_path / "two.catalog")
    assert sorted(row["sha256"].hex() for row in images(again)) == digests(*photos, png)
    by_category = {tuple(row["category"] or ()) for row in products(again)}
    assert len(by_category) == 6  # five categories, none of which fell together, and no category


def test_the_endings_of_files_are_what_the_photos_are(tmp_path: Path):
    kinds = {
        "jpeg": ".jpg",
        "png": ".png",
        "webp": ".webp",
        "gif": ".gif",
        "bmp": ".bmp",
        "tiff": ".tif",
        "avif": ".avif",
    }
    records = [product(kind, encodings()[kind], category=("c",)) for kind in kinds]
    _, out = exported(make(tmp_path / "one.catalog", *records, tree=[("c",)]), "folder")
    assert files(out) == sorted(f"c/{kind}{ending}" for kind, ending in kinds.items())
    assert set(kinds.values()) <= PICTURE_ENDINGS


def test_a_category_that_is_called_like_a_photo_beside_it_is_an_error_and_leaves_nothing(tmp_path: Path):
    tree = [("a", "1.jpg")]
    catalog = make(
        tmp_path / "one.catalog",
        product("1", tiny(1), category=("a",)),
        product("2", tiny(2), category=tree[0]),
        tree=tree,
    )
    with pytest.raises(CatalogError, match="a category's folder and a photo"):
        exported(catalog, "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.catalog"]


@pytest.mark.parametrize(
    ("splits", "reads_back"),
    [(("train", "test"), True), (("train", "iconic"), False), (("test", "val"), False), (("train", None), False)],
)
def test_the_command_is_told_only_where_folders_mean_the_same_to_ingest(
    tmp_path: Path, splits: tuple[str | None, ...], reads_back: bool
):
    records = [product(f"p{n}", tiny(n), category=("Mug",), split=split) for n, split in enumerate(splits)]
    catalog = make(tmp_path / "one.catalog", *records, tree=[("Mug",)])
    summary, _ = exported(catalog, "folder")
    assert bool(summary.ingest) == reads_back
    if reads_back:
        again = read_back(summary, tmp_path / "two.catalog")
        assert sorted(row["split"] for row in products(again)) == sorted(splits)


def test_a_category_called_train_is_not_read_back_as_a_split(tmp_path: Path):
    catalog = make(
        tmp_path / "one.catalog", product("1", tiny(1), category=("Train", "Steam")), tree=[("Train", "Steam")]
    )
    assert exported(catalog, "folder")[0].ingest == []


def test_some_splits_alone_come_as_the_folders_they_were(tmp_path: Path):
    catalog = tmp_path / "one.catalog"
    ingest(FolderSource(laid_out(tmp_path / "photos", "train/", "val/", "test/")), catalog)
    summary, out = exported(catalog, "folder", split="train+test")
    assert {path.split("/")[0] for path in files(out)} == {"train", "test"}
    assert summary.products == summary.files == 2 * len(Catalog(catalog).products()) // 3


def test_own_names_of_levels_are_counted_as_left_out(tmp_path: Path):
    filed = product("1", tiny(1), category=("a", "b"))
    catalog = make(tmp_path / "one.catalog", filed, tree=[("a", "b")], level_names=("top", "level2"))
    for kind, left_out in (("folder", {"level names": 1}), ("cdiscount", {"level names": 1}), ("csv", {})):
        assert exported(catalog, kind, kind)[0].left_out == left_out


def test_sibling_folders_stay_apart_whatever_the_names():
    names = ["a/b", "a%2Fb", "a%2Fb~2", ".", "%2E", "_", "__", "ok"]
    folders = category_folders(Taxonomy([Node(str(number), name, None) for number, name in enumerate(names)]))
    assert len(set(folders.values())) == len(names)
    assert [folders[str(names.index(name))] for name in ("a%2Fb", "a%2Fb~2", "%2E", "_", "ok")] == [
        "a%2Fb", "a%2Fb~2", "%2E", "_", "ok"
    ]  # fmt: skip
