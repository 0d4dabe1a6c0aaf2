from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from drawn_shop import lay_out, photo, tiny, write
from shelfwise.catalog import Catalog, changing
from shelfwise.errors import CatalogError, OptionError
from shelfwise.images.draw import KINDS, draw_placeholder, encode_jpeg
from shelfwise.index.bonds import Bonds, incidence
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import SplitOptions
from shelfwise.split import split
from shelfwise.statistics.spread import Shelves


def saved_again(data: bytes, quality: int = 70) -> bytes:
    again = io.BytesIO()
    Image.open(io.BytesIO(data)).save(again, "JPEG", quality=quality)
    return again.getvalue()


def catalog_of(root: Path, photos: dict[str, bytes]) -> Path:
    for name, data in photos.items():
        write(root / "photos" / name, data)
    ingest(FolderSource(root / "photos"), root / "shop.catalog")
    return root / "shop.catalog"


def with_groups(catalog: Path, groups: dict[str, str]) -> Path:
    with changing(catalog, "test") as change:
        assert change.catalog is not None
        products = change.catalog.products()
        column = [groups.get(product) for product in products.column("product_id").to_pylist()]
        rows = [row | {"group": group} for row, group in zip(products.to_pylist(), column, strict=True)]
        change.replace_products(products.from_pylist(rows, products.schema))
    return catalog


def splits(catalog: Path) -> dict[str, str]:
    table = Catalog(catalog).products(["product_id", "split"])
    return dict(zip(table.column("product_id").to_pylist(), table.column("split").to_pylist(), strict=True))


HALVES = "train=0.5,test=0.5"


def test_every_product_gets_a_split_in_one_change_that_touches_nothing_else(tmp_path: Path):
    catalog = catalog_of(tmp_path, {f"{'abc'[n % 3]}/{n}.jpg": tiny(n) for n in range(90)})
    before = Catalog(catalog).products()
    summary = split(catalog, SplitOptions(shares=HALVES))
    after = Catalog(catalog).products()
    assert after.drop(["split"]) == before.drop(["split"])
    assert summary.before == {"none": 90}
    assert summary.after == Counter(after.column("split").to_pylist())
    assert (summary.products, summary.units, summary.assigned, summary.kept, summary.moved) == (90, 90, 90, 0, 0)
    assert Catalog(catalog).description.snapshot.what == "split"
    assert json.loads(json.dumps(summary.to_dict()))["after"] == summary.after


def test_a_second_time_nothing_changes_and_again_with_another_seed_much_does(tmp_path: Path):
    catalog = catalog_of(tmp_path, {f"a/{n}.jpg": tiny(n) for n in range(60)})
    split(catalog)
    first, version = splits(catalog), Catalog(catalog).description.snapshot.version
    summary = split(catalog, SplitOptions(seed=1))
    assert (summary.kept, summary.assigned, summary.moved) == (60, 0, 0)
    assert (splits(catalog), Catalog(catalog).description.snapshot.version) == (first, version)
    summary = split(catalog, SplitOptions(seed=1, again=True))
    assert summary.moved == sum(first[product] != now for product, now in splits(catalog).items()) > 0
    assert summary.kept + summary.moved == 60


@pytest.fixture(scope="module")
def bound_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 drawn products, each with a byte-identical copy, a copy saved again and a grouped companion elsewhere."""
    root = tmp_path_factory.mktemp("bound")
    photos, groups = {}, {}
    for number in range(40):
        kind = KINDS[number % 12]
        data = photo(kind, 500 + number)
        photos |= {f"{kind}/{number}.jpg": data, f"{kind}/{number}-copy.jpg": data}
        photos |= {f"{kind}/{number}-again.jpg": saved_again(data), f"{kind}/{number}-group.jpg": tiny(number)}
        groups |= {f"{kind}/{number}.jpg": f"g{number}", f"{kind}/{number}-group.jpg": f"g{number}"}
    return with_groups(catalog_of(root, photos), groups)


def torn(catalog: Path) -> set[str]:
    """Ways in which products that belong to a drawn one lie in another split than it does."""
    sides = splits(catalog)
    return {
        name.split("-")[1] for name, side in sides.items()
        if "-" in Path(name).stem and sides[f"{Path(name).parent}/{Path(name).stem.split('-')[0]}.jpg"] != side
        for name in [Path(name).stem]
    }  # fmt: skip


def test_what_belongs_together_gets_one_split(bound_shop: Path):
    summary = split(bound_shop, SplitOptions(shares=HALVES, again=True))
    assert torn(bound_shop) == set()
    assert summary.units == 40
    assert summary.bound == {"group": 80, "same_picture": 80, "look_alike": 120}
    assert summary.across_splits == {"group": 0, "same_picture": 0, "look_alike": 0}
    assert (summary.placeholders_ignored, summary.notes) == (0, [])
    assert len(set(splits(bound_shop).values())) == 2


def test_without_look_alikes_those_are_seen_to_be_torn_and_the_rest_is_not(bound_shop: Path):
    summary = split(bound_shop, SplitOptions(shares=HALVES, again=True, look_alikes=False))
    assert torn(bound_shop) == {"again"}
    assert summary.bound["look_alike"] == 0


def test_imported_splits_are_kept_and_pairs_across_them_counted_until_asked_for_again(tmp_path: Path):
    one, two = photo("mug", 900), photo("boot", 901)
    photos = {
        "train/a/1.jpg": one, "test/a/2.jpg": one, "test/b/3.jpg": saved_again(one), "train/b/4.jpg": two,
        "train/b/5.jpg": tiny(1), "test/b/6.jpg": tiny(2),
    }  # fmt: skip
    catalog = with_groups(catalog_of(tmp_path, photos), {"train/b/5.jpg": "g", "test/b/6.jpg": "g"})
    summary = split(catalog)
    assert all(name.startswith(side) for name, side in splits(catalog).items())
    assert summary.across_splits == {"group": 1, "same_picture": 1, "look_alike": 1}
    assert summary.notes == [
        "3 pairs of products that belong together lie in different splits, since both were fixed before: "
        "--again moves them to one"
    ]
    summary = split(catalog, SplitOptions(shares=HALVES, again=True))
    assert sum(summary.across_splits.values()) == 0
    assert summary.notes == []


def test_a_placeholder_on_many_shelves_binds_nothing_while_a_product_listed_often_does(tmp_path: Path):
    card = encode_jpeg(draw_placeholder())
    photos = {f"{'abc'[n % 3]}/none-{n}.jpg": card for n in range(30)}
    photos |= {f"{'abc'[n % 3]}/again-{n}.jpg": saved_again(card, 60 + n) for n in range(5)}
    photos |= {f"a/often-{n}.jpg": photo("mug", 1) for n in range(15)}
    catalog = catalog_of(tmp_path, photos)
    summary = split(catalog, SplitOptions(shares=HALVES))
    by_name = {name: {s for p, s in splits(catalog).items() if name in p} for name in ("none", "again", "often")}
    assert by_name == {"none": {"train", "test"}, "again": {"train", "test"}, "often": by_name["often"]}
    assert len(by_name["often"]) == 1
    assert summary.placeholders_ignored == 6
    assert summary.units == 36
    assert summary.bound == {"group": 0, "same_picture": 15, "look_alike": 0}


def of_one_picture(categories: NDArray[np.int64]) -> Bonds:
    """Make the bonds of products in these categories, a flat tree of their own, that show one picture."""
    n, none = len(categories), np.empty(0, np.int64)
    pictures = incidence(np.arange(n), np.zeros(n, np.int64), (n, 1))
    size = np.bincount(categories)
    shelves = Shelves(np.arange(len(size), dtype=np.int32)[:, None], size)
    return Bonds(incidence(none, none, (n, 0)), pictures, (none, none), categories, shelves)


def test_few_products_or_two_categories_are_no_placeholder():
    def found(products: int, categories: int) -> int:
        return int(of_one_picture(np.arange(products) % categories).placeholders.sum())

    assert [found(6, 3), found(5, 3), found(11, 2), found(500, 2), found(500, 50)] == [1, 0, 0, 0, 1]


def test_fifteen_thousand_products_of_one_placeholder_are_quick():
    n = 15_000
    bonds = of_one_picture(np.arange(n) % 9)
    assert len(set(bonds.units().tolist())) == n
    assert bonds.across(np.arange(n) % 2)["same_picture"] == 0


def test_folds_are_equal_and_refuse_a_catalog_of_other_splits(tmp_path: Path):
    catalog = catalog_of(tmp_path, {f"train/{'ab'[n % 2]}/{n}.jpg": tiny(n) for n in range(40)})
    with pytest.raises(OptionError, match="--folds 4: the catalog has the splits train; replace them with --again"):
        split(catalog, SplitOptions(folds=4))
    summary = split(catalog, SplitOptions(folds=4, stratify=True, again=True))
    assert summary.after == {f"fold-{number}": 10 for number in (1, 2, 3, 4)}
    assert split(catalog, SplitOptions(folds=4)).kept == 40


def test_categories_that_a_split_lacks_are_counted_and_named_by_level(tmp_path: Path):
    names = [f"train/Food/{shelf}/1.jpg" for shelf in "abcdefghijkl"] + ["train/Home/x/1.jpg", "test/Home/x/2.jpg"]
    summary = split(catalog_of(tmp_path, {name: tiny(n) for n, name in enumerate(names)}))
    assert summary.missing == {
        "level1": {"test": {"categories": 1, "named": ["Food"]}},
        "level2": {"test": {"categories": 12, "named": [f"Food/{shelf}" for shelf in "abcdefghij"]}},
    }


def test_quarantined_photos_bind_nothing_and_their_products_are_split_too(tmp_path: Path):
    broken = {f"a/broken-{n}.jpg": photo("mug", 3)[:300] for n in range(30)}
    summary = split(catalog_of(tmp_path, broken | {"a/fine.jpg": photo("mug", 4)}), SplitOptions(shares=HALVES))
    assert (summary.products, summary.units, sum(summary.after.values())) == (31, 31, 31)


def test_a_catalog_without_a_usable_photo_is_split_by_id_and_group_alone(tmp_path: Path):
    catalog = catalog_of(tmp_path, {f"{n}.jpg": photo("mug", 3)[:300] for n in range(6)})
    summary = split(with_groups(catalog, {"0.jpg": "g", "1.jpg": "g", "2.jpg": ""}))
    assert (summary.units, summary.bound) == (5, {"group": 2, "same_picture": 0, "look_alike": 0})
    assert summary.missing == {}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"shares": "train=0.8,test=0.1"}, "add up to 0.9, not to 1"),
        ({"shares": "train=0.5,train=0.5"}, "'train=0.5' cannot be used"),
        ({"shares": "train=1,test=0"}, "'test=0' cannot be used"),
        ({"shares": "train"}, "NAME=SHARE"),
        ({"shares": "a+b=1"}, "'a\\+b=1' cannot be used"),
        ({"shares": "none=1"}, "'none=1' cannot be used"),
        ({"folds": 1}, "--folds 1: at least 2"),
        ({"folds": -2}, "--folds -2: at least 2"),
    ],
)
def test_shares_and_folds_that_make_no_sense_are_refused(options: dict[str, object], said: str):
    with pytest.raises(OptionError, match=said):
        SplitOptions(**options)  # type: ignore[arg-type]


def test_what_is_no_catalog_is_refused_and_nothing_is_made_of_it(tmp_path: Path):
    lay_out(tmp_path / "photos", "a/1.jpg")
    for path in (tmp_path / "photos", tmp_path / "nowhere"):
        with pytest.raises(CatalogError, match="not a catalog"):
            split(path)
    assert [path.name for path in tmp_path.rglob("*")] == ["photos", "a", "1.jpg"]
