"""Every row of the table of bad tables in docs/reliability.md, in its order, by command: what becomes of it, in which words."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import shlex
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bson
import pytest

from commands_here import refused, run
from drawn_shop import tiny, write
from shelfwise.catalog import Catalog
from shelfwise.cli import progress
from shelfwise.formats import text
from shelfwise.progress import Advance

DOCS = Path(__file__).parents[2] / "docs" / "reliability.md"
HEAD = b"id,title,cat\n"
TABLE = "table shop.csv --id id --title title --category cat"
TREE = {"categories.csv": b"category_id,category_level1,category_level2,category_level3\n10,A,B,C\n11,A,B,D\n"}
BSON = "cdiscount train.bson --categories categories.csv"
PHOTOS = "table shop.csv --id id --category cat --image photo"


@dataclass(frozen=True)
class Case:
    """What a user does and sees.

    stops: words of the one line of a command that writes nothing. bad: code, place, words and beginning of each quarantined
    row or photo. added: products that come in. says: words of the summary. ends: the exit code where nothing stops.
    """

    files: dict[str, bytes]
    command: str = TABLE
    stops: str | None = None
    bad: tuple[tuple[str, str, str, str], ...] = ()
    added: int = 0
    says: tuple[str, ...] = ()
    ends: int = 0
    prepare: Callable[[Path], Any] = field(default=lambda _: None)


def shop(rows: bytes, head: bytes = HEAD, command: str = TABLE, **expected: Any) -> Case:
    return Case({"shop.csv": head + rows}, command, **expected)


def lines(*rows: bytes, **expected: Any) -> Case:
    return Case({"shop.jsonl": b"\n".join(rows) + b"\n"}, TABLE.replace("csv", "jsonl"), **expected)


def array(data: bytes, **expected: Any) -> Case:
    return Case({"shop.json": data}, TABLE.replace("csv", "json"), **expected)


def photos(rows: bytes, prepare: Callable[[Path], Any] = lambda _: None, **expected: Any) -> Case:
    return Case({"shop.csv": b"id,photo,cat\n" + rows, "1.jpg": tiny(1)}, PHOTOS, prepare=prepare, **expected)


def product(number: int, *, pictures: Any = None, **more: Any) -> bytes:
    images = [{"picture": tiny(number)}] if pictures is None else pictures
    return bson.encode({"_id": number, "category_id": 10, "imgs": images} | more)


SOUND = [product(number) for number in range(4)]
THIRD, FOURTH = len(SOUND[0] + SOUND[1]), len(SOUND[0] + SOUND[1] + SOUND[2])
ALL = len(b"".join(SOUND))


def documents(third: bytes, more: str = "", **expected: Any) -> Case:
    """Four products, the third of which is something else."""
    data = b"".join([*SOUND[:2], third, SOUND[3]])
    return Case(TREE | {"train.bson": data}, BSON + more, **expected)


def of_size(size: int) -> bytes:
    return struct.pack("<i", size) + SOUND[2][4:]


def unreadable(reason: str, rest: int = ALL - THIRD) -> tuple[str, ...]:
    told = f"2 documents read, the rest ({rest:,} bytes) is unreadable: the document at byte {THIRD}"
    return (f"damaged at byte {THIRD:,}: {told}", reason, "--salvage goes on", "1 damaged part of the source")


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {"a": found}
    return found


def links_out(folder: Path) -> None:
    (folder / "out.jpg").symlink_to(write(folder.parent / f"{folder.name}.elsewhere" / "1.jpg", tiny(2)))
    (folder / "zero.jpg").symlink_to("/dev/zero")


def plus(row: bytes, **expected: Any) -> Case:
    return shop(b"1,Dress,a\n" + row + b"\n9,Bag,b\n", added=2, **expected)


ROWS: dict[str, dict[str, Case]] = {
    "CSV with an unclosed quote": {
        "in the last column": shop(
            b'1,Dress,a\n2,"Hat,a\n3,Bag,b\n', stops=r"shop\.csv, line 3: the quote that opens here is not closed"
        ),
        "text behind a quote": shop(b'1,"Dress" red,a\n', stops="line 2: .* is closed on line 2, but text follows"),
    },
    "too many or too few fields in a row": {
        "too many": plus(
            b"2,Hat,a,9", bad=(("row_columns", "shop.csv, line 3", "4 fields, the header has 3", "2,Hat,a,9"),)
        ),
        "too few": plus(b"2,Hat", bad=(("row_columns", "shop.csv, line 3", "2 fields, the header has 3", "2,Hat"),)),
    },
    "repeated header, missing column, wrong separator": {
        "repeated": shop(
            b"1,Dress,a\n", b"id,title,title\n", stops=r"columns \['title'\] are there twice; found columns \['id'"
        ),
        "missing": shop(
            b"1,Dress,a\n",
            b"id,titel,cat\n",
            stops=r"found columns \['id', 'titel', 'cat'\], need \['title'\]; 'titel' may be",
        ),
        "separator": shop(
            b"1;Dress;a\n", b"id;title;cat\n", stops="found columns .*, need .*; looks like ';': give --separator ';'"
        ),
    },
    "BOM, UTF-16, Latin-1": {
        "BOM": shop("1,Café,a\n".encode(), b"\xef\xbb\xbf" + HEAD, added=1, says=("encoding utf-8",)),
        "UTF-16": shop("id,title,cat\n1,Café,a\n".encode("utf-16"), b"", added=1, says=("encoding utf-16-le",)),
        "UTF-16 without a mark": shop(
            "id,title,cat\n1,a,a\n".encode("utf-16-le"), b"", stops="give --encoding utf-16-le"
        ),
        "Latin-1": shop(b"1,Caf\xe9,a\n2,\x81,a\n", added=2, says=("encoding latin-1",)),
        "its usual form": shop(b"1,Caf\xe9 \x80,a\n", added=1, says=("encoding cp1252",)),
    },
    "a byte that is not of the encoding": {
        "one among good ones": shop(
            "1,Pâté,a\n2,Crème".encode() + b" \xe9,a\n",
            added=1,
            says=("encoding utf-8",),
            bad=(("row_encoding", "shop.csv, line 3", "byte 0xe9 at offset 33 is no utf-8 text", r"2,Crème \xe9,a"),),
        ),
    },
    "NUL byte / field over 128 KiB / CR-only lines": {
        "NUL": plus(b"2,H\0at,a", bad=(("row_nul", "shop.csv, line 3", "a NUL byte at offset 26", ""),)),
        "long field": plus(
            b"2," + b"x" * 131_073 + b",a",
            bad=(
                ("row_field_size", "shop.csv, line 3", "a field of 131073 characters, limit 131072", "2," + "x" * 198),
            ),
        ),
        "CR": shop(b"1,Dress,a\r2,Hat,b\r", HEAD.replace(b"\n", b"\r"), added=2),
    },
    "category `NA`, `null`, `None` / empty": {
        "text": shop(b"1,a,NA\n2,b,null\n3,c,None\n", added=3, says=("3 products in 3 categories",)),
        "empty": plus(b"2,Hat,", bad=(("label_missing", "shop.csv, line 3", "cat: the category is empty", "2,Hat,"),)),
        "quoted": plus(
            b'2,Hat,""', bad=(("label_missing", "shop.csv, line 3", "cat: the category is empty", '2,Hat,""'),)
        ),
        "blanks": plus(
            b"2,Hat,   ", bad=(("label_missing", "shop.csv, line 3", "cat: the category is empty", "2,Hat,   "),)
        ),
    },
    "ids `007` and `7`, `1e5`, `1.0`": {
        "CSV": shop(b"007,a,x\n7,b,x\n1e5,c,x\n1.0,d,x\n100000,e,x\n1,f,x\n", added=6),
        "JSON": lines(
            b'{"id":7,"title":"a","cat":"x"}',
            b'{"id":"007","title":"b","cat":"x"}',
            b'{"id":1e5,"title":"c","cat":"x"}',
            b'{"id":1.0,"title":"d","cat":"x"}',
            added=4,
        ),
    },
    "the same id again, same content / different content": {
        "same": shop(b"1,Dress,a\n2,Hat,a\n1,Dress,a\n", added=2, says=("+ 0 quarantined + 1 duplicates",)),
        "different": shop(
            b"1,Dress,a\n2,Hat,a\n1,Skirt,a\n",
            added=1,
            bad=tuple(
                (
                    "id_conflict",
                    f"shop.csv, line {line}",
                    "the id '1' occurs 2 times with different content: shop.csv, line 2 and shop.csv, line 4",
                    begin,
                )
                for line, begin in ((2, "1,Dress,a"), (4, "1,Skirt,a"))
            ),
        ),
    },
    "the same picture under different categories": {
        "in two rows": photos(
            b"1,1.jpg,a\n2,1.jpg,b\n",
            added=2,
            says=("label_conflict 1: the same picture stands under several",),
        ),
    },
    "JSON that is broken / a value that is none (NaN, 1e999, a key twice)": {
        "trailing comma": array(
            b'[{"id":1,"title":"a","cat":"x"},\n]', stops=r"shop\.json, line 2, column 1: a value expected"
        ),
        "cut last line": Case(
            {"shop.jsonl": b'{"id":1,"title":"a","cat":"x"}\n{"id":2,"ti'},
            TABLE.replace("csv", "jsonl"),
            stops=r"shop\.jsonl, line 2, column 9: Unterminated string",
        ),
        "an array in lines": lines(
            b'[{"id":1}]', stops="is a JSON array, not one JSON object a line: end its name in .json"
        ),
        "lines in an array": array(b'{"id":1}\n{"id":2}\n', stops="one JSON object a line: end its name in .jsonl"),
        "100,000 brackets": lines(
            b'{"id":1,"title":"a","cat":"x"}', b"[" * 100_000, stops="line 2, column 100001: the text breaks off"
        ),
        "NaN": lines(
            b'{"id":1,"title":NaN,"cat":"x"}',
            b'{"id":2,"title":"b","cat":"x"}',
            added=1,
            bad=(("row_value", "shop.jsonl, line 1", "NaN is no JSON value", '{"id":1,"title":NaN'),),
        ),
        "1e999": lines(
            b'{"id":1,"title":1e999,"cat":"x"}',
            b'{"id":2,"title":"b","cat":"x"}',
            added=1,
            bad=(("row_value", "shop.jsonl, line 1", "1e999 is too large for a number", '{"id":1,"title":1e999'),),
        ),
        "key twice": array(
            b'[{"id":1,"id":3,"title":"a","cat":"x"},{"id":2,"title":"b","cat":"x"}]',
            added=1,
            bad=(("row_duplicate_key", "shop.json, row 1", r"keys \['id'\] are there twice", '{"id":1,"id":3'),),
        ),
        "deep": lines(
            b'{"id":1,"a":' + b"[" * 64 + b"]" * 64 + b"}",
            b'{"id":2,"title":"b","cat":"x"}',
            added=1,
            bad=(("row_value", "shop.jsonl, line 1", "nested 65 deep, limit 64", '{"id":1,"a":[[[['),),
        ),
    },
    "damaged BSON": {
        "size too small": documents(
            of_size(4), added=2, ends=1, says=unreadable("says that it is 4 bytes long, not 5 to 16 MiB")
        ),
        "size negative": documents(
            of_size(-7), added=2, ends=1, says=unreadable("says that it is -7 bytes long, not 5 to 16 MiB")
        ),
        "size of 16 MiB and more": documents(
            of_size(2**25), added=2, ends=1, says=unreadable("says that it is 33,554,432 bytes long")
        ),
        "size too large": documents(
            of_size(len(SOUND[2]) + 5), added=2, ends=1, says=unreadable("does not end with a zero byte")
        ),
        "size beyond the end": documents(
            of_size(ALL), added=2, ends=1, says=unreadable(f"is {ALL:,} bytes long, and only")
        ),
        "cut last document": Case(
            TREE | {"train.bson": b"".join(SOUND[:3])[:-9]},
            BSON,
            added=2,
            ends=1,
            says=unreadable(f"and only {FOURTH - THIRD - 9:,} are left", FOURTH - THIRD - 9),
        ),
        "salvage": documents(
            of_size(4),
            " --salvage",
            added=3,
            ends=1,
            says=(f"damaged at byte {THIRD:,}: {FOURTH - THIRD:,} bytes skipped: ",),
        ),
        "no BSON": Case(
            TREE | {"train.bson": b"id,title\n1,Dress\n"},
            BSON,
            stops=r"train\.bson is not a BSON file, or damaged from its first byte",
        ),
        "empty": Case(TREE | {"train.bson": b""}, BSON, stops=r"train\.bson is empty: there are no documents in it"),
        "unknown type": documents(
            SOUND[2].replace(b"\x10category_id", b"\x20category_id"),
            added=3,
            bad=(
                (
                    "bson_type",
                    f"train.bson, byte {THIRD}",
                    "the field 'category_id' is of the type 0x20, which BSON does not know",
                    "",
                ),
            ),
        ),
        "invalid UTF-8": documents(
            product(2, note="Xy").replace(b"Xy", b"\xff\xfe"),
            added=3,
            bad=(("row_encoding", f"train.bson, byte {THIRD}", "the text 'note' is no UTF-8: 0xff", ""),),
        ),
        "deep nesting": documents(
            product(2, note=nested(70)),
            added=3,
            bad=(("row_depth", f"train.bson, byte {THIRD}", "nested more than 64 documents deep", ""),),
        ),
    },
    "picture field of another type / no picture / five pictures": {
        "text": documents(
            product(2, pictures=[{"picture": "1.jpg"}]),
            added=3,
            bad=(("field_type", f"train.bson, byte {THIRD}", "imgs: '0': 'picture' is a string, not binary", ""),),
        ),
        "no list": documents(
            product(2, pictures="1.jpg"),
            added=3,
            bad=(("field_type", f"train.bson, byte {THIRD}", "'imgs' is a string, not an array", ""),),
        ),
        "empty list": documents(
            product(2, pictures=[]),
            added=3,
            bad=(("no_image", f"train.bson, byte {THIRD}", "'imgs' is an empty list", ""),),
        ),
        "five": documents(
            product(2, pictures=[{"picture": tiny(n)} for n in range(20, 25)]), added=4, says=("photos  8 = 8 images",)
        ),
    },
    "a path that leads out, a device, a FIFO, `file://`": {
        name: photos(
            b"1,1.jpg,a\n2,%b,a\n" % path.encode(), prepare, added=2, bad=(("path_outside", place or path, words, ""),)
        )
        for name, path, place, words, prepare in (
            ("dots", "../../etc/passwd", "", "leads to a place outside", lambda _: None),
            ("absolute", "/etc/passwd", "", "leads to a place outside", lambda _: None),
            ("link", "out.jpg", "", "leads to a place outside", links_out),
            ("link to a device", "zero.jpg", "", "leads to a place outside", links_out),
            ("device", "/dev/zero", "", "leads to a place outside", lambda _: None),
            (
                "FIFO",
                "fifo.jpg",
                "fifo.jpg",
                "is no regular file, so it was not opened",
                lambda folder: os.mkfifo(folder / "fifo.jpg"),
            ),
            ("address", "file:///etc/passwd", "", "is an address, not a path below", lambda _: None),
        )
    },
    "no rows": {
        "empty": shop(b"", b"", stops="has no rows: it is empty"),
        "only a header": shop(b"", stops=r"has no rows, only the header \['id', 'title', 'cat'\]"),
        "no lines": lines(b"", stops="has no rows"),
        "empty array": array(b"[]", stops="has no rows"),
    },
    "formula text (`=cmd`)": {
        "kept": shop(b"=1+1,=cmd|' /C calc'!A0,@SUM(1)\n'2,+1,-1\n", added=2),
    },
    "the file changes during the import": {
        "grows": shop(
            b"1,Dress,a\n2,Hat,a\n", stops=r"source_changed: shop\.csv was changed while it was read: start again"
        ),
    },
    "a .gz that unpacks to more than the limit": {
        "bomb": Case(
            {"shop.csv.gz": gzip.compress(HEAD + b"1,Dress,a\n" * 10_000)},
            TABLE.replace("csv", "csv.gz"),
            stops="unpacks to more than 65536 bytes: unpack it yourself",
        ),
    },
}

CASES = {f"{row}: {name}": case for row, cases in ROWS.items() for name, case in cases.items()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a user stands in."""
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "desk"


def lay(case: Case, folder: Path) -> list[str]:
    """Write a case's files; return its command."""
    for name, data in case.files.items():
        write(folder / name, data)
    case.prepare(folder)
    return ["ingest", *shlex.split(case.command), "--to", "x.catalog"]


class GrowingBars:
    """Bars that change a file when the second pass over it begins."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @contextmanager
    def task(self, label: str, total: int | None) -> Iterator[Advance]:  # noqa: ARG002
        if label.startswith("ingest"):
            with self._file.open("ab") as file:
                file.write(b"9,Bag,a\n")
        yield lambda _: None


def grow_behind_the_first_pass(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "bars", lambda: GrowingBars(file))


def as_json(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    ended, out, err = run(capsys, *arguments, "--json")
    assert ended == code, err
    return dict(json.loads(out))


def test_every_row_of_the_table_is_here_in_its_order():
    table = DOCS.read_text().partition("### Tables")[2]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]
    assert list(ROWS) == rows[1:]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.stops])
def test_a_broken_table_stops_with_one_line_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr(text, "LARGEST_UNPACKED", 65_536)
    command = lay(CASES[name], folder)
    if "changes" in name:
        grow_behind_the_first_pass(folder / "shop.csv", monkeypatch)
    before = {path.name: path.stat().st_size for path in folder.iterdir()}
    for more in ([], ["--json"], ["--dry-run"] if "changes" not in name else []):
        said = refused(capsys, *command, *more)
        assert re.search(str(CASES[name].stops), said), said
    after = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert after.keys() == before.keys()
    assert after == before or "changes" in name


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.stops])
def test_a_bad_row_is_counted_and_listed_and_costs_no_other(
    capsys: pytest.CaptureFixture[str], folder: Path, name: str
):
    case = CASES[name]
    command = [*lay(case, folder), "--max-bad", "100"]
    told = as_json(capsys, *command, code=case.ends)
    assert told["added"] == case.added
    assert told["rows"] == told["added"] + told["quarantined_rows"] + told["duplicates"]
    assert told["quarantined_rows"] + told["quarantined"] == len(case.bad)
    code, out, _ = run(capsys, *command)
    assert (code, f"{case.added:,} unchanged" in out) == (case.ends, True)
    for words in (*case.says, *(f"{bad[0]} " for bad in case.bad)):
        assert words in out
    listed = as_json(capsys, "quarantine", "list", "x.catalog")["quarantined"]
    assert len(listed) == len(case.bad)
    for entry, (reason, place, words, begins) in zip(listed, case.bad, strict=True):
        assert (entry["code"], Path(entry["place"] or entry["source"]).name) == (reason, Path(place).name)
        assert re.search(words, entry["detail"])
        assert entry["text"].startswith(begins)
    _, out, _ = run(capsys, "quarantine", "list", "x.catalog")
    shown = re.sub(r"\s", "", out)  # long cells are folded
    for entry, (reason, place, _, begins) in zip(listed, case.bad, strict=True):
        for part in (reason, place, entry["detail"][:40], begins[:30]):
            assert re.sub(r"\s", "", part) in shown
    code, _, _ = run(capsys, *command, "--strict")
    assert code == (1 if case.bad or case.ends else 0)


def test_ids_are_kept_as_written(capsys: pytest.CaptureFixture[str], folder: Path):
    for name, ids in (("CSV", ["007", "7", "1e5", "1.0", "100000", "1"]), ("JSON", ["7", "007", "1e5", "1.0"])):
        run(capsys, *lay(ROWS["ids `007` and `7`, `1e5`, `1.0`"][name], folder)[:-1], f"{name}.catalog")
        assert Catalog(folder / f"{name}.catalog").products(["product_id"]).column("product_id").to_pylist() == ids


def test_a_label_conflict_is_listed_and_its_products_stay_in_one_split(
    capsys: pytest.CaptureFixture[str], folder: Path
):
    """Beside 12 pairs of copies, which every split holds together, are 12 products that lie anywhere."""
    rows = [f"{pair}-{shelf},{pair}.jpg,{shelf}\n" for pair in range(12) for shelf in "ab"]
    write(folder / "shop.csv", ("id,photo,cat\n" + "".join(rows)).encode())
    for pair in range(12):
        write(folder / f"{pair}.jpg", tiny(pair))
    run(capsys, "ingest", *shlex.split(PHOTOS), "--to", "x.catalog")
    conflicts = as_json(capsys, "show", "x.catalog")["label_conflicts"]
    assert sorted(tuple(sorted(found["images"])) for found in conflicts) == sorted(
        (f"{pair}-a#0", f"{pair}-b#0") for pair in range(12)
    )
    assert {tuple(found["categories"]) for found in conflicts} == {("a", "b")}
    _, out, _ = run(capsys, "show", "x.catalog")
    assert "label_conflict  12 pictures" in out
    code, _, err = run(capsys, "split", "x.catalog", "--shares", "left=0.5,right=0.5", "--again")
    assert code == 0, err
    table = Catalog(folder / "x.catalog").products(["product_id", "split"]).to_pylist()
    splits = {row["product_id"]: row["split"] for row in table}
    assert set(splits.values()) == {"left", "right"}
    assert all(splits[f"{pair}-a"] == splits[f"{pair}-b"] for pair in range(12))


def test_five_pictures_are_all_kept_in_their_order(capsys: pytest.CaptureFixture[str], folder: Path):
    case = ROWS["picture field of another type / no picture / five pictures"]["five"]
    run(capsys, *lay(case, folder))
    images = Catalog(folder / "x.catalog").images(["product_id", "position", "bytes"]).to_pylist()
    of_it = [(row["position"], row["bytes"]) for row in images if row["product_id"] == "2"]
    assert sorted(of_it) == [(place, tiny(20 + place)) for place in range(5)]


def test_formula_text_is_kept_escaped_on_export_and_read_back(capsys: pytest.CaptureFixture[str], folder: Path):
    run(capsys, *lay(ROWS["formula text (`=cmd`)"]["kept"], folder))
    told = as_json(capsys, "export", "x.catalog", "--format", "csv", "--to", "out")
    (written,) = (folder / "out").glob("*.csv")
    with written.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {"'=1+1", "'=cmd|' /C calc'!A0", "''2"} <= set(cells)
    (arguments,) = told["ingest"]
    as_json(capsys, *arguments)
    columns = ["product_id", "title", "category"]
    kept, back = (Catalog(folder / name).products(columns).to_pylist() for name in ("x.catalog", "out.catalog"))
    assert kept == back
    assert kept[0]["title"] == "=cmd|' /C calc'!A0"


def test_a_file_that_another_thread_appends_to_is_not_imported_in_part(
    capsys: pytest.CaptureFixture[str], folder: Path
):
    write(folder / "shop.csv", HEAD + b"".join(b"%d,Dress,a\n" % number for number in range(5000)))
    done = threading.Event()

    def append() -> None:
        with (folder / "shop.csv").open("ab", buffering=0) as file:
            while not done.is_set():
                file.write(b"%d,Bag,a\n" % time.monotonic_ns())
                time.sleep(0.002)

    thread = threading.Thread(target=append)
    thread.start()
    try:
        time.sleep(0.01)
        said = refused(capsys, "ingest", *shlex.split(TABLE), "--to", "x.catalog")
    finally:
        done.set()
        thread.join()
    assert "source_changed: shop.csv was changed while it was read" in said
    assert not (folder / "x.catalog").exists()
    assert as_json(capsys, "ingest", *shlex.split(TABLE), "--to", "x.catalog")["added"] > 5000  # negative control


def test_a_file_that_changes_during_an_update_leaves_the_catalog_as_it_was(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
):
    case = ROWS["the file changes during the import"]["grows"]
    run(capsys, *lay(case, folder))
    before = as_json(capsys, "show", "x.catalog")
    write(folder / "shop.csv", HEAD + b"1,Skirt,a\n3,Hat,a\n")
    with monkeypatch.context() as patch:
        grow_behind_the_first_pass(folder / "shop.csv", patch)
        assert "source_changed" in refused(capsys, "ingest", *shlex.split(TABLE), "--to", "x.catalog")
    assert as_json(capsys, "show", "x.catalog") == before
