from __future__ import annotations

import gzip
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from drawn_shop import GROCERY
from shelfwise.errors import OptionError, SourceError
from shelfwise.formats import text
from shelfwise.formats.open_table import open_table
from shelfwise.formats.rows import BadRow, TableRow
from shelfwise.formats.text import open_text, printable

BOOKS = GROCERY.parents[1] / "formats" / "bookcover30" / "book30-listing-test.csv"
BOOK_COLUMNS = ["id", "file", "url", "title", "author", "category_id", "category"]


def written(folder: Path, data: bytes, name: str = "shop.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"plain", "utf-8"),
        (b"", "utf-8"),
        ("naïve café".encode(), "utf-8"),
        ("日本語,衣料品\n".encode() * 99_999, "utf-8"),
        ("日本語,衣料品\n".encode() * 99_999 + b"\xe9", "utf-8"),
        ("naïve café".encode("cp1252"), "cp1252"),
        ("“naïve”".encode("cp1252"), "cp1252"),
        ("naïve".encode("latin-1") + b"\x81", "latin-1"),
        ("naïve é".encode() + b"\xe9\xe8", "utf-8"),
        ("é".encode() + b" \xe9 \xe8", "cp1252"),
        (b"a\0b,c\n" + b"text\n" * 99, "utf-8"),
        (b"\xef\xbb\xbfid", "utf-8"),
        (b"\x00\x00\xfe\xff\x00\x00\x00a", "utf-32-be"),
    ],
)
def test_the_encoding_is_found_out(tmp_path: Path, data: bytes, encoding: str):
    assert open_text(written(tmp_path, data)).encoding == encoding


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line", ["1,Dress\n", "商品,衣料品のカテゴリ\n"])
def test_utf16_without_a_mark_is_refused_and_read_with_the_option_that_is_named(
    tmp_path: Path, encoding: str, line: str
):
    path = written(tmp_path, ("id,title\n" + line * 9).encode(encoding))
    with pytest.raises(SourceError, match=f"give --encoding {encoding}"):
        open_table(path)
    rows = list(open_table(path, encoding=encoding).rows())
    assert [row.values["title"] for row in rows if isinstance(row, TableRow)] == [line.strip().split(",")[1]] * 9


def test_an_encoding_can_be_chosen(tmp_path: Path):
    path = written(tmp_path, "id\nЖ\n".encode("cp1251"))
    assert open_table(path).encoding == "cp1252"
    (row,) = open_table(path, encoding="windows-1251").rows()
    assert isinstance(row, TableRow)
    assert row.values == {"id": "Ж"}
    for name in ("utf-99", "hex", "a\0b"):
        with pytest.raises(OptionError, match="no such encoding"):
            open_table(path, encoding=name)
    with pytest.raises(OptionError, match="give utf-16-le or utf-16-be"):
        open_table(path, encoding="utf-16")


@pytest.mark.parametrize("encoding", ["utf-8", "utf8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path, encoding: str):
    mark, codec = (b"\xff\xfe", "utf-16-le") if "16" in encoding else (b"\xef\xbb\xbf", "utf-8")
    path = written(tmp_path, mark + "id\né\n".encode(codec))
    assert open_table(path, encoding=encoding).columns == open_table(path).columns == ("id",)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_bad_byte_is_told_with_its_place_in_the_file(tmp_path: Path, mark: bytes, packed: bool):
    lines = [f"{number},Grün{'é' * (number % 5)}\r\n".encode() for number in range(5000)]
    for number in range(0, 5000, 7):
        lines[number] = lines[number].replace("ü".encode(), b"\xfc")
    data = mark + b"id,title\r\n" + b"".join(lines)
    name = "shop.csv.gz" if packed else "shop.csv"
    rows = list(open_table(written(tmp_path, gzip.compress(data) if packed else data, name)).rows())
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert len(rows) == 5000
    assert [row.where for row in bad] == [f"line {number + 2}" for number in range(0, 5000, 7)]
    offsets = [place.start() for place in re.finditer(b"\xfc", data)]
    assert [row.detail for row in bad] == [f"byte 0xfc at offset {offset} is no utf-8 text" for offset in offsets]
    assert bad[0].text == "0,Gr\\xfcn"


def test_the_place_of_a_lone_surrogate_in_utf16_counts_two_bytes_a_character(tmp_path: Path):
    data = b"\xff\xfe" + "id\nÄb\n".encode("utf-16-le") + b"\x01\xd8" + "x".encode("utf-16-le")
    (_, bad) = open_table(written(tmp_path, data)).rows()
    assert isinstance(bad, BadRow)
    assert bad.detail == f"byte 0x01 0xd8 at offset {data.index(bytes([1, 0xD8]))} is no utf-16-le text"


def test_no_row_of_the_mangled_list_of_book_covers_is_lost():
    """Its UTF-8 went through Shift-JIS: what that could not read became 0x81 0x45, which no encoding brings back."""
    if not BOOKS.is_file():
        pytest.skip(f"BookCover30's list is not at {BOOKS}: set SHELFWISE_DATA")
    table = open_table(BOOKS, columns=BOOK_COLUMNS)
    rows = list(table.rows())
    assert table.encoding == "utf-8"
    data = BOOKS.read_bytes()
    unreadable = [number for number, line in enumerate(data.split(b"\n"), 1) if not sound(line)]
    assert len(rows) == data.count(b"\n") - 1 == 5700  # a line end stands in a title
    assert [row.where for row in rows if isinstance(row, BadRow)] == [f"line {number}" for number in unreadable]
    assert Counter(row.code for row in rows if isinstance(row, BadRow)) == {"row_encoding": 19}
    taken_as_is = list(open_table(BOOKS, columns=BOOK_COLUMNS, encoding="latin-1").rows())
    assert sum(isinstance(row, TableRow) for row in taken_as_is) == 5700


def sound(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("name", ["shop.csv", "shop.csv.gz", "shop.jsonl", "shop.json", "shop.parquet"])
@pytest.mark.parametrize("when", ["before", "between"])
def test_a_file_that_changes_while_it_is_read_stops_the_reading(tmp_path: Path, name: str, when: str):
    path = written(tmp_path, table_bytes(name), name)
    table = open_table(path)
    rows = table.rows()
    if when == "between":
        next(rows)
    os.utime(path, ns=(1, 1))
    with pytest.raises(SourceError, match="source_changed"):
        list(rows)
    assert len(list(open_table(path).rows())) == 3  # negative control: at rest it is read


def table_bytes(name: str) -> bytes:
    if name.endswith(".parquet"):
        import pyarrow as pa
        from pyarrow import parquet

        sink = pa.BufferOutputStream()
        parquet.write_table(pa.table({"id": ["1", "2", "3"]}), sink)
        return sink.getvalue().to_pybytes()
    if name.endswith(".json"):
        return b'[{"id":1},{"id":2},{"id":3}]'
    data = b'{"id":1}\n{"id":2}\n{"id":3}\n' if name.endswith(".jsonl") else b"id\n1\n2\n3\n"
    return gzip.compress(data) if name.endswith(".gz") else data


def test_a_file_that_is_cut_while_it_is_read_is_changed_not_broken(tmp_path: Path):
    path = written(tmp_path, b"id,title\n1,a\n" + b'2,"b\nc"\n' * 10_000)
    rows = open_table(path).rows()
    next(rows)
    os.truncate(path, 40_001)  # within a quoted field
    with pytest.raises(SourceError, match="source_changed"):
        list(rows)


def test_a_gzip_file_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = b"id\n" + b"1\n" * 1000
    path = written(tmp_path, gzip.compress(data), "shop.csv.gz")
    monkeypatch.setattr(text, "LARGEST_UNPACKED", len(data))
    assert len(list(open_table(path).rows())) == 1000
    monkeypatch.setattr(text, "LARGEST_UNPACKED", len(data) - 1)
    with pytest.raises(SourceError, match=r"shop\.csv\.gz unpacks to more than 2002 bytes"):
        open_table(path)


def test_a_gzip_file_cut_anywhere_is_an_error(tmp_path: Path):
    whole = gzip.compress(b"id\n" + bytes(range(48, 58)) * 30, mtime=0)
    lost = 0
    for length in range(1, len(whole)):
        with pytest.raises(SourceError):
            list(open_table(written(tmp_path, whole[:length], "shop.csv.gz")).rows())
        lost += 1
    assert lost == len(whole) - 1


def test_pipes_folders_and_missing_files_are_not_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name, words in [
        ("pipe", "is not a file"),
        ("folder", "is not a file"),
        ("none", "cannot be read: No such file"),
    ]:
        with pytest.raises(SourceError, match=words):
            open_table(tmp_path / f"{name}.csv")


def test_what_cannot_be_stored_is_shown_by_its_number():
    assert printable("a\udce9b\ud800") == "a\\xe9b\\ud800"
    assert printable("é日") == "é日"
