"""The commands on foreign data and on catalogs at rest, as people type them: words, JSON and exit codes."""

from __future__ import annotations

import csv
import json
import struct
from pathlib import Path
from typing import Any

import bson
import pytest

from commands_here import refused, run
from drawn_shop import lay_out, tiny, write

HEADER = ["sku", "name", "shelf", "picture"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A table of four products with photos beside it, one of them broken, and one row that is too short."""
    rows = [["007", "Mug", "Home", "1.jpg"], ["7", "Bowl", "Home", "2.jpg"], ["8", "NA", "NA", "3.jpg"], ["9", "Kite"]]
    with (tmp_path / "shop.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    for number in (1, 2):
        write(tmp_path / f"{number}.jpg", tiny(number))
    write(tmp_path / "3.jpg", b"<html>not found</html>")
    return tmp_path / "shop.csv"


def ingest_of(shop: Path, *more: object) -> list[object]:
    columns = ["--id", "sku", "--title", "name", "--category", "shelf", "--image", "picture"]
    return ["ingest", "table", shop, *columns, "--to", shop.with_name("shop.catalog"), *more]


def as_json(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    ended, out, err = run(capsys, *arguments, "--json")
    assert ended == code, err
    return dict(json.loads(out))


def test_a_table_comes_in_with_what_is_wrong_counted_and_an_exit_code_for_scripts(
    capsys: pytest.CaptureFixture[str], shop: Path
):
    told = as_json(capsys, *ingest_of(shop, "--max-bad", "50"))
    counts = {name: told[name] for name in ("rows", "added", "quarantined_rows", "duplicates", "images", "quarantined")}
    assert counts == {"rows": 4, "added": 3, "quarantined_rows": 1, "duplicates": 0, "images": 2, "quarantined": 1}
    code, out, _ = run(capsys, *ingest_of(shop))
    assert code == 1
    assert "rows    4 = 0 added + 0 updated + 3 unchanged + 1 quarantined + 0 duplicates" in out
    assert "25.0% of the rows are quarantined, more than --max-bad 5: see  shelfwise quarantine list" in out


def test_the_quarantine_is_listed_with_places_and_tried_again(capsys: pytest.CaptureFixture[str], shop: Path):
    run(capsys, *ingest_of(shop))
    catalog = shop.with_name("shop.catalog")
    code, out, _ = run(capsys, "quarantine", "list", catalog)
    assert code == 0
    assert "shop.csv, line 5" in out
    assert "row_columns" in out
    assert "looks like HTML page" in out
    assert "2 of 2 quarantined rows and photos" in out
    listed = as_json(capsys, "quarantine", "list", catalog, "--code", "img_format")
    assert [(entry["id"], entry["stage"]) for entry in listed["quarantined"]] == [("8#0", "photo")]
    write(shop.with_name("3.jpg"), tiny(3))
    assert as_json(capsys, "quarantine", "retry", catalog) == {
        "catalog": str(catalog), "tried": 1, "recovered": 1, "still": {}, "quarantined_rows": 1,
    }  # fmt: skip


def test_a_change_is_taken_back_and_the_beginning_cannot_be(capsys: pytest.CaptureFixture[str], shop: Path):
    run(capsys, *ingest_of(shop))
    catalog = shop.with_name("shop.catalog")
    assert refused(capsys, "undo", catalog).endswith("has no earlier version: this is how it began")
    run(capsys, "split", catalog, "--shares", "train=0.5,test=0.5")
    assert set(as_json(capsys, "show", catalog)["counts"]["products_by_split"]) <= {"train", "test"}
    code, out, _ = run(capsys, "undo", catalog)
    assert (code, "taken back: version 2, split" in out) == (0, True)
    assert as_json(capsys, "show", catalog)["counts"]["products_by_split"] == {"none": 3}


def test_show_names_ids_and_labels_as_they_were_written(capsys: pytest.CaptureFixture[str], shop: Path):
    run(capsys, *ingest_of(shop))
    code, out, _ = run(capsys, "show", shop.with_name("shop.catalog"))
    assert code == 0
    for words in ("007", "NA", "3 products", "quarantined rows    row_columns 1", "version 1"):
        assert words in out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--id", "skuu"], "sku"),
        (["--category", "shelv"], "shelf"),
        (["--titel", "name"], "--title"),
        (["--separator", ";"], "found columns"),
    ],
)
def test_a_column_or_option_that_is_not_there_is_told_with_the_nearest(
    capsys: pytest.CaptureFixture[str], shop: Path, change: list[str], words: str
):
    columns = {"--id": "sku", "--title": "name", "--category": "shelf", "--image": "picture"} | dict([change])
    flat = [part for pair in columns.items() for part in pair]
    assert words in refused(capsys, "ingest", "table", shop, *flat, "--to", shop.with_name("x.catalog"))
    assert not shop.with_name("x.catalog").exists()


def bson_file(path: Path, cut: int = 0) -> Path:
    documents = [{"_id": n, "category_id": 10, "imgs": [{"picture": tiny(n)}]} for n in range(3)]
    data = b"".join(bson.encode(document) for document in documents)
    write(path.with_name("categories.csv"), b"category_id,category_level1,category_level2,category_level3\n10,A,B,C\n")
    return write(path, data[: len(data) - cut])


def test_a_damaged_bson_keeps_what_stands_before_and_names_the_byte(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    file = bson_file(tmp_path / "train.bson", cut=30)
    arguments = ["ingest", "cdiscount", file, "--categories", tmp_path / "categories.csv"]
    told = as_json(capsys, *arguments, "--to", tmp_path / "x.catalog", code=1)
    (second,) = struct.unpack_from("<i", file.read_bytes(), struct.unpack_from("<i", file.read_bytes(), 0)[0])
    first = struct.unpack_from("<i", file.read_bytes(), 0)[0]
    assert told["damage"][0]["offset"] == first + second
    assert (told["rows"], told["added"], told["images"]) == (2, 2, 2)
    code, out, _ = run(capsys, *arguments, "--to", tmp_path / "y.catalog")
    assert code == 1
    assert f"damaged at byte {first + second:,}" in out


def test_a_dry_run_tells_and_writes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    file = bson_file(tmp_path / "train.bson")
    to = tmp_path / "x.catalog"
    arguments = ["ingest", "cdiscount", file, "--categories", tmp_path / "categories.csv", "--to", to, "--dry-run"]
    assert as_json(capsys, *arguments)["products"] == 3
    assert not to.exists()


def test_an_export_is_read_back_by_the_command_that_its_summary_names(
    capsys: pytest.CaptureFixture[str], shop: Path, tmp_path: Path
):
    run(capsys, *ingest_of(shop))
    catalog = shop.with_name("shop.catalog")
    told = as_json(capsys, "export", catalog, "--format", "csv", "--to", tmp_path / "out")
    assert (told["products"], told["photos"]) == (3, 2)
    (arguments,) = told["ingest"]
    arguments[arguments.index("--to") + 1] = str(tmp_path / "back.catalog")
    back = as_json(capsys, *arguments)
    assert back["added"] == 3
    assert "exists: choose another name" in refused(capsys, "export", catalog, "--to", tmp_path / "out")


def test_photos_may_stay_in_place(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    root = lay_out(tmp_path / "photos", "a/1.jpg", "b/2.jpg")
    to = tmp_path / "x.catalog"
    as_json(capsys, "ingest", "folder", root, "--to", to, "--in-place")
    assert as_json(capsys, "verify", to)["pictures"] == 2
    (root / "a" / "1.jpg").unlink()
    code, out, _ = run(capsys, "verify", to)
    assert (code, "file_unreadable" in out) == (1, True)


def test_a_dry_run_with_bad_rows_sends_nobody_to_a_quarantine_that_is_not_there(
    capsys: pytest.CaptureFixture[str], shop: Path
):
    code, out, _ = run(capsys, *ingest_of(shop, "--dry-run"))
    assert code == 1
    assert "rows    4 would be read, nothing is written" in out
    assert "25.0% of the rows are quarantined, more than --max-bad 5" in out
    assert "quarantine list" not in out


def test_a_limit_below_none_is_refused_and_does_not_leave_out_the_last(capsys: pytest.CaptureFixture[str], shop: Path):
    run(capsys, *ingest_of(shop))
    catalog = shop.with_name("shop.catalog")
    assert "--limit -1: give a number, or 0 for all" in refused(capsys, "quarantine", "list", catalog, "--limit", "-1")
    assert len(as_json(capsys, "quarantine", "list", catalog, "--limit", "0")["quarantined"]) == 2


def test_a_catalog_among_the_photos_of_its_own_source_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    root = lay_out(tmp_path / "photos", "a/1.jpg", "b/2.jpg")
    link = tmp_path / "link"
    link.symlink_to(root)
    for to in (root / "x.catalog", root / "a" / "x.catalog", link / "x.catalog"):
        assert "lies inside of" in refused(capsys, "ingest", "folder", root, "--to", to)
    assert sorted(path.name for path in root.iterdir()) == ["a", "b"]
    as_json(capsys, "ingest", "folder", root, "--to", tmp_path / "photos.catalog")


def test_trees_that_do_not_fit_together_are_told_with_both_names(capsys: pytest.CaptureFixture[str], shop: Path):
    run(capsys, *ingest_of(shop))
    write(shop, shop.read_bytes().replace(b"Home", b"home"))
    said = refused(capsys, *ingest_of(shop))
    assert f"the categories of {shop} do not fit those of {shop.with_name('shop.catalog')}: " in said
    assert "'Home' and 'home'" in said


def test_only_what_is_listed_there_is_looked_for_in_the_quarantine(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    file = bson_file(tmp_path / "train.bson", cut=30)
    arguments = [
        "ingest",
        "cdiscount",
        file,
        "--categories",
        tmp_path / "categories.csv",
        "--to",
        tmp_path / "a b.catalog",
    ]
    code, out, _ = run(capsys, *arguments)
    assert (code, "1 damaged part of the source\n" in out, "quarantine list" in out) == (1, True, False)
    write(tmp_path / "train.bson", bson_file(tmp_path / "other.bson").read_bytes())
    _, out, _ = run(capsys, *arguments)
    assert f"shelfwise embed '{tmp_path / 'a b.catalog'}'" in out


def test_an_id_that_means_another_category_to_another_kind_of_source_renames_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    """Books number their genres; a table whose category is called 1 must not become the genre 1."""
    to, listing, table = tmp_path / "x.catalog", tmp_path / "books.csv", tmp_path / "shop.csv"
    write(
        listing, b'"A","a.jpg","http://x/a.jpg","T","N","1","Arts"\n"B","b.jpg","http://x/b.jpg","T","N","2","Crime"\n'
    )
    as_json(capsys, "ingest", "bookcover30", listing, "--to", to)
    write(table, b"id,cat\n100,1\n")
    arguments = ["ingest", "table", table, "--id", "id", "--category", "cat", "--to"]
    assert "the category '1' is 'Arts' in the catalog and '1' in the source" in refused(capsys, *arguments, to)
    assert {tuple(shelf["names"]) for shelf in as_json(capsys, "show", to)["shelves"]} == {("Arts",), ("Crime",)}
    write(listing, listing.read_bytes().replace(b"Arts", b"Art"))  # negative control: a source may rename its own
    as_json(capsys, "ingest", "bookcover30", listing, "--to", to)
    assert {tuple(shelf["names"]) for shelf in as_json(capsys, "show", to)["shelves"]} == {("Art",), ("Crime",)}


def test_shares_are_not_forgotten_beside_folds(capsys: pytest.CaptureFixture[str], shop: Path):
    run(capsys, *ingest_of(shop))
    split = ["split", shop.with_name("shop.catalog"), "--folds", "2"]
    assert "leave --shares away" in refused(capsys, *split, "--shares", "a=0.5,b=0.5")
    assert set(as_json(capsys, *split)["after"]) <= {"fold-1", "fold-2"}
