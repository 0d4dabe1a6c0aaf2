"""The whole audit, on a drawn shop with faults of every kind, and what comes of its plan."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from drawn_faults import opened, saved

from commands_here import refused, run
from drawn_shop import photo, shelf, write
from shelfwise.audit import AuditSummary, audit
from shelfwise.catalog import Catalog
from shelfwise.embed import embed
from shelfwise.images.draw import KINDS, draw_placeholder, encode_jpeg
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import AuditOptions, EmbedOptions

SMALL = EmbedOptions(backbone="lite0@96", precision="fp32")
MOVED, ITS_SHELF = "train/{}/moved.jpg", KINDS[3]


@pytest.fixture(scope="module")
def shop(drawn_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with a repeat, a copy saved again, one across splits, placeholders, and a product on a far shelf."""
    photos = tmp_path_factory.mktemp("audited") / "photos"
    shutil.copytree(drawn_folder, photos)
    first, second = shelf(KINDS[0]), shelf(KINDS[1])
    write(photos / f"train/{first}/again.jpg", photo(KINDS[0], 1))
    write(photos / f"train/{second}/saved-again.jpg", saved(opened(photo(KINDS[1], 2)), 70))
    write(photos / f"test/{second}/leaked.jpg", photo(KINDS[1], 3))
    for kind in KINDS[::2]:
        write(photos / f"train/{shelf(kind)}/none.jpg", encode_jpeg(draw_placeholder(128)))
    write(photos / MOVED.format(shelf(KINDS[9])), photo(ITS_SHELF, 500))
    catalog = photos.with_name("shop.catalog")
    ingest(FolderSource(photos), catalog)
    embed(catalog, SMALL)
    return catalog


@pytest.fixture(scope="module")
def audited(shop: Path) -> AuditSummary:
    return audit(shop, shop.with_name("audit"), fix=shop.with_name("plan.csv"))


def found(audited: AuditSummary, kind: str) -> set[str]:
    return set(Catalog(audited.catalog).product_ids(audited.found[kind].product))


def plan_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_planted_fault_is_found_and_named(audited: AuditSummary):
    first, second = shelf(KINDS[0]), shelf(KINDS[1])
    again = {f"train/{first}/again.jpg", f"train/{first}/{KINDS[0]}-001.jpg"}
    leak = {f"test/{second}/leaked.jpg", f"train/{second}/{KINDS[1]}-003.jpg"}
    assert found(audited, "exact_repeat") == again | leak
    assert {f"train/{second}/saved-again.jpg", f"train/{second}/{KINDS[1]}-002.jpg"} <= found(audited, "near_repeat")
    assert found(audited, "placeholder") == {f"train/{shelf(kind)}/none.jpg" for kind in KINDS[::2]}
    assert found(audited, "across_splits") == leak
    assert MOVED.format(shelf(KINDS[9])) in found(audited, "wrong_shelf")
    assert audited.leaks is not None
    assert (audited.leaks.learned, audited.leaks.judged, audited.leaks.leaked) == ("train", "test", 1)


def test_the_table_holds_every_finding_and_the_summary_counts_them(audited: AuditSummary):
    with Path(audited.table).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(part) for part in audited.found.values())
    for kind, counts in audited.findings.items():
        of_kind = [row for row in rows if row["kind"] == kind]
        assert counts["products"] == len({row["product_id"] for row in of_kind})
        assert counts["photos"] == len({row["image_id"] for row in of_kind} - {""})
        assert counts["sets"] == len({row["set"] for row in of_kind})
    (moved,) = (
        row for row in rows if row["product_id"] == MOVED.format(shelf(KINDS[9])) and row["kind"] == "wrong_shelf"
    )
    assert moved["suggested"] == shelf(ITS_SHELF)
    assert moved["shelf_path"] == shelf(KINDS[9]).replace("/", " > ")
    assert json.loads((Path(audited.report).parent / "audit.json").read_text()) == audited.to_dict()


def test_the_plan_is_sure_of_repeats_and_placeholders_and_leaves_moves_to_a_person(audited: AuditSummary):
    rows = plan_of(Path(str(audited.plan)))
    assert len(rows) == audited.proposed
    by_product = {row["product_id"]: row for row in rows}
    for kind in KINDS[::2]:
        row = by_product[f"train/{shelf(kind)}/none.jpg"]
        assert (row["apply"], row["action"], row["kind"]) == ("yes", "set_aside", "placeholder")
    first = shelf(KINDS[0])
    repeats = [by_product.get(f"train/{first}/{name}.jpg") for name in ("again", f"{KINDS[0]}-001")]
    (repeat,) = (row for row in repeats if row)
    assert (repeat["apply"], repeat["action"]) == ("yes", "set_aside")
    assert f"test/{shelf(KINDS[1])}/leaked.jpg" not in by_product
    moved = by_product[MOVED.format(shelf(KINDS[9]))]
    assert (moved["apply"], moved["action"], moved["to"]) == ("", "move", shelf(ITS_SHELF))


def test_what_a_plan_puts_right_is_not_found_again(shop: Path, audited: AuditSummary, tmp_path: Path, capsys):
    catalog, plan = tmp_path / "shop.catalog", tmp_path / "plan.csv"
    shutil.copytree(shop, catalog)
    rows = plan_of(Path(str(audited.plan)))
    moved = MOVED.format(shelf(KINDS[9]))
    for row in rows:
        if row["product_id"] == moved:
            row["apply"] = "yes"
    with plan.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    code, out, _ = run(capsys, "apply", plan, "--catalog", catalog, "--who", "Ann", "--json")
    done = json.loads(out)
    yes = [row["action"] for row in rows if row["apply"] == "yes"]
    assert (code, done["refused"]) == (0, [])
    assert done["applied"] == {"set_aside": yes.count("set_aside"), "move": 1}
    again = audit(catalog, tmp_path / "audit")
    for kind in ("near_repeat", "placeholder", "listed_twice"):
        assert again.findings[kind]["photos"] == again.findings[kind]["products"] == 0
    assert moved not in found(again, "wrong_shelf")
    assert again.photos == audited.photos - yes.count("set_aside")
    log = Catalog(catalog).corrections().to_pylist()
    assert {row["who"] for row in log} == {"Ann"}
    assert len(log) == len(yes)


def test_without_vectors_the_audit_says_what_it_did_not_look_for(drawn_catalog: Path, tmp_path: Path, capsys):
    catalog = tmp_path / "bare.catalog"
    shutil.copytree(drawn_catalog, catalog)
    code, out, _ = run(capsys, "audit", catalog, "--to", tmp_path / "audit")
    assert code == 0
    assert "wrong shelves were not looked for" in out
    assert f"next    shelfwise embed {catalog}" in out
    assert "wrong_shelf" not in json.loads((tmp_path / "audit" / "audit.json").read_text())["findings"]


def test_what_cannot_be_written_is_told_before_the_work(drawn_catalog: Path, tmp_path: Path, capsys):
    before = Catalog(drawn_catalog).versions
    file = write(tmp_path / "file", b"")
    assert "is a file" in refused(capsys, "audit", drawn_catalog, "--to", file)
    assert "ends in .csv" in refused(
        capsys, "audit", drawn_catalog, "--to", tmp_path / "a", "--fix", tmp_path / "plan.xls"
    )
    assert "no folder" in refused(
        capsys, "audit", drawn_catalog, "--to", tmp_path / "a", "--fix", tmp_path / "x" / "plan.csv"
    )
    assert "--radius 16" in refused(capsys, "audit", drawn_catalog, "--to", tmp_path / "a", "--radius", 16)
    assert "is not a catalog" in refused(capsys, "audit", tmp_path, "--to", tmp_path / "a")
    assert Catalog(drawn_catalog).versions == before
    assert not (tmp_path / "a").exists()


def test_an_audit_of_nothing_finds_nothing(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    ingest(FolderSource(write(tmp_path / "one" / "only.jpg", photo(KINDS[0])).parent), tmp_path / "one.catalog")
    summary = audit(tmp_path / "one.catalog", tmp_path / "audit", AuditOptions(radius=0))
    assert (summary.products, summary.photos) == (1, 1)
    assert all(counts["products"] == 0 for counts in summary.findings.values())


def test_a_report_is_written_beside_a_catalog_and_never_into_it(drawn_catalog: Path, tmp_path: Path, capsys):
    before = sorted(drawn_catalog.iterdir())
    for inside in (drawn_catalog, drawn_catalog / "audit"):
        assert "lies in the catalog" in refused(capsys, "audit", drawn_catalog, "--to", inside)
    fix = drawn_catalog / "plan.csv"
    assert "lies in the catalog" in refused(capsys, "audit", drawn_catalog, "--to", tmp_path / "a", "--fix", fix)
    plan = write(tmp_path / "plan.csv", b"answers")
    assert "exists" in refused(capsys, "audit", drawn_catalog, "--to", tmp_path / "a", "--fix", plan)
    table = tmp_path / "a" / "findings.csv"
    assert "a file of the report" in refused(capsys, "audit", drawn_catalog, "--to", tmp_path / "a", "--fix", table)
    (tmp_path / "b" / "index.html").mkdir(parents=True)
    assert "index.html is a folder there" in refused(capsys, "audit", drawn_catalog, "--to", tmp_path / "b")
    assert sorted(drawn_catalog.iterdir()) == before
    assert plan.read_bytes() == b"answers"


def test_a_plan_without_lines_is_not_offered_and_a_plan_may_lie_in_the_report(tmp_path: Path, capsys):
    photos = write(tmp_path / "a" / "only.jpg", photo(KINDS[0])).parents[1]
    ingest(FolderSource(photos / "a"), tmp_path / "one.catalog")
    code, out, _ = run(
        capsys, "audit", tmp_path / "one.catalog", "--to", tmp_path / "r", "--fix", tmp_path / "r" / "plan.csv"
    )
    assert (code, "0 lines" in out, "shelfwise apply" in out) == (0, True, False)
    assert [path.name for path in sorted((tmp_path / "r").iterdir())] == [
        "audit.json", "findings.csv", "index.html", "plan.csv"
    ]  # fmt: skip


def test_pictures_that_came_after_the_vectors_are_counted_with_what_to_type(tmp_path: Path):
    photos = tmp_path / "my photos"
    for kind in KINDS[:2]:
        for number in range(3):
            write(photos / kind / f"{number}.jpg", photo(kind, number))
    catalog = tmp_path / "my shop.catalog"
    ingest(FolderSource(photos), catalog)
    embed(catalog, SMALL)
    write(photos / KINDS[0] / "late.jpg", photo(KINDS[0], 9))
    ingest(FolderSource(photos), catalog)
    assert audit(catalog, tmp_path / "audit").notes == (
        "1 pictures are not embedded yet, and were not asked about shelves: "
        f"type  shelfwise embed '{catalog}' --backbone lite0@96 --precision fp32",
    )
