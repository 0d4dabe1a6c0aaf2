from __future__ import annotations

import os
import random
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawn_shop import lay_out, run_python, tiny, write
from shelfwise.catalog import Catalog
from shelfwise.errors import CatalogError, SourceError, TaxonomyError
from shelfwise.ingest import FolderSource, IngestSummary, ingest


def ingested(root: Path) -> tuple[IngestSummary, Catalog]:
    to = root.with_name(f"{root.name}.catalog")
    return ingest(FolderSource(root), to), Catalog(to)


def places(catalog: Catalog) -> dict[str, tuple[str | None, str | None]]:
    """Category and split of every product."""
    rows = catalog.products(["product_id", "category", "split"]).to_pylist()
    return {row["product_id"]: (row["category"], row["split"]) for row in rows}


def reasons(catalog: Catalog) -> dict[str, str]:
    """Reason of every quarantined photo."""
    rows = catalog.images(["product_id", "status", "reason"]).to_pylist()
    return {row["product_id"]: row["reason"] for row in rows if row["status"] == "quarantined"}


def test_folders_are_the_tree_and_a_file_s_path_is_its_product(tmp_path: Path):
    summary, catalog = ingested(
        lay_out(tmp_path / "shop", "Fruit/Apple/1.jpg", "Fruit/Apple/2.jpg", "Fruit/Kiwi/1.jpg")
    )
    assert places(catalog) == {
        "Fruit/Apple/1.jpg": ("Fruit/Apple", None),
        "Fruit/Apple/2.jpg": ("Fruit/Apple", None),
        "Fruit/Kiwi/1.jpg": ("Fruit/Kiwi", None),
    }
    assert catalog.taxonomy.leaves == ("Fruit/Apple", "Fruit/Kiwi")
    assert catalog.taxonomy.names("Fruit/Kiwi") == ("Fruit", "Kiwi")
    assert (summary.products, summary.photos, summary.images, summary.categories, summary.levels) == (3, 3, 3, 2, 2)


def test_a_drawn_shop_is_filed_under_its_splits(drawn_catalog: Path):
    catalog = Catalog(drawn_catalog)
    split_of = places(catalog)
    assert Counter(split for _, split in split_of.values()) == {"train": 96, "val": 36, "test": 48}
    assert split_of["val/Home/Kitchen/Mug/mug-101.jpg"] == ("Home/Kitchen/Mug", "val")
    assert len(catalog.taxonomy.leaves) == 12
    assert catalog.taxonomy.depth == 3


@pytest.mark.parametrize("val", ["val", "valid", "validation", "Val"])
def test_the_usual_names_of_splits_are_known(tmp_path: Path, val: str):
    _, catalog = ingested(lay_out(tmp_path / "shop", "train/a/1.jpg", f"{val}/a/1.jpg", "test/b/1.jpg"))
    assert places(catalog) == {
        "train/a/1.jpg": ("a", "train"), f"{val}/a/1.jpg": ("a", "val"), "test/b/1.jpg": ("b", "test"),
    }  # fmt: skip


@pytest.mark.parametrize("missing", ["a", "b", "c"])
def test_a_class_that_a_split_lacks_shifts_no_other_class(tmp_path: Path, missing: str):
    names = [f"{split}/{name}/1.jpg" for split in ("train", "test") for name in "abc"]
    _, catalog = ingested(lay_out(tmp_path / "shop", *(name for name in names if name != f"test/{missing}/1.jpg")))
    assert catalog.taxonomy.leaves == ("a", "b", "c")
    assert all(category == product.split("/")[1] for product, (category, _) in places(catalog).items())
    assert f"test/{missing}/1.jpg" not in places(catalog)


def test_a_class_that_only_the_test_split_has_and_a_renamed_one_are_classes_of_their_own(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "train/apple/1.jpg", "train/pear/1.jpg", "test/apple/1.jpg", "test/birne/1.jpg")
    _, catalog = ingested(root)
    assert catalog.taxonomy.leaves == ("apple", "birne", "pear")
    assert places(catalog)["test/birne/1.jpg"] == ("birne", "test")


def test_a_folder_beside_the_splits_is_an_error_not_a_shelf_called_train(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "train/a/1.jpg", "test/a/1.jpg", "unlabeled/1.jpg")
    with pytest.raises(SourceError, match="unlabeled"):
        ingested(root)
    _, catalog = ingested(lay_out(tmp_path / "toys", "train/steam/1.jpg", "plane/jet/1.jpg"))
    assert places(catalog)["train/steam/1.jpg"] == ("train/steam", None)


def test_class_folders_without_a_photo_are_named(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "full/1.jpg", "onlytext/notes.txt")
    (root / "empty").mkdir()
    (root / "deep" / "er").mkdir(parents=True)
    with pytest.raises(SourceError, match="4 class folders hold no photo: deep, deep/er, empty, onlytext"):
        ingested(root)
    assert not (tmp_path / "shop.catalog").exists()


def test_a_class_may_be_empty_in_one_split_as_long_as_another_has_photos_of_it(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg")
    (root / "test" / "b").mkdir()
    _, catalog = ingested(root)
    assert catalog.taxonomy.leaves == ("a", "b")


def test_hidden_and_other_files_are_ignored_and_counted(tmp_path: Path):
    root = lay_out(
        tmp_path / "shop", "a/1.jpg", "a/.hidden.jpg", "a/Thumbs.db", "a/notes.txt", ".git/objects/x.jpg", ".git/config",
        "__MACOSX/a/._1.jpg", ".DS_Store", "a/photo",
    )  # fmt: skip
    summary, catalog = ingested(root)
    assert list(places(catalog)) == ["a/1.jpg"]
    assert summary.ignored_files == 8
    assert summary.photos + summary.ignored_files == sum(len(files) for _, _, files in os.walk(root))


@pytest.mark.parametrize(
    ("first", "second"),
    [("Dress", "dress"), ("Dress", "Dress "), ("Caf\u00e9", "Cafe\u0301"), ("\ufb01sh", "fish")],
)
def test_twin_folders_are_refused_in_one_place_or_across_splits(tmp_path: Path, first: str, second: str):
    for number, (one, other) in enumerate([(first, second), (f"train/{first}", f"test/{second}")]):
        root = lay_out(tmp_path / f"shop{number}", f"{one}/1.jpg", f"{other}/1.jpg")
        assert len(list(root.iterdir())) == 2
        with pytest.raises(TaxonomyError) as refused:
            ingested(root)
        assert repr(first) in str(refused.value)
        assert repr(second) in str(refused.value)
        assert not root.with_name(f"shop{number}.catalog").exists()


def test_a_name_with_a_trailing_space_alone_is_kept_as_it_is(tmp_path: Path):
    _, catalog = ingested(lay_out(tmp_path / "shop", "Dress /1.jpg", "Shoe/1.jpg"))
    assert set(catalog.taxonomy.leaves) == {"Dress ", "Shoe"}


def test_numeric_names_are_text(tmp_path: Path):
    names = ["2", "10", "007", "7", "1e5", "NA", "null", "None"]
    _, catalog = ingested(lay_out(tmp_path / "shop", *(f"{name}/1.jpg" for name in names)))
    assert {product: category for product, (category, _) in places(catalog).items()} == {f"{n}/1.jpg": n for n in names}


def test_equal_leaf_names_under_different_parents_stay_different(tmp_path: Path):
    _, catalog = ingested(lay_out(tmp_path / "shop", "Women/Shoes/1.jpg", "Men/Shoes/1.jpg"))
    assert catalog.taxonomy.leaves == ("Men/Shoes", "Women/Shoes")


def test_trees_may_be_deep_and_uneven_with_photos_in_inner_nodes(tmp_path: Path):
    deep = "/".join(f"l{level}" for level in range(30))
    _, catalog = ingested(lay_out(tmp_path / "shop", f"{deep}/1.jpg", "l0/1.jpg", "flat/1.jpg"))
    assert places(catalog) == {f"{deep}/1.jpg": (deep, None), "l0/1.jpg": ("l0", None), "flat/1.jpg": ("flat", None)}
    assert catalog.taxonomy.depth == 30
    assert catalog.taxonomy.ancestor("flat", 29) == "flat"


def test_a_flat_folder_has_products_without_a_category(tmp_path: Path):
    summary, catalog = ingested(lay_out(tmp_path / "shop", "1.jpg", "2.jpg"))
    assert places(catalog) == {"1.jpg": (None, None), "2.jpg": (None, None)}
    assert (summary.categories, summary.levels, catalog.taxonomy.leaves) == (0, 0, ())


def test_a_photo_beside_the_class_folders_of_a_split_keeps_its_split(tmp_path: Path):
    _, catalog = ingested(lay_out(tmp_path / "shop", "train/a/1.jpg", "train/lost.jpg", "stray.jpg"))
    assert places(catalog) == {
        "train/a/1.jpg": ("a", "train"),
        "train/lost.jpg": (None, "train"),
        "stray.jpg": (None, None),
    }


def test_links_to_files_inside_are_read_and_links_out_or_nowhere_are_quarantined(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "a/real.jpg")
    secret = write(tmp_path / "secret.jpg", tiny(77))
    (root / "a" / "inside.jpg").symlink_to("real.jpg")
    (root / "a" / "outside.jpg").symlink_to(secret)
    (root / "a" / "dots.jpg").symlink_to("../../secret.jpg")
    (root / "a" / "dangling.jpg").symlink_to("nothing.jpg")
    (root / "a" / "loop.jpg").symlink_to("loop.jpg")
    summary, catalog = ingested(root)
    assert reasons(catalog) == {
        "a/outside.jpg": "path_outside", "a/dots.jpg": "path_outside",
        "a/dangling.jpg": "file_missing", "a/loop.jpg": "file_missing",
    }  # fmt: skip
    assert (summary.photos, summary.images, summary.quarantined) == (6, 2, 4)
    assert tiny(77) not in catalog.images(["bytes"]).column(0).to_pylist()


def test_linked_folders_are_refused_by_name_and_never_followed(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "a/1.jpg")
    lay_out(tmp_path / "elsewhere", "1.jpg")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "round").symlink_to(root)
    with pytest.raises(SourceError, match="2 folders are links, which are not followed: b, a/round"):
        ingested(root)


def test_fifos_and_devices_are_never_opened(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "a/1.jpg")
    os.mkfifo(root / "a" / "fifo.jpg")
    (root / "a" / "zero.jpg").symlink_to("/dev/zero")
    summary, catalog = ingested(root)  # opening the FIFO would wait for ever
    assert reasons(catalog) == {"a/fifo.jpg": "path_outside", "a/zero.jpg": "path_outside"}
    assert summary.images == 1


def test_broken_photos_are_quarantined_with_a_reason_and_kept(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "a/fine.jpg", "b/fine.jpg")
    whole = tiny(5)
    broken = {
        "a/empty.jpg": (b"", "img_empty"),
        "a/cut.jpg": (whole[: len(whole) // 2], "img_truncated"),
        "a/page.jpg": (b"<!doctype html><html></html>", "img_format"),
        "b/text.png": (b"this is no picture", "img_format"),
    }
    for name, (data, _) in broken.items():
        write(root / name, data)
    summary, catalog = ingested(root)
    assert reasons(catalog) == {name: reason for name, (_, reason) in broken.items()}
    assert summary.quarantined_by_reason == {"img_empty": 1, "img_truncated": 1, "img_format": 2}
    assert (summary.products, summary.photos, summary.images, summary.quarantined) == (6, 6, 2, 4)
    rows = catalog.images(["product_id", "bytes", "detail", "length"]).to_pylist()
    kept = {row["product_id"]: row["bytes"] for row in rows if row["product_id"] in broken}
    assert kept == {name: data for name, (data, _) in broken.items()}
    assert all(row["detail"] for row in rows if row["product_id"] in broken)


def test_an_ending_that_does_not_fit_the_content_is_noted(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "a/really-a-jpeg.png", "a/fine.JPG", "a/fine.jpeg")
    summary, catalog = ingested(root)
    notes = {row["product_id"]: row["notes"] for row in catalog.images(["product_id", "notes"]).to_pylist()}
    assert notes == {"a/really-a-jpeg.png": ["img_ext"], "a/fine.JPG": [], "a/fine.jpeg": []}
    assert summary.notes == {"img_ext": 1}


def test_a_name_that_is_no_utf8_is_kept_readable(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "a/1.jpg")
    odd = os.fsencode(root) + b"/bl\xe5b\xe4r"
    Path(os.fsdecode(odd)).mkdir()
    Path(os.fsdecode(odd + b"/\xff.jpg")).write_bytes(tiny(3))
    write(Path(os.fsdecode(odd + b"/\xfe.jpg")), b"")
    _, catalog = ingested(root)
    assert places(catalog)[r"bl\xe5b\xe4r/\xff.jpg"] == (r"bl\xe5b\xe4r", None)
    assert reasons(catalog) == {r"bl\xe5b\xe4r/\xfe.jpg": "img_empty"}


def test_a_folder_that_is_missing_or_holds_no_photo_is_an_error(tmp_path: Path):
    with pytest.raises(SourceError, match="nowhere is not a folder"):
        ingest(FolderSource(tmp_path / "nowhere"), tmp_path / "x.catalog")
    (tmp_path / "bare").mkdir()
    write(tmp_path / "bare" / "notes.txt", b"x")
    with pytest.raises(SourceError, match=r"no rows: .*bare holds no product"):
        ingest(FolderSource(tmp_path / "bare"), tmp_path / "x.catalog")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare"]


def test_a_folder_that_may_not_be_read_is_an_error_not_a_gap(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "a/1.jpg", "locked/1.jpg")
    (root / "locked").chmod(0)
    code = """
import os, sys
from pathlib import Path
from shelfwise.ingest import FolderSource, ingest
from shelfwise.errors import SourceError
os.chmod(sys.argv[1] + "/..", 0o777)
if os.getuid() == 0:
    os.setuid(65534)
try:
    os.listdir(sys.argv[1] + "/locked")
except PermissionError:
    pass
else:
    sys.exit("this user may read anything")
try:
    ingest(FolderSource(Path(sys.argv[1])), Path(sys.argv[1] + ".catalog"))
except SourceError as error:
    print(error)
"""
    for above in [root, *root.parents][:4]:
        above.chmod(0o755)
    done = run_python(code, root)
    (root / "locked").chmod(0o755)
    if "may read anything" in done.stderr or "PermissionError" in done.stderr:
        pytest.skip(f"no other user can be become here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    assert "locked cannot be read: Permission denied" in done.stdout


def test_a_target_that_is_something_else_is_refused_and_left_alone(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "a/1.jpg")
    mine = write(tmp_path / "mine" / "notes.txt", b"mine")
    with pytest.raises(CatalogError, match="mine exists and is no catalog: choose another name"):
        ingest(FolderSource(root), tmp_path / "mine")
    assert mine.read_bytes() == b"mine"
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]


def test_ingesting_the_same_folder_again_changes_nothing_and_a_changed_one_adds_and_updates_by_id(tmp_path: Path):
    root = lay_out(tmp_path / "shop", "a/1.jpg", "a/2.jpg", "b/3.jpg")
    first, catalog = ingested(root)
    described = (catalog.path / "catalog.json").read_bytes()
    second = ingest(FolderSource(root), catalog.path)
    assert (first.rows, first.added, first.updated, first.unchanged) == (3, 3, 0, 0)
    assert (second.rows, second.added, second.updated, second.unchanged) == (3, 0, 0, 3)
    assert (catalog.path / "catalog.json").read_bytes() == described
    write(root / "a" / "2.jpg", tiny(222))
    write(root / "c" / "4.jpg", tiny(4))
    (root / "b" / "3.jpg").unlink()  # what left the source stays in the catalog
    third = ingest(FolderSource(root), catalog.path) if not (root / "b").rmdir() else None
    assert third is not None
    assert (third.rows, third.added, third.updated, third.unchanged, third.products) == (3, 1, 1, 1, 4)
    after = Catalog(catalog.path)
    pictures = dict(zip(after.images(["product_id"]).column(0).to_pylist(), after.image_bytes(range(4)), strict=True))
    assert pictures["a/2.jpg"] == tiny(222)
    assert set(pictures) == {"a/1.jpg", "a/2.jpg", "b/3.jpg", "c/4.jpg"}
    assert places(after)["b/3.jpg"] == ("b", None)


def test_the_order_of_files_on_disk_does_not_matter(tmp_path: Path):
    names = [
        f"{split}/{top}/{leaf}/{n}.jpg" for split in ("train", "test") for top in "ba" for leaf in "dc" for n in (10, 2)
    ]
    tables = []
    for number in range(3):
        shuffled = random.Random(number).sample(names, len(names))
        for name in shuffled:
            write(tmp_path / str(number) / name, tiny(names.index(name)))
        _, catalog = ingested(tmp_path / str(number))
        tables.append(
            (catalog.products().to_pylist(), catalog.images(["image_id", "sha256"]).to_pylist(), catalog.taxonomy)
        )
    assert tables[0] == tables[1] == tables[2]


PARTS = ["a", "b", "B2", "10", "2", ".x", "__y", "train", "test", "Ä"]
FILES = ["1.jpg", "2.JPG", "3.png", "4.txt", ".5.jpg", "6", "7.webp"]
CONTENTS = [tiny(1), tiny(2), b"", b"no picture", tiny(3)[:60]]
TREES = st.dictionaries(
    st.tuples(st.lists(st.sampled_from(PARTS), max_size=3).map(tuple), st.sampled_from(FILES)),
    st.sampled_from(CONTENTS), min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(TREES)
def test_every_file_of_any_folder_is_counted_once(tree: dict[tuple[tuple[str, ...], str], bytes]):
    with tempfile.TemporaryDirectory() as folder:
        root, to = Path(folder, "shop"), Path(folder, "shop.catalog")
        for (parts, name), data in tree.items():
            write(root.joinpath(*parts, name), data)
        claims = [
            (parts, name, data) for (parts, name), data in tree.items()
            if not any(part.startswith((".", "__")) for part in (*parts, name)) and name[-4:].lower() in (".jpg", ".png", "webp")
        ]  # fmt: skip
        try:
            summary = ingest(FolderSource(root), to)
        except SourceError:
            seen = {(*parts,)[:depth] for parts, _ in tree for depth in range(len(parts) + 1)}
            visible = {parts for parts in seen if not any(part.startswith((".", "__")) for part in parts)}
            filled = {parts[:depth] for parts, _, _ in claims for depth in range(len(parts) + 1)}
            tops = {parts[0] for parts in visible if parts}
            assert not claims or visible - filled or ({"train", "test"} <= tops and tops - {"train", "test"})
            assert not to.exists()
            return
        assert summary.photos == summary.products == len(claims)
        assert summary.photos + summary.ignored_files == len(tree)
        assert summary.images + summary.quarantined == summary.photos
        assert summary.added == summary.rows == len(claims)
        assert summary.images == sum(data in CONTENTS[:2] for _, _, data in claims)
        assert sum(summary.quarantined_by_reason.values()) == summary.quarantined
        assert sum(summary.products_by_split.values()) == summary.products
        catalog = Catalog(to)
        rows = catalog.images(["product_id", "bytes"]).to_pylist()
        assert {row["product_id"]: row["bytes"] for row in rows} == {"/".join((*p, n)): d for p, n, d in claims}
        has_splits = {category for category, _ in places(catalog).values()} and summary.products_by_split.keys() != {
            "none"
        }
        for product, (category, split) in places(catalog).items():
            parts = product.split("/")[:-1]
            assert (category or "") == "/".join(parts[1:] if has_splits and parts else parts)
            assert (split or "") == (parts[0] if has_splits and parts else "")


def test_photos_are_committed_in_parts_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = lay_out(tmp_path / "shop", *(f"a/{number:02}.jpg" for number in range(20)))
    monkeypatch.setattr("shelfwise.ingest.writer._BYTES_PER_COMMIT", 5 * len(tiny(0)))
    summary, catalog = ingested(root)
    assert (summary.products, summary.images) == (20, 20)
    assert catalog.versions["images"] > 4
    assert catalog.image_bytes(range(20)) == [tiny(number) for number in range(20)]
    assert len(catalog.products()) == 20
