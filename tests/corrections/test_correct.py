from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import lance
import pytest
from drawn_decisions import SHELVES, aside, categories, everything, made, move, statuses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drawn_shop import run_python
from shelfwise.catalog import Catalog, changing, undo
from shelfwise.catalog.history import stored_versions
from shelfwise.corrections import Correction, correct, take_back
from shelfwise.errors import CatalogBusyError, CatalogError
from shelfwise.verify import verify


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return made(tmp_path / "shop.catalog")


@pytest.fixture(scope="module")
def shop_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("corrections") / "shop.catalog")


def test_a_list_of_corrections_is_one_version_and_a_line_each_in_the_log(shop: Path):
    before = Catalog(shop).description.snapshot.version
    done = correct(
        shop, [move("000", SHELVES[1]), aside("001"), Correction(action="confirm", product_id="002", was=SHELVES[2])],
        who="ann", origin="test",
    )  # fmt: skip
    assert (done.applied, done.refused, done.version) == (3, [], before + 1)
    assert categories(shop)["000"] == SHELVES[1]
    assert statuses(shop)["001#0"] == statuses(shop)["001#1"] == ("set_aside", "exact_repeat", "seen before")
    log = Catalog(shop).corrections().to_pylist()
    assert [row["number"] for row in log] == done.numbers == [1, 2, 3, 4]
    assert [(row["action"], row["product_id"], row["image_id"], row["before"], row["after"]) for row in log] == [
        ("move", "000", None, SHELVES[0], SHELVES[1]),
        ("set_aside", "001", "001#0", "ok", "set_aside"),
        ("set_aside", "001", "001#1", "ok", "set_aside"),
        ("confirm", "002", None, SHELVES[2], SHELVES[2]),
    ]
    assert {(row["who"], row["origin"], row["undoes"]) for row in log} == {("ann", "test", None)}


def test_nothing_but_the_corrected_cells_changes_and_every_row_stays_in_its_place(shop: Path):
    products, images = everything(shop)
    correct(shop, [move("003", SHELVES[2]), aside("004", "004#1")], origin="test")
    products[3]["category"] = SHELVES[2]
    images[9] |= {"status": "set_aside", "reason": "exact_repeat", "detail": "seen before"}
    assert everything(shop) == [products, images]
    assert verify(shop).findings == []


def test_pictures_are_not_written_again(shop: Path):
    with changing(shop, "big") as change:
        big = {"image_id": "big", "product_id": "000", "position": 9, "status": "ok", "bytes": os.urandom(10**6)}
        change.append_images([big])
    size = sum(file.stat().st_size for file in (shop / "images.lance" / "data").iterdir())
    correct(shop, [aside("000", "big")], origin="test")
    assert sum(file.stat().st_size for file in (shop / "images.lance" / "data").iterdir()) < size + 10**5


@pytest.mark.parametrize(
    ("correction", "said"),
    [
        (move("009", SHELVES[0], "x"), "the catalog has no product '009'"),
        (move("000", "food/plum"), "the taxonomy holds no category 'food/plum'"),
        (move("000", SHELVES[0]), "it stands on food > apple already"),
        (move("000", SHELVES[1], SHELVES[2]), "it stands on food > apple by now, not on tools > hammer"),
        (Correction(action="move", product_id="000", was=SHELVES[0]), "no category to move to"),
        (Correction(action="confirm", product_id="000", was=SHELVES[1]), "it stands on food > apple by now, not on"),
        (aside("000", "001#0"), "it has no photo '001#0'"),
        (Correction(action="restore", product_id="000", image_id="000#0"), "the photo '000#0' is ok, not set aside"),
        (Correction(action="restore", product_id="000"), "none of its photos is set aside"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason_and_the_rest_is_done(shop: Path, correction, said: str):
    done = correct(shop, [correction, move("001", SHELVES[2])], origin="test")
    assert done.applied == 1
    assert [one for one, _ in done.refused] == [correction]
    assert said in done.refused[0][1]
    assert categories(shop)["001"] == SHELVES[2]


def test_a_list_of_which_nothing_fits_writes_nothing(shop: Path):
    before = (shop / "catalog.json").read_bytes()
    assert correct(shop, [move("009", SHELVES[0], "x")], origin="test").numbers == []
    assert (shop / "catalog.json").read_bytes() == before


def test_a_photo_is_set_aside_once_and_restored_with_the_others(shop: Path):
    again = correct(shop, [aside("000", "000#0"), aside("000", "000#0"), aside("000")], origin="test")
    assert (again.applied, [why for _, why in again.refused]) == (2, ["the photo '000#0' is set aside, not ok"])
    assert correct(shop, [aside("000")], origin="test").refused[0][1] == "it has no usable photo"
    correct(shop, [Correction(action="restore", product_id="000")], origin="test")
    assert statuses(shop)["000#0"] == statuses(shop)["000#1"] == ("ok", None, None)


def test_later_corrections_of_a_list_build_on_earlier_ones(shop: Path):
    done = correct(shop, [move("000", SHELVES[1]), move("000", SHELVES[2], SHELVES[1])], origin="test")
    assert (done.applied, categories(shop)["000"]) == (2, SHELVES[2])


def test_what_was_taken_back_is_a_line_of_its_own_and_nothing_else_comes_back(shop: Path):
    before = everything(shop)
    first = correct(shop, [move("000", SHELVES[1]), aside("001", "001#0")], origin="test")
    second = correct(shop, [Correction(action="restore", product_id="001", image_id="001#0")], origin="test")
    assert take_back(shop, second.numbers, who="bob").applied == 1
    assert statuses(shop)["001#0"] == ("set_aside", "exact_repeat", "seen before"), "with the reason that it had"
    assert take_back(shop, first.numbers, who="bob").applied == 2
    assert everything(shop) == before
    assert [(row["who"], row["undoes"]) for row in Catalog(shop).corrections().to_pylist()][3:] == [
        ("bob", 3), ("bob", 2), ("bob", 1),
    ]  # fmt: skip


def test_only_the_newest_correction_of_a_shelf_or_photo_can_be_taken_back(shop: Path):
    correct(shop, [move("000", SHELVES[1])], origin="test")
    correct(shop, [move("000", SHELVES[2], SHELVES[1]), aside("000")], origin="test")
    said = [why for _, why in take_back(shop, [1]).refused]
    assert said == ["correction 1: correction 2 came after it: take that back first"]
    assert take_back(shop, [1, 2]).applied == 2, "photos are another matter"
    assert categories(shop)["000"] == SHELVES[0]
    assert [why for _, why in take_back(shop, [1, 77]).refused] == [
        "the log has no correction 77", "correction 1: it was taken back before",
    ]  # fmt: skip
    assert "make the correction again instead" in take_back(shop, [5]).refused[0][1]


def test_a_shelf_that_another_import_changed_is_not_taken_back(shop: Path):
    correct(shop, [move("000", SHELVES[1])], origin="test")
    with changing(shop, "import") as change:
        products = change.catalog.products().to_pylist()
        change.delete_products(["000"])
        change.append_products([products[0] | {"category": SHELVES[2]}])
    assert "it stands on tools > hammer by now" in take_back(shop, [1]).refused[0][1]


_ONE = st.one_of(
    st.tuples(st.just("move"), st.integers(0, 5), st.integers(0, 2)),
    st.tuples(st.sampled_from(["set_aside", "restore"]), st.integers(0, 5), st.sampled_from([None, 0, 1])),
    st.tuples(st.just("confirm"), st.integers(0, 5), st.none()),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(_ONE, min_size=1, max_size=6), max_size=4))
def test_corrections_taken_back_in_reverse_order_leave_the_catalog_as_it_was(shop_once: Path, lists):
    before, numbers = everything(shop_once), []
    for some in lists:
        now = categories(shop_once)
        wanted = []
        for action, product, what in some:
            product_id = f"00{product}"
            image = f"{product_id}#{what}" if action in ("set_aside", "restore") and what is not None else None
            to = SHELVES[what] if action == "move" else None
            wanted.append(
                Correction(
                    action=action,
                    product_id=product_id,
                    image_id=image,
                    category=to,
                    was=now[product_id],
                    reason="r",
                    detail=action,
                )
            )
        numbers += correct(shop_once, wanted, origin="test").numbers
    done = take_back(shop_once, numbers)
    assert (done.applied, done.refused) == (len(numbers), [])
    assert everything(shop_once) == before


def test_a_sitting_is_one_step_of_undo_though_each_of_its_clicks_is_a_version(shop: Path):
    before = everything(shop)
    correct(shop, [aside("005")], origin="plan")
    planned = everything(shop)
    for number in range(30):
        to, was = (SHELVES[1], SHELVES[0]) if number % 2 == 0 else (SHELVES[0], SHELVES[1])
        done = correct(shop, [move("000", to, was)], who="ann", origin="review", sitting="s1")
    assert done.version == 32
    with changing(shop, "add") as change:
        change.append_products([{"product_id": "new"}])
    undo(shop)
    assert len(Catalog(shop).corrections()) == 32
    left, target = undo(shop)
    assert (left.what, target.version) == ("review by ann", 2)
    assert everything(shop) == planned
    undo(shop)
    assert everything(shop) == before
    assert verify(shop).findings == []


def test_clicks_do_not_push_older_steps_out_of_the_history_and_readers_keep_their_version_for_ten_of_them(shop: Path):
    correct(shop, [aside("005")], origin="plan")
    correct(shop, [move("000", SHELVES[1])], origin="review", sitting="s1")
    reader = Catalog(shop)
    for number in range(9):
        to, was = (SHELVES[0], SHELVES[1]) if number % 2 == 0 else (SHELVES[1], SHELVES[0])
        correct(shop, [move("000", to, was)], origin="review", sitting="s1")
    assert reader.products(["category"]).column("category")[0].as_py() == SHELVES[1]
    for number in range(9, 30):
        to, was = (SHELVES[0], SHELVES[1]) if number % 2 == 0 else (SHELVES[1], SHELVES[0])
        correct(shop, [move("000", to, was)], origin="review", sitting="s1")
    assert stored_versions(shop) == [1, 2, *range(23, 33)]


@pytest.mark.slow
def test_two_hundred_clicks_leave_few_fragments_and_a_sound_catalog(shop: Path):
    for number in range(200):
        to, was = (SHELVES[1], SHELVES[0]) if number % 2 == 0 else (SHELVES[0], SHELVES[1])
        correct(shop, [move("000", to, was)], origin="review", sitting="s1")
    assert len(lance.dataset(str(shop / "corrections.lance")).get_fragments()) <= 64
    assert [row["number"] for row in Catalog(shop).corrections().to_pylist()] == list(range(1, 201))
    assert len(json.loads((shop / "checksums" / "corrections.json").read_text())["files"]) < 200
    assert verify(shop).findings == []
    assert take_back(shop, [200]).applied == 1


def forget_corrections(catalog: Path) -> None:
    """Make a catalog what it was before there were corrections."""
    from shelfwise.files import read_sealed_json, write_sealed_json

    shutil.rmtree(catalog / "corrections.lance")
    (catalog / "checksums" / "corrections.json").unlink()
    stored = read_sealed_json(catalog / "catalog.json")
    del stored["snapshot"]["tables"]["corrections"], stored["snapshot"]["sitting"]
    write_sealed_json(catalog / "catalog.json", stored)


def test_a_catalog_of_before_there_were_corrections_is_read_corrected_and_undone(shop: Path):
    forget_corrections(shop)
    before = everything(shop)
    assert len(Catalog(shop).corrections()) == 0
    assert correct(shop, [move("000", SHELVES[1])], origin="test").numbers == [1]
    undo(shop)
    assert everything(shop) == before
    assert correct(shop, [move("000", SHELVES[1])], origin="test").numbers == [1]
    assert verify(shop).findings == []


KILLED = """
import os, signal, sys
import shelfwise.catalog.tables as tables
from shelfwise.corrections import Correction, correct
plain, left = tables.TableWriter._commit, [int(sys.argv[2])]
def commit(self):
    plain(self)
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
tables.TableWriter._commit = commit
correct(sys.argv[1], [Correction(action="move", product_id="000", category="food/pear", was="food/apple"),
                      Correction(action="set_aside", product_id="001")], origin="test")
"""


@pytest.mark.parametrize("commits", [1, 2, 3])
def test_killed_between_its_tables_a_correction_is_not_there_and_typed_again_it_is(shop: Path, commits: int):
    before = everything(shop)
    assert run_python(KILLED, shop, commits).returncode == -signal.SIGKILL
    assert everything(shop) == before
    assert len(Catalog(shop).corrections()) == 0
    assert verify(shop).findings == []
    done = correct(shop, [move("000", SHELVES[1]), aside("001")], origin="test")
    assert (done.applied, done.numbers) == (2, [1, 2, 3])
    assert verify(shop).findings == []


def test_a_busy_catalog_is_told_and_nothing_is_lost(shop: Path):
    with changing(shop, "ingest"), pytest.raises(CatalogBusyError):
        correct(shop, [move("000", SHELVES[1])], origin="test", wait_s=0.05)
    assert correct(shop, [move("000", SHELVES[1])], origin="test").applied == 1


def test_what_is_no_catalog_is_refused(tmp_path: Path):
    with pytest.raises(CatalogError, match="is not a catalog"):
        correct(tmp_path / "x.catalog", [move("000", SHELVES[1])], origin="test")
    assert not (tmp_path / "x.catalog").exists()
