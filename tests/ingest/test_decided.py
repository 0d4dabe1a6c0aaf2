"""What people decided survives the next import."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawn_shop import tiny
from drawn_source import GivenSource, record
from shelfwise.catalog import Catalog
from shelfwise.corrections import Correction, correct, take_back
from shelfwise.ingest import ingest


def shop(category: str = "a", title: str = "", *pictures: int) -> GivenSource:
    photos = [tiny(number) for number in pictures or (0, 1)]
    return GivenSource(
        record("p", *photos, category=category, title=title),
        record("q", tiny(7), category="b"),
        record("r", category="c"),
    )


def shelf(catalog: Path) -> str:
    rows = Catalog(catalog).products(["product_id", "category"]).to_pylist()
    return str({row["product_id"]: row["category"] for row in rows}["p"])


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """A catalog in which a person moved p from a to b, and set its second photo aside."""
    catalog = tmp_path / "x.catalog"
    ingest(shop(), catalog)
    correct(
        catalog,
        [
            Correction(action="move", product_id="p", category="b", was="a"),
            Correction(action="set_aside", product_id="p", image_id="p#1", reason="blank", detail="white"),
        ],
        origin="test",
    )
    return catalog


def statuses(catalog: Path) -> dict[str, str]:
    rows = Catalog(catalog).images(["image_id", "status", "reason", "detail"]).to_pylist()
    return {row["image_id"]: "/".join(filter(None, (row["status"], row["reason"], row["detail"]))) for row in rows}


def test_an_unchanged_product_is_left_as_it_was_corrected(moved: Path):
    done = ingest(shop(), moved)
    assert (done.unchanged, done.updated, done.kept_moves, done.overruled_moves) == (3, 0, 0, 0)
    assert shelf(moved) == "b"


def test_a_changed_product_stays_where_it_was_moved_while_its_source_says_what_it_said_then(moved: Path):
    done = ingest(shop(title="new title"), moved)
    assert (done.updated, done.kept_moves, done.overruled_moves) == (1, 1, 0)
    assert shelf(moved) == "b"
    assert done.set_aside == 1
    assert statuses(moved)["p#1"] == "set_aside/blank/white"
    done = ingest(shop(title="newer title"), moved)
    assert (shelf(moved), done.kept_moves) == ("b", 1), "and so the next time"


def test_a_source_that_changes_its_mind_about_the_shelf_wins_and_is_counted(moved: Path):
    done = ingest(shop("c"), moved)
    assert (done.kept_moves, done.overruled_moves, shelf(moved)) == (0, 1, "c")
    done = ingest(shop("a"), moved)
    assert (done.kept_moves, done.overruled_moves, shelf(moved)) == (0, 0, "a"), "the move was from another state"


def test_a_source_that_comes_to_agree_is_neither_kept_nor_overruled(moved: Path):
    done = ingest(shop("b"), moved)
    assert (done.updated, done.kept_moves, done.overruled_moves, shelf(moved)) == (1, 0, 0, "b")


def test_a_move_that_was_taken_back_leaves_nothing_behind(moved: Path):
    take_back(moved, [1])
    ingest(shop(title="new title"), moved)
    assert shelf(moved) == "a"


def test_several_moves_count_from_what_the_source_said(moved: Path):
    correct(moved, [Correction(action="move", product_id="p", category="c", was="b")], origin="test")
    ingest(shop(title="new title"), moved)
    assert shelf(moved) == "c"


def test_a_picture_stays_set_aside_wherever_it_stands_and_another_in_its_place_does_not(moved: Path):
    ingest(shop("a", "turned", 1, 0), moved)
    assert statuses(moved) == {"p#0": "set_aside/blank/white", "p#1": "ok", "q#0": "ok"}
    ingest(shop("a", "others", 2, 3), moved)
    assert statuses(moved) == {"p#0": "ok", "p#1": "ok", "q#0": "ok"}


def test_another_product_with_the_same_picture_is_not_set_aside(moved: Path):
    source = GivenSource(record("s", tiny(1), category="b"), path=Path("other.csv"))
    ingest(source, moved)
    assert statuses(moved)["s#0"] == "ok"


def test_folders_are_read_again_with_corrections_kept(tmp_path: Path):
    from drawn_shop import lay_out, write
    from shelfwise.ingest import FolderSource

    photos = lay_out(tmp_path / "photos", "a/1.jpg", "a/2.jpg", "b/3.jpg")
    catalog = tmp_path / "x.catalog"
    ingest(FolderSource(photos), catalog)
    correct(catalog, [Correction(action="move", product_id="a/1.jpg", category="b", was="a")], origin="test")
    write(photos / "a" / "1.jpg", tiny(99))
    done = ingest(FolderSource(photos), catalog)
    assert (done.updated, done.kept_moves) == (1, 1)
    rows = Catalog(catalog).products(["product_id", "category"]).to_pylist()
    assert {row["product_id"]: row["category"] for row in rows}["a/1.jpg"] == "b"
