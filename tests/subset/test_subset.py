from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from drawn_grocery import CLASSES, PHOTOS, draw_grocery
from drawn_shop import lay_out, shelfwise, write
from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError, OptionError, SourceError
from shelfwise.ingest import FolderSource, GrocerySource, ingest
from shelfwise.options import IngestOptions, SubsetOptions
from shelfwise.subset import subset
from shelfwise.verify import verify


@pytest.fixture(scope="module")
def grocery_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subset")
    ingest(GrocerySource(draw_grocery(folder / "photos")), folder / "all.catalog")
    return folder / "all.catalog"


def taken(catalog: Path, to: Path, **asked: object) -> Catalog:
    subset(catalog, to, SubsetOptions(**asked))  # type: ignore[arg-type]
    return Catalog(to)


def splits_of(catalog: Catalog) -> Counter[str]:
    return Counter(catalog.products().column("split").to_pylist())


def test_products_come_with_their_photos_byte_for_byte_and_the_rest_is_counted(grocery_like: Path, tmp_path: Path):
    summary = subset(grocery_like, tmp_path / "x.catalog", SubsetOptions(split="val+test"))
    before, after = Catalog(grocery_like), Catalog(tmp_path / "x.catalog")
    assert (summary.products, summary.photos) == (42, 42)
    assert summary.left_out == {"in other splits": 6 * 8 + 6}
    assert after.products().to_pylist() == [
        row for row in before.products().to_pylist() if row["split"] in ("val", "test")
    ]
    pictures = dict(
        zip(
            before.images(["image_id"]).column("image_id").to_pylist(),
            before.image_bytes(range(len(before.images(["image_id"])))),
            strict=True,
        )
    )
    ids = after.images(["image_id"]).column("image_id").to_pylist()
    assert after.image_bytes(range(len(ids))) == [pictures[name] for name in ids]
    assert after.taxonomy == before.taxonomy
    assert not verify(tmp_path / "x.catalog").findings


def test_a_limit_of_a_split_takes_the_same_products_first_and_leaves_other_splits_whole(
    grocery_like: Path, tmp_path: Path
):
    few = taken(grocery_like, tmp_path / "2.catalog", per_category=2, limited_split="train")
    more = taken(grocery_like, tmp_path / "5.catalog", per_category=5, limited_split="train")
    assert splits_of(few) == {"train": 12, "val": 18, "test": 24, "iconic": 6}
    assert splits_of(more)["train"] == 30
    assert set(few.products().column("product_id").to_pylist()) < set(more.products().column("product_id").to_pylist())
    each = Counter(row["category"] for row in few.products().to_pylist() if row["split"] == "train")
    assert set(each.values()) == {2}


def test_the_largest_categories_are_taken_and_the_tree_is_cut_down_to_them(tmp_path: Path):
    counts = {"a/x": 3, "a/y": 1, "b": 5, "c": 2}
    lay_out(tmp_path / "photos", *(f"{name}/{n}.jpg" for name, count in counts.items() for n in range(count)))
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "all.catalog")
    two = taken(tmp_path / "all.catalog", tmp_path / "two.catalog", largest_categories=2)
    assert sorted(" > ".join(two.taxonomy.names(leaf)) for leaf in two.taxonomy.leaves) == ["a > x", "b"]
    assert len(two.products()) == 8
    with pytest.raises(OptionError, match="--largest-categories 9: the products are of 4 categories"):
        subset(tmp_path / "all.catalog", tmp_path / "no.catalog", SubsetOptions(largest_categories=9))
    assert not (tmp_path / "no.catalog").exists()


def test_a_level_files_products_higher_up_and_below_takes_branches(grocery_like: Path, tmp_path: Path):
    one = taken(grocery_like, tmp_path / "x.catalog", level="coarse", below=("Juice", "Packages > Milk"))
    assert one.taxonomy.level_names == ("top", "coarse")
    names = Counter(one.taxonomy.names(row["category"]) for row in one.products().to_pylist())
    assert names == {("Packages", "Juice"): 2 * 16, ("Packages", "Milk"): 16}
    same = taken(grocery_like, tmp_path / "y.catalog", level="2", below=("Packages",))
    assert same.products().equals(one.products())
    with pytest.raises(OptionError, match="--level brand: the tree has the levels top, coarse, fine"):
        subset(grocery_like, tmp_path / "z.catalog", SubsetOptions(level="brand"))
    with pytest.raises(SourceError, match=r"no shelf 'Jucie'.*Juice"):
        subset(grocery_like, tmp_path / "z.catalog", SubsetOptions(below=("Jucie",)))


def test_groups_become_the_categories_the_largest_ones(tmp_path: Path):
    lay_out(tmp_path / "photos", *(f"{number}.jpg" for number in range(7)))
    rows = [f"{number},{number}.jpg,{group}" for number, group in enumerate(["g3"] * 3 + ["g1"] + ["g2"] * 2 + [""])]
    write(tmp_path / "photos" / "list.csv", "\n".join(["id,photo,group", *rows]).encode())
    done = shelfwise(
        "ingest", "table", tmp_path / "photos" / "list.csv", "--to", tmp_path / "all.catalog", "--id", "id",
        "--image", "photo", "--group", "group",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    two = taken(tmp_path / "all.catalog", tmp_path / "two.catalog", groups=True, largest_categories=2)
    filed = {row["product_id"]: row["category"] for row in two.products().to_pylist()}
    assert filed == {"0": "g3", "1": "g3", "2": "g3", "4": "g2", "5": "g2"}
    assert two.taxonomy.level_names == ("group",)


def test_a_share_goes_by_id_whatever_the_order_and_is_met_by_chance(tmp_path: Path):
    lay_out(tmp_path / "photos", *(f"{'ab'[number % 2]}/{number}.jpg" for number in range(200)))
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "all.catalog")
    third = taken(tmp_path / "all.catalog", tmp_path / "x.catalog", share=0.3)
    assert 0.2 < len(third.products()) / 200 < 0.4  # 2.9 standard errors
    half = taken(tmp_path / "all.catalog", tmp_path / "y.catalog", share=0.6)
    assert set(third.products().column("product_id").to_pylist()) < set(
        half.products().column("product_id").to_pylist()
    )


def test_listed_products_are_taken_and_an_unknown_one_is_named(grocery_like: Path, tmp_path: Path):
    wanted = Catalog(grocery_like).products().column("product_id").to_pylist()[10:13]
    file = write(tmp_path / "ids.txt", "\n".join([*wanted, ""]).encode())
    assert (
        taken(grocery_like, tmp_path / "x.catalog", products=file).products().column("product_id").to_pylist() == wanted
    )
    write(file, b"nobody\n")
    with pytest.raises(SourceError, match="no product has the id 'nobody'"):
        subset(grocery_like, tmp_path / "y.catalog", SubsetOptions(products=file))


def test_photos_left_in_place_stay_where_they_are(tmp_path: Path):
    lay_out(tmp_path / "photos", "a/1.jpg", "a/2.jpg", "b/3.jpg")
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "all.catalog", IngestOptions(in_place=True))
    small = taken(tmp_path / "all.catalog", tmp_path / "x.catalog", below=("a",))
    assert small.images(["bytes"]).column("bytes").null_count == 2
    assert small.image_bytes([0]) == [(tmp_path / "photos" / "a" / "1.jpg").read_bytes()]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"split": "nowhere"}, "no product has the split nowhere; there are: iconic, test, train, val"),
        ({"per_category": 1, "limited_split": "x"}, "no product has the split x"),
        ({"share": 1.0}, "--share 1.0"),
        ({"per_category": 0}, "--per-category 0: at least 1"),
        ({"limited_split": "train"}, "needs --per-category"),
        ({"groups": True, "level": "fine"}, "--groups makes a tree of its own"),
    ],
)
def test_what_cannot_be_taken_is_said(grocery_like: Path, tmp_path: Path, asked: dict[str, object], said: str):
    with pytest.raises((OptionError, CatalogError), match=said):
        subset(grocery_like, tmp_path / "x.catalog", SubsetOptions(**asked))  # type: ignore[arg-type]
    assert not (tmp_path / "x.catalog").exists()


def test_nothing_that_fits_is_an_error_with_the_counts(grocery_like: Path, tmp_path: Path):
    with pytest.raises(CatalogError, match="no product fits what is asked for: 96 without a group"):
        subset(grocery_like, tmp_path / "x.catalog", SubsetOptions(groups=True))
    assert not (tmp_path / "x.catalog").exists()


def test_the_command_prints_counts_and_an_existing_catalog_is_left_alone(grocery_like: Path, tmp_path: Path):
    arguments = ["subset", grocery_like, "--to", tmp_path / "x.catalog", "--largest-categories", 2, "--json"]
    told = json.loads(shelfwise(*arguments).stdout)
    assert told["products"] == 2 * (1 + sum(count for count, _ in PHOTOS.values()))
    assert told["left_out"] == {"in smaller categories": (len(CLASSES) - 2) * 16}
    again = shelfwise(*arguments)
    assert again.returncode == 2
    assert "exists" in again.stderr
