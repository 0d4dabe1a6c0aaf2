from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import pytest

from drawn_shop import tiny, write
from shelfwise.catalog import Catalog
from shelfwise.errors import OptionError, SourceError
from shelfwise.ingest import GrocerySource, IngestSummary, ingest
from shelfwise.ingest.records import ProductRecord

HEADER = (
    "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),"
    "Iconic Image Path (str),Product Description Path (str)"
)
CLASSES = [("Gala", "Fruit/Apple/Gala"), ("Kiwi", "Fruit/Kiwi"), ("Brown-Cap", "Vegetables/Mushroom/Brown-Cap")]


def fake(root: Path) -> Path:
    """Lay out a small data set of the same form: 3 classes, 2 photos each in train, 1 in val and test."""
    dataset, lines, number = root / "dataset", [HEADER], 0
    for class_id, (name, category) in enumerate(CLASSES):
        below = f"/iconic-images-and-descriptions/{category}/{name}"
        lines.append(f"{name},{class_id},Coarse,0,{below}_Iconic.jpg,{below}_Description.txt")
        write(dataset / f"{below[1:]}_Iconic.jpg", tiny(1000 + class_id))
        write(dataset / f"{below[1:]}_Description.txt", f"About {name}, åäö.\n".encode())
        for split, count in (("train", 2), ("val", 1), ("test", 1)):
            for place in range(count):
                number += 1
                photo = f"{split}/{category}/{name}_{place:03}.jpg"
                write(dataset / photo, tiny(number))
                with (dataset / f"{split}.txt").open("a") as listing:
                    listing.write(f"{photo}, {class_id}, 0\n")
    write(dataset / "classes.csv", "\n".join(lines).encode())
    return root


def ingested(root: Path) -> tuple[IngestSummary, Catalog]:
    to = root.with_name("grocery.catalog")
    return ingest(GrocerySource(root), to), Catalog(to)


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize("below", ["", "dataset"])
def test_photos_splits_icons_and_descriptions_are_taken(tmp_path: Path, below: str):
    root = fake(tmp_path / "root")
    to = tmp_path / "x.catalog"
    summary, catalog = ingest(GrocerySource(root / below), to), Catalog(to)
    assert summary.products_by_split == {"iconic": 3, "train": 6, "val": 3, "test": 3}
    assert (summary.photos, summary.images, summary.categories, summary.levels) == (15, 15, 3, 3)
    rows = {row["product_id"]: row for row in catalog.products().to_pylist()}
    icon = rows["iconic/Vegetables/Mushroom/Brown-Cap"]
    assert (icon["title"], icon["description"], icon["split"]) == ("Brown Cap", "About Brown-Cap, åäö.", "iconic")
    assert rows["val/Fruit/Kiwi/Kiwi_000.jpg"]["category"] == "Fruit/Kiwi"
    assert catalog.taxonomy.level_names == ("top", "coarse", "fine")


def test_a_missing_photo_is_quarantined_and_the_totals_add_up(tmp_path: Path):
    root = fake(tmp_path / "root")
    (root / "dataset/train/Fruit/Kiwi/Kiwi_001.jpg").unlink()
    (root / "dataset/iconic-images-and-descriptions/Fruit/Kiwi/Kiwi_Iconic.jpg").unlink()
    (root / "dataset/iconic-images-and-descriptions/Fruit/Kiwi/Kiwi_Description.txt").unlink()
    summary, catalog = ingested(root)
    assert summary.quarantined_by_reason == {"file_missing": 2}
    assert (summary.photos, summary.images, summary.quarantined) == (15, 13, 2)
    rows = catalog.images(["uri", "status", "detail"]).to_pylist()
    lost = [row for row in rows if row["status"] == "quarantined"]
    assert any("Kiwi_001.jpg is not there" in row["detail"] for row in lost)
    described = {row["product_id"]: row["description"] for row in catalog.products().to_pylist()}
    assert described["iconic/Fruit/Kiwi"] is None


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("val.txt", ", 1, 0", ", 99, 0", "val.txt, line 2: expected 'photo, class id, coarse id'"),
        ("val.txt", ", 1, 0", ", one, 0", "val.txt, line 2: expected"),
        ("val.txt", ", 1, 0", "", "val.txt, line 2: expected"),
        ("val.txt", ", 1, 0", ", 1, 0, 7", "val.txt, line 2: expected"),
        ("val.txt", ", 1, 0", ", 2, 0", "val.txt, line 2: the photo lies in 'Kiwi', its label 2 is 'Brown-Cap'"),
        ("test.txt", "test/Fruit/Kiwi", "test/Fruit/Gala", "test.txt, line 2: the photo lies in 'Gala', its label 1 is 'Kiwi'"),
        ("train.txt", "train/Fruit/Apple/Gala/Gala_001", "train/Fruit/Apple/Gala/Gala_001\n", "train.txt, line 2: expected"),
        ("classes.csv", "Class ID (int)", "class", "classes.csv: found columns"),
        ("classes.csv", "Kiwi,1,", "Kiwi,0,", "classes.csv, line 3: no class, or its id a second time"),
        ("classes.csv", "Kiwi,1,Coarse,0,", "Kiwi,1,", "classes.csv, line 3: no class"),
        ("classes.csv", "Kiwi,1,", "Ki,wi,1,", "classes.csv, line 3: no class"),
        ("classes.csv", "Brown-Cap,2,", '"Brown-Cap,2,', "classes.csv, line 4: "),
        ("classes.csv", "/iconic-images-and-descriptions/Fruit/Kiwi/Kiwi_Ic", "/Kiwi_Ic", "classes.csv, line 3: no class"),
    ],
)  # fmt: skip
def test_a_damaged_listing_is_an_error_with_file_and_line(tmp_path: Path, file: str, old: str, new: str, said: str):
    root = fake(tmp_path / "root")
    changed(root / "dataset" / file, old, new)
    with pytest.raises(SourceError) as refused:
        ingested(root)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


@pytest.mark.parametrize("file", ["train.txt", "classes.csv"])
def test_a_listing_that_is_no_utf8_is_an_error_with_file_and_line(tmp_path: Path, file: str):
    root = fake(tmp_path / "root")
    path = root / "dataset" / file
    path.write_bytes(path.read_bytes().replace(b"Kiwi", b"K\xefwi", 1))
    with pytest.raises(SourceError, match=rf"{file}, line 3: the byte 0xef is no UTF-8"):
        ingested(root)


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path):
    root = fake(tmp_path / "root")
    for file in ("classes.csv", "train.txt", "val.txt", "test.txt"):
        path = root / "dataset" / file
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert ingested(root)[0].images == 15


@pytest.mark.parametrize("file", ["classes.csv", "train.txt", "val.txt", "test.txt"])
def test_a_missing_listing_is_named(tmp_path: Path, file: str):
    root = fake(tmp_path / "root")
    (root / "dataset" / file).unlink()
    with pytest.raises(SourceError, match=f"{file} is missing"):
        ingested(root)


def test_a_listing_that_leads_out_of_the_data_set_is_not_followed(tmp_path: Path):
    root = fake(tmp_path / "root")
    write(tmp_path / "Kiwi" / "secret.jpg", tiny(555))
    write(tmp_path / "secret.txt", b"secret words")
    changed(root / "dataset/val.txt", "val/Fruit/Kiwi/Kiwi_000.jpg", "val/../../../Kiwi/secret.jpg")
    changed(root / "dataset/test.txt", "test/Fruit/Kiwi/Kiwi_000.jpg", f"{tmp_path}/Kiwi/secret.jpg")
    changed(root / "dataset/classes.csv", "Gala_Description.txt", "../../../../../../secret.txt")
    summary, catalog = ingested(root)
    assert summary.quarantined_by_reason == {"path_outside": 2}
    assert tiny(555) not in catalog.images(["bytes"]).column(0).to_pylist()
    assert "secret words" not in str(catalog.products(["description"]).to_pylist())


def test_a_photo_listed_twice_is_a_counted_duplicate_and_in_two_splits_quarantined(tmp_path: Path):
    root = fake(tmp_path / "root")
    train = (root / "dataset/train.txt").read_text().splitlines()
    (root / "dataset/train.txt").write_text("\n".join([*train, train[0]]))
    summary, _ = ingested(root)
    assert (summary.rows, summary.added, summary.duplicates) == (16, 15, 1)
    (root / "dataset/val.txt").write_text(train[0])
    contradicting = ingest(GrocerySource(root), tmp_path / "y.catalog")
    assert contradicting.quarantined_rows_by_code == {"id_conflict": 3}
    detail = Catalog(tmp_path / "y.catalog").quarantine().column("detail")[0].as_py()
    assert "Gala_000.jpg' occurs 3 times with different content" in detail


def many(root: Path, photos: int = 60) -> Path:
    """Lay out the small data set with more photos of the first class in the listing of train; no picture is there."""
    fake(root)
    for place in range(photos):
        with (root / "dataset/train.txt").open("a") as listing:
            listing.write(f"train/Fruit/Apple/Gala/Gala_{100 + place}.jpg, 0, 0\n")
    return root


def natural(source: GrocerySource) -> list[ProductRecord]:
    return [record for record in source.rows() if record.split != "iconic"]


@pytest.mark.parametrize("most", [2, 4])
def test_photos_of_one_shelf_and_split_are_bound_into_products_of_every_size(tmp_path: Path, most: int):
    root = many(tmp_path / "root")
    single, bound = natural(GrocerySource(root)), natural(GrocerySource(root, photos_per_product=most))
    shelf = {record.product_id: (record.category, record.split) for record in single}
    assert all(len(record.photos) == 1 for record in single)
    assert {len(record.photos) for record in bound} == set(range(1, most + 1))
    for record in bound:
        assert record.product_id == record.photos[0].name
        assert {shelf[photo.name] for photo in record.photos} == {(record.category, record.split)}
    for place in {shelf[record.product_id] for record in single}:  # the order of the listing, on every shelf
        names = [photo.name for record in bound if shelf[record.product_id] == place for photo in record.photos]
        assert names == [record.product_id for record in single if shelf[record.product_id] == place]
    assert bound[0].where == "train.txt, line 1"
    again = natural(GrocerySource(root, photos_per_product=most))
    assert [(record.product_id, record.photos) for record in again] == [
        (record.product_id, record.photos) for record in bound
    ]
    icons = [[r for r in GrocerySource(root, n).rows() if r.split == "iconic"] for n in (1, most)]
    assert icons[0] == icons[1]
    assert len(icons[0]) == 3


def test_a_photo_that_is_listed_twice_cannot_be_bound_and_no_photo_a_product_is_refused(tmp_path: Path):
    root = fake(tmp_path / "root")
    first = (root / "dataset/train.txt").read_text().splitlines()[0]
    with (root / "dataset/val.txt").open("a") as listing:
        listing.write(first)
    with pytest.raises(SourceError, match=r"val.txt, line 4: .*Gala_000.jpg is listed before, at train.txt, line 1"):
        GrocerySource(root, photos_per_product=2)
    assert len(natural(GrocerySource(root))) == 13
    with pytest.raises(OptionError, match="--photos-per-product 0: at least 1"):
        GrocerySource(root, photos_per_product=0)


def test_the_real_photos_are_bound_without_loss(grocery: Path):
    bound = natural(GrocerySource(grocery, photos_per_product=4))
    names = [photo.name for record in bound for photo in record.photos]
    listed = [line.split(",")[0] for split in ("train", "val", "test") for line in _lines(grocery, split)]
    assert len(listed) == 5421
    assert sorted(names) == sorted(listed)
    sizes = Counter((record.split, len(record.photos)) for record in bound)
    assert all(sizes[split, size] > 10 for split in ("train", "val", "test") for size in (1, 2, 3, 4))


def _lines(grocery: Path, split: str) -> list[str]:
    return (grocery / f"dataset/{split}.txt").read_text().splitlines()


@pytest.fixture(scope="module")
def real(grocery: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[IngestSummary, Catalog]:
    to = tmp_path_factory.mktemp("grocery") / "grocery.catalog"
    return ingest(GrocerySource(grocery), to), Catalog(to)


@pytest.mark.slow
def test_the_real_data_set_is_imported_whole(real: tuple[IngestSummary, Catalog], grocery: Path):
    summary, catalog = real
    # Source: Klasson et al. 2019; the lines of the listings, counted with wc -l.
    assert summary.products_by_split == {"iconic": 81, "train": 2640, "val": 296, "test": 2485}
    assert (summary.photos, summary.images, summary.quarantined, summary.duplicates) == (5502, 5502, 0, 0)
    assert (summary.categories, summary.levels) == (81, 3)
    assert summary.photos == len(list(grocery.rglob("*.jpg")))
    assert len(catalog.taxonomy.leaves) == 81


@pytest.mark.slow
def test_every_real_photo_is_under_the_label_that_the_listing_gives_it(
    real: tuple[IngestSummary, Catalog], grocery: Path
):
    _, catalog = real
    table = csv.DictReader(io.StringIO((grocery / "dataset/classes.csv").read_text()))
    name_of = {row["Class ID (int)"]: row["Class Name (str)"] for row in table}
    category_of = dict(
        zip(*(catalog.products([c]).column(c).to_pylist() for c in ("product_id", "category")), strict=True)
    )
    listed = 0
    for split in ("train", "val", "test"):
        for line in (grocery / f"dataset/{split}.txt").read_text().splitlines():
            photo, class_id, _ = line.split(", ")
            assert catalog.taxonomy.names(category_of[photo])[-1] == name_of[class_id]
            listed += 1
    assert listed == 5421


@pytest.mark.slow
def test_the_brown_cap_mushroom_lies_under_mushroom_though_its_photos_to_learn_from_do_not(
    real: tuple[IngestSummary, Catalog],
):
    _, catalog = real
    rows = catalog.products(["product_id", "category", "split", "description"]).to_pylist()
    mushrooms = [row for row in rows if row["category"] == "Vegetables/Mushroom/Brown-Cap-Mushroom"]
    # Counted with grep over the listings; only those of the test split lie below a folder Mushroom.
    assert Counter(row["split"] for row in mushrooms) == {"iconic": 1, "train": 39, "val": 5, "test": 39}
    assert sum("/Vegetables/Brown-Cap-Mushroom/" in row["product_id"] for row in mushrooms) == 44


@pytest.mark.slow
def test_every_iconic_picture_brings_its_description(real: tuple[IngestSummary, Catalog], grocery: Path):
    _, catalog = real
    rows = catalog.products(["split", "description"]).to_pylist()
    files = grocery.rglob("*_Description.txt")
    written = sorted(file.read_text(encoding="utf-8").strip() for file in files)
    assert sorted(row["description"] for row in rows if row["split"] == "iconic") == written
    assert len(written) == 81
    assert not any(row["description"] for row in rows if row["split"] != "iconic")


@pytest.mark.slow
def test_the_middle_level_of_the_tree_is_the_coarse_one_of_the_data_set(
    real: tuple[IngestSummary, Catalog], grocery: Path
):
    _, catalog = real
    rows = list(csv.DictReader(io.StringIO((grocery / "dataset/classes.csv").read_text())))
    leaf_of = {catalog.taxonomy.names(leaf)[-1]: leaf for leaf in catalog.taxonomy.leaves}
    pairs = {
        (row["Coarse Class ID (int)"], catalog.taxonomy.ancestor(leaf_of[row["Class Name (str)"]], 1)) for row in rows
    }
    assert len(pairs) == len({coarse for coarse, _ in pairs}) == len({node for _, node in pairs}) == 43
