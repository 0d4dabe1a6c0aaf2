from __future__ import annotations

import csv
import shutil
import time
from pathlib import Path

import pytest
from drawn_decisions import SHELVES, categories, everything, made, statuses

from shelfwise.catalog import Catalog
from shelfwise.corrections import correct
from shelfwise.corrections.apply import apply_plan
from shelfwise.corrections.plan import COLUMNS, Proposal, refuse_place, write_plan
from shelfwise.corrections.shelf_names import ShelfNames
from shelfwise.errors import CatalogError, OptionError, SourceError
from shelfwise.taxonomy import Node, Taxonomy


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("plans") / "shop.catalog")


@pytest.fixture
def shop(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "shop.catalog")


def proposals() -> list[Proposal]:
    common = {"kind": "wrong_shelf", "action": "move", "score": 3.25, "reason": "=looks like a pear"}
    return [
        Proposal(product_id="000", category=SHELVES[0], to=SHELVES[1], apply="yes", title="A, b", **common),
        Proposal(product_id="001", category=SHELVES[1], to=SHELVES[2], apply="no", **common),
        Proposal(product_id="002", category=SHELVES[2], to=SHELVES[0], **common),
        Proposal(product_id="003", image_id="003#1", action="set_aside", kind="blank", apply="yes", reason="white"),
    ]


def edited(path: Path, *changes: dict[str, str], **more: str) -> Path:
    """Change cells of a plan as a person does: one dictionary a line."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, change in zip(rows, changes, strict=False):
        row |= change
    with path.open("w", newline="", encoding=more.get("encoding", "utf-8")) as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=more.get("delimiter", ","))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_plan_says_ids_and_names_and_keeps_ids_from_spreadsheets(shop: Path, tmp_path: Path):
    plan = tmp_path / "plan.csv"
    assert write_plan(plan, proposals(), Catalog(shop)) == 4
    lines = plan.read_text().splitlines()
    assert lines[1] == (
        f"""yes,move,wrong_shelf,'000,,"A, b",food > apple,food/apple,food/pear,food > pear,3.25,'=looks like a pear,{shop}"""
    )
    assert lines[4].startswith("yes,set_aside,blank,'003,003#1,,,,,,,white,")


def test_yes_is_done_no_confirms_the_shelf_and_undecided_lines_are_counted(shop: Path, tmp_path: Path):
    write_plan(tmp_path / "plan.csv", proposals(), Catalog(shop))
    before = everything(shop)
    dry = apply_plan(tmp_path / "plan.csv", dry_run=True)
    assert everything(shop) == before
    done = apply_plan(tmp_path / "plan.csv", who="ann")
    assert dry.applied == done.applied == {"move": 1, "confirm": 1, "set_aside": 1}
    assert (done.rows, done.skipped, done.refused, done.version) == (4, 1, [], 2)
    assert categories(shop)["000"] == SHELVES[1]
    assert statuses(shop)["003#1"] == ("set_aside", "blank", "white")
    log = Catalog(shop).corrections().to_pylist()
    assert {(row["who"], row["origin"]) for row in log} == {("ann", "apply plan.csv")}
    again = apply_plan(tmp_path / "plan.csv")
    assert (again.applied, again.version) == ({}, 2)
    assert [where for where, _ in again.refused] == ["line 2", "line 3", "line 5"]


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "utf-8-sig"), (";", "utf-8")]
)
def test_a_plan_that_a_spreadsheet_saved_its_own_way_is_read(shop: Path, tmp_path: Path, delimiter: str, encoding: str):
    write_plan(tmp_path / "plan.csv", proposals(), Catalog(shop))
    edited(tmp_path / "plan.csv", delimiter=delimiter, encoding=encoding)
    assert apply_plan(tmp_path / "plan.csv", dry_run=True).applied == {"move": 1, "confirm": 1, "set_aside": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"apply": "perhaps"}, "column apply: 'perhaps' is neither yes nor no"),
        ({"action": "delete"}, "column action: 'delete' is none of move, set_aside, restore, confirm"),
        ({"product_id": ""}, "column product_id is empty"),
        ({"product_id": "0"}, "no product '0'; it has '000': a spreadsheet may have changed the cell"),
        ({"to": "food/plum"}, "column to: the catalog has no shelf 'food/plum'"),
        ({"to": "hammr", "to_shelf": ""}, "no shelf 'hammr'; tools > hammer may be meant"),
        ({"to": "", "to_shelf": ""}, "columns to and to_shelf are empty"),
        ({"to_shelf": "tools > hammer"}, "column to says 'food/pear', column to_shelf 'tools > hammer'"),
        ({"category": SHELVES[2]}, "it stands on food > apple by now, not on tools > hammer"),
    ],
)
def test_a_line_that_cannot_be_carried_out_is_listed_with_its_reason(shop: Path, tmp_path: Path, change, said: str):
    write_plan(tmp_path / "plan.csv", proposals(), Catalog(shop))
    done = apply_plan(edited(tmp_path / "plan.csv", change))
    assert [where for where, _ in done.refused] == ["line 2"]
    assert said in done.refused[0][1]
    assert (done.rows, sum(done.applied.values()) + done.skipped + len(done.refused)) == (4, 4)
    assert categories(shop)["000"] == SHELVES[0]


@pytest.mark.parametrize("typed", ["Tools > Hammer", "tools>hammer", " HAMMER ", "tools/hammer"])
def test_a_shelf_may_be_typed_as_people_name_it(shop: Path, tmp_path: Path, typed: str):
    write_plan(tmp_path / "plan.csv", proposals(), Catalog(shop))
    apply_plan(edited(tmp_path / "plan.csv", {"to": typed, "to_shelf": ""}))
    assert categories(shop)["000"] == SHELVES[2]


def test_lines_that_contradict_one_another_are_all_refused_and_repeated_ones_done_once(shop: Path, tmp_path: Path):
    first, second, _, photo = proposals()
    other = Proposal(
        action="move", kind="wrong_shelf", product_id="000", category=SHELVES[0], to=SHELVES[2], apply="yes"
    )
    write_plan(tmp_path / "plan.csv", [first, other, second, photo, photo], Catalog(shop))
    done = apply_plan(tmp_path / "plan.csv")
    assert done.applied == {"confirm": 1, "set_aside": 1}
    assert done.refused == [
        ("line 2", "contradicts line 3: keep one of them"),
        ("line 3", "contradicts line 2: keep one of them"),
        ("line 6", "says the same as line 5"),
    ]


def test_what_is_no_plan_is_refused_with_line_or_column(shop: Path, tmp_path: Path):
    plan = tmp_path / "plan.csv"
    with pytest.raises(OptionError, match=r"the name of a plan ends in \.csv"):
        write_plan(tmp_path / "plan.txt", proposals(), Catalog(shop))
    plan.write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match=r"found columns \['a', 'b'\], need \['apply', 'action'"):
        apply_plan(plan)
    write_plan(plan, proposals(), Catalog(shop))
    with pytest.raises(
        SourceError, match=r"line 3, column catalog: '/else\.catalog', before .* say which with --catalog"
    ):
        apply_plan(edited(plan, {}, {"catalog": "/else.catalog"}))
    assert apply_plan(plan, shop, dry_run=True).applied["move"] == 1
    with pytest.raises(CatalogError, match="if it has moved, say where it is with --catalog"):
        apply_plan(edited(plan, *[{"catalog": "/else.catalog"}] * 4))
    with pytest.raises(SourceError, match="the column catalog names none: say which with --catalog"):
        apply_plan(edited(plan, *[{"catalog": ""}] * 4))


def test_every_id_comes_back_as_it_was(tmp_path: Path):
    from drawn_shop import tiny
    from drawn_source import GivenSource, record
    from shelfwise.corrections.plan import read_plan
    from shelfwise.ingest import ingest

    names = [
        "0012",
        "1e5",
        "3-4",
        "'q",
        "''",
        "=1",
        "MARCH1",
        "12",
        "true",
        " a ",
        "1,5",
        "ü;ß",
        '"',
        "2026-01-02",
        "+1",
    ]
    shop = tmp_path / "odd.catalog"
    ingest(GivenSource(*(record(name, tiny(place)) for place, name in enumerate(names))), shop)
    rows = [Proposal(action="set_aside", kind="blank", product_id=name, apply="yes") for name in names]
    write_plan(tmp_path / "plan.csv", rows, Catalog(shop))
    assert [row.cells["product_id"] for row in read_plan(tmp_path / "plan.csv")] == names
    with (tmp_path / "plan.csv").open(newline="") as file:
        cells = [row["product_id"] for row in csv.DictReader(file)]
    assert [cell for cell in cells if not cell.startswith("'")] == ["12", " a ", "ü;ß", '"']
    assert apply_plan(tmp_path / "plan.csv").applied == {"set_aside": len(names)}


def test_fifteen_thousand_photos_are_set_aside_in_seconds(tmp_path: Path):
    import time

    from shelfwise.catalog import changing
    from shelfwise.corrections import Correction

    catalog, n = tmp_path / "large.catalog", 15_000
    with changing(catalog, "make") as change:
        change.append_products([{"product_id": f"p{i}"} for i in range(n)])
        change.append_images(
            [
                {"image_id": f"p{i}#0", "product_id": f"p{i}", "position": 0, "status": "ok", "bytes": b"x"}
                for i in range(n)
            ]
        )
    started = time.monotonic()
    done = correct(catalog, [Correction(action="set_aside", product_id=f"p{i}") for i in range(n)], origin="test")
    assert done.applied == n
    assert time.monotonic() - started < 10


def test_a_line_whose_shelf_is_gone_is_refused_and_the_others_are_carried_out(shop: Path, tmp_path: Path):
    write_plan(tmp_path / "plan.csv", proposals(), Catalog(shop))
    done = apply_plan(edited(tmp_path / "plan.csv", {"category": "food/plum"}))
    assert done.refused == [("line 2", "it stands on food > apple by now, not on 'food/plum'")]
    assert done.applied == {"confirm": 1, "set_aside": 1}


def test_a_shelf_that_is_called_like_another_ones_id_is_not_taken_for_it():
    names = ShelfNames(Taxonomy([Node("1", "2", None), Node("2", "1", None)]))
    assert names.target("1", "2") == "1"


def test_blanks_within_a_name_are_as_good_as_one_and_long_nonsense_is_answered_shortly_and_soon():
    names = ShelfNames(Taxonomy([Node("t", "Tools", None), Node("h", "Claw hammer", "t")]))
    assert names.find("TOOLS  >\u00a0claw   hammer ", "to_shelf") == "h"
    start = time.perf_counter()
    for nonsense in (" " * 100_000 + "x", "x" * 100_000, ">" * 100_000, *map(str, range(20_000))):
        with pytest.raises(SourceError) as refused:
            names.find(nonsense, "to_shelf")
        assert len(str(refused.value)) < 300
    assert time.perf_counter() - start < 5


def test_a_plan_that_exists_is_not_replaced_and_nothing_is_written_into_a_catalog(shop: Path, tmp_path: Path):
    plan = tmp_path / "plan.csv"
    plan.write_text("somebody's answers")
    with pytest.raises(OptionError, match=r"--fix .* exists: choose another name"):
        refuse_place("--fix", plan, shop)
    with pytest.raises(OptionError, match="lies in the catalog"):
        refuse_place("--fix", shop / "plan.csv", shop)
    with pytest.raises(OptionError, match="there is no folder"):
        refuse_place("--fix", tmp_path / "new" / "plan.csv", shop)
    refuse_place("--fix", tmp_path / "new" / "plan.csv", shop, new_folder=tmp_path / "new")
    assert plan.read_text() == "somebody's answers"
