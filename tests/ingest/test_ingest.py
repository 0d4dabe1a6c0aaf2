"""Bringing rows into a catalog: what is counted, quarantined, updated, left in place, and what exit code it earns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drawn_shop import tiny, write
from drawn_source import GivenSource, record
from shelfwise.catalog import Catalog, undo
from shelfwise.catalog.conflicts import label_conflicts
from shelfwise.errors import CatalogBusyError, CatalogError, DiskFullError, ImageError, OptionError, SourceError
from shelfwise.formats.rows import BadRow
from shelfwise.ingest import ingest
from shelfwise.ingest.quarantine import quarantined, retry
from shelfwise.ingest.records import Damage, FilePart, PhotoSource, ProductRecord
from shelfwise.options import IngestOptions

BAD = BadRow("line 7", "row_columns", "5 fields, the header has 4", "a,b,c,d,e", "p7")


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "x.catalog"


def test_rows_are_added_or_quarantined_or_duplicates_and_their_sum_is_told(to: Path):
    lost = ImageError("no_image", "the row holds none")
    source = GivenSource(record("1", tiny(1), tiny(2)), BAD, record("2", lost), record("1", tiny(1), tiny(2)))
    summary = ingest(source, to)
    assert summary.rows == 4
    assert (summary.added, summary.quarantined_rows, summary.duplicates) == (2, 1, 1)
    assert (summary.products, summary.photos, summary.images, summary.quarantined) == (2, 3, 2, 1)
    assert summary.quarantined_rows_by_code == {"row_columns": 1}
    rows = Catalog(to).images(["image_id", "position", "reason"]).to_pylist()
    assert [(row["image_id"], row["position"], row["reason"]) for row in rows] == [
        ("1#0", 0, None), ("1#1", 1, None), ("2#0", 0, "no_image"),
    ]  # fmt: skip


def test_of_rows_with_one_id_and_different_content_none_is_taken_and_both_are_listed(to: Path):
    source = GivenSource(record("1", tiny(1)), record("2", tiny(2)), record("1", tiny(1), title="another"))
    summary = ingest(source, to)
    assert (summary.rows, summary.added, summary.quarantined_rows, summary.duplicates) == (3, 1, 2, 0)
    entries = list(quarantined(to))
    assert [(entry["id"], entry["code"], entry["place"]) for entry in entries] == [("1", "id_conflict", "line 1")] * 2
    assert entries[0]["detail"] == "the id '1' occurs 2 times with different content: line 1 and line 1"
    assert Catalog(to).products(["product_id"]).column(0).to_pylist() == ["2"]


def test_equal_bytes_in_different_places_are_the_same_content(to: Path, tmp_path: Path):
    file = write(tmp_path / "both.bin", tiny(5) + tiny(5) + tiny(6))
    size, other = len(tiny(5)), len(tiny(6))
    same = GivenSource(record("1", FilePart(file, 0, size)), record("1", FilePart(file, size, size)))
    assert ingest(same, to).duplicates == 1
    differs = GivenSource(record("1", FilePart(file, 0, size)), record("1", FilePart(file, 2 * size, other)))
    assert ingest(differs, tmp_path / "y.catalog").quarantined_rows_by_code == {"id_conflict": 2}


def test_the_same_rows_again_change_nothing_and_changed_ones_are_added_and_updated(to: Path):
    first = [record("1", tiny(1)), record("2", tiny(2), title="old"), BAD]
    ingest(GivenSource(*first), to)
    described = (to / "catalog.json").read_bytes()
    again = ingest(GivenSource(*first), to)
    assert (again.added, again.updated, again.unchanged, again.quarantined_rows) == (0, 0, 2, 1)
    assert (to / "catalog.json").read_bytes() == described
    changed = ingest(GivenSource(record("1", tiny(1)), record("2", tiny(2), title="new"), record("3", tiny(3))), to)
    assert (changed.added, changed.updated, changed.unchanged, changed.products) == (1, 1, 1, 3)
    titles = {row["product_id"]: row["title"] for row in Catalog(to).products(["product_id", "title"]).to_pylist()}
    assert titles == {"1": None, "2": "new", "3": None}
    assert list(quarantined(to)) == []  # the row that was bad is gone from the source
    undo(to)
    titles = {row["product_id"]: row["title"] for row in Catalog(to).products(["product_id", "title"]).to_pylist()}
    assert titles == {"1": None, "2": "old"}
    assert len(list(quarantined(to))) == 1


def test_a_quarantined_row_of_another_source_stays(to: Path):
    ingest(GivenSource(record("1"), BAD, path=Path("one.csv")), to)
    ingest(GivenSource(record("2"), path=Path("two.csv")), to)
    assert [entry["id"] for entry in quarantined(to)] == ["p7"]
    assert [source["path"].rpartition("/")[2] for source in Catalog(to).description.snapshot.sources] == [
        "one.csv",
        "two.csv",
    ]


def test_an_update_keeps_the_split_that_was_given_here(to: Path):
    ingest(GivenSource(record("1", split="val"), record("2", split="val")), to)
    ingest(GivenSource(record("1", title="new"), record("2", title="new", split="test")), to)
    assert Catalog(to).products(["product_id", "split"]).to_pylist() == [
        {"product_id": "1", "split": "val"}, {"product_id": "2", "split": "test"},
    ]  # fmt: skip


def test_the_trees_of_two_sources_are_joined(to: Path):
    ingest(GivenSource(record("1", category="food/fruit")), to)
    summary = ingest(GivenSource(record("2", category="food/bread"), record("3", category="toys/ball")), to)
    assert (summary.categories, summary.levels) == (3, 2)
    assert set(Catalog(to).taxonomy.nodes) == {"food", "food/fruit", "food/bread", "toys", "toys/ball"}


def test_photos_left_in_place_are_read_from_their_file(to: Path, tmp_path: Path):
    file, whole = write(tmp_path / "all.bin", b"head" + tiny(1) + tiny(2)), write(tmp_path / "3.png", tiny(3))
    start = 4 + len(tiny(1))
    source = GivenSource(
        record("1", FilePart(file, 4, len(tiny(1))), FilePart(file, start, len(tiny(2)))), record("3", whole)
    )
    ingest(source, to, IngestOptions(in_place=True))
    catalog = Catalog(to)
    assert catalog.images(["bytes"]).column(0).null_count == 3
    assert catalog.image_bytes([2, 0, 1]) == [tiny(3), tiny(1), tiny(2)]
    assert ingest(source, to, IngestOptions(in_place=True)).unchanged == 2
    with pytest.raises(OptionError, match="--in-place"):
        ingest(GivenSource(record("4", tiny(4))), to, IngestOptions(in_place=True))
    assert len(Catalog(to).products()) == 2


def test_a_dry_run_counts_and_writes_nothing(to: Path, tmp_path: Path):
    summary = ingest(GivenSource(record("1", tiny(1)), BAD), to, IngestOptions(dry_run=True))
    assert (summary.rows, summary.products, summary.quarantined_rows, summary.dry_run) == (2, 1, 1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_photo_that_was_never_obtained_is_counted_and_comes_in_once_it_is_there(to: Path, tmp_path: Path):
    def source() -> GivenSource:
        return GivenSource(record("1", tmp_path / "1.png", may_be_missing=True), record("2", tmp_path / "2.png"))

    summary = ingest(source(), to)
    assert (summary.photos, summary.images, summary.missing, summary.quarantined) == (2, 0, 1, 1)
    assert summary.quarantined_by_reason == {"file_missing": 1}
    write(tmp_path / "1.png", tiny(1))
    tried = retry(to)
    assert (tried.tried, tried.recovered, tried.still) == (2, 1, {"file_missing": 1})
    write(tmp_path / "2.png", tiny(2))
    assert ingest(source(), to).updated == 2
    assert Catalog(to).images(["status"]).column(0).to_pylist() == ["ok", "ok"]


def test_a_retry_takes_what_was_mended_and_leaves_the_rest(to: Path, tmp_path: Path):
    cut, page = write(tmp_path / "cut.png", tiny(1)[:40]), write(tmp_path / "page.png", b"<html>")
    ingest(GivenSource(record("1", cut), record("2", page), record("3", tiny(3)), BAD), to)
    entries = {entry["id"]: entry for entry in quarantined(to)}
    assert {name: entry["code"] for name, entry in entries.items()} == {
        "p7": "row_columns", "1#0": "img_truncated", "2#0": "img_format",
    }  # fmt: skip
    assert entries["p7"]["text"] == "a,b,c,d,e"
    assert entries["1#0"]["source"] == str(cut)
    before = Catalog(to).description.snapshot.version
    assert retry(to).recovered == 0
    assert Catalog(to).description.snapshot.version == before
    write(cut, tiny(1))
    summary = retry(to)
    assert (summary.tried, summary.recovered, summary.still, summary.quarantined_rows) == (2, 1, {"img_format": 1}, 1)
    assert {row["image_id"]: row["status"] for row in Catalog(to).images(["image_id", "status"]).to_pylist()} == {
        "1#0": "ok", "2#0": "quarantined", "3#0": "ok",
    }  # fmt: skip


def test_one_picture_under_two_categories_is_a_label_conflict(to: Path):
    source = GivenSource(record("1", tiny(1)), record("2", tiny(1), category="b"), record("3", tiny(3)))
    assert ingest(source, to).label_conflicts == 1
    (conflict,) = label_conflicts(Catalog(to))
    assert (conflict.images, conflict.categories) == (("1#0", "2#0"), ("a", "b"))
    assert ingest(GivenSource(record("4", tiny(4)), record("5", tiny(4))), to.with_name("y")).label_conflicts == 0


@pytest.mark.parametrize(
    ("bad", "options", "words"),
    [
        (1, IngestOptions(), None),
        (1, IngestOptions(strict=True), "1 rows are quarantined, and --strict allows none"),
        (2, IngestOptions(), "9.1% of the rows are quarantined, more than --max-bad 5"),
        (2, IngestOptions(max_bad=10), None),
        (0, IngestOptions(strict=True), None),
    ],
)
def test_too_many_bad_rows_earn_an_exit_code(to: Path, bad: int, options: IngestOptions, words: str | None):
    rows = [record(str(number)) for number in range(20)] + [BAD] * bad
    assert ingest(GivenSource(*rows), to, options).exceeds(options) == words


def test_damage_is_told_with_what_stood_before_it_in_the_catalog(to: Path):
    summary = ingest(
        GivenSource(record("1", tiny(1)), Damage(512, None, "1 document read, the rest is unreadable")), to
    )
    assert summary.to_dict()["damage"] == [
        {"offset": 512, "length": None, "detail": "1 document read, the rest is unreadable"}
    ]
    assert summary.exceeds(IngestOptions()) == "1 damaged part of the source"
    assert len(Catalog(to).products()) == 1


def test_a_source_that_breaks_off_in_the_middle_changes_nothing(to: Path, tmp_path: Path):
    class Broken(GivenSource):
        def rows(self):  # type: ignore[no-untyped-def]
            yield from super().rows()
            raise SourceError("given.csv, line 3: a quote is opened and never closed")

    with pytest.raises(SourceError, match="line 3"):
        ingest(Broken(record("1", tiny(1))), to)
    assert list(tmp_path.iterdir()) == []
    ingest(GivenSource(record("1", tiny(1))), to)
    described = (to / "catalog.json").read_bytes()
    with pytest.raises(SourceError, match="line 3"):
        ingest(Broken(record("2", tiny(2))), to)
    assert (to / "catalog.json").read_bytes() == described


def test_no_rows_is_an_error_and_rows_that_are_all_bad_are_kept_to_look_at(to: Path):
    with pytest.raises(SourceError, match=r"no rows: given.csv holds no product; nothing was written"):
        ingest(GivenSource(), to)
    assert not to.exists()
    summary = ingest(GivenSource(BAD), to)
    assert (summary.rows, summary.quarantined_rows, summary.products) == (1, 1, 0)
    assert len(list(quarantined(to))) == 1


def test_a_disk_without_room_is_told_before_anything_is_written(to: Path, tmp_path: Path):
    huge = PhotoSource("huge", FilePart(tmp_path / "huge.bson", 0, 10**15))
    source = GivenSource(record("1"), record("2"))
    source._rows = (*source._rows, record("3").__class__(product_id="3", photos=(huge,)))
    with pytest.raises(DiskFullError, match=r"disk full: .* needs about 1,200,000,000,000,000 bytes, [\d,]+ are free"):
        ingest(source, to)
    assert not to.exists()


def test_a_second_import_at_the_same_time_is_told_who_is_first(to: Path):
    from shelfwise.catalog import changing

    with changing(to, "ingest table big.csv"), pytest.raises(CatalogBusyError) as told:
        ingest(GivenSource(record("1")), to)
    assert "is being changed by ingest table big.csv (process " in str(told.value)


def test_a_path_that_leads_out_is_never_opened_not_even_to_try_again(to: Path, tmp_path: Path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    outside = ImageError("path_outside", f"{fifo} leads to a place outside")
    source = GivenSource(ProductRecord(product_id="1", photos=(PhotoSource(str(fifo), outside),)), record("2", tiny(2)))
    ingest(source, to)  # opening the FIFO would wait for ever
    assert retry(to).still == {"path_outside": 1}
    with pytest.raises(CatalogError, match=r"the photo 1#0 was never read"):
        Catalog(to).image_bytes([0])
