"""Forty damaged or unusual tables and what must become of each, counted by hand."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HEAD = b"id,title\n"


@dataclass(frozen=True)
class DamagedTable:
    """rows: how many the file holds by eye; bad: place and code of each to quarantine; error: words, None if it opens."""

    name: str
    file_name: str
    data: bytes
    rows: int = 0
    bad: Mapping[str, str] = field(default_factory=dict)
    good: Sequence[Mapping[str, Any]] | None = None
    error: str | None = None
    encoding: str | None = None


def _csv(name: str, data: bytes, rows: int = 0, **expected: Any) -> DamagedTable:
    return DamagedTable(name, "shop.csv", data, rows, **expected)


def _lines(name: str, data: bytes, rows: int = 0, **expected: Any) -> DamagedTable:
    return DamagedTable(name, "shop.jsonl", data, rows, **expected)


def _array(name: str, data: bytes, rows: int = 0, **expected: Any) -> DamagedTable:
    return DamagedTable(name, "shop.json", data, rows, **expected)


TWO = [{"id": "1", "title": "Dress"}, {"id": "2", "title": "Hat"}]
CAFE = [{"id": "1", "title": "Café"}]
ACCENTS = "1,Café\n2,Crème\n3,Pâté\n".encode()
PLAIN = HEAD + b"1,Dress\n2,Hat\n"

TABLES = [
    _csv("unclosed quote", HEAD + b'1,Dress\n2,"Hat\n3,Bag\n4,Shoe\n', error=r"line 3: the quote .* not closed"),
    _csv("unclosed quote in a later line of its row", HEAD + b'1,Dress\n"2\n3","Bag\n', error=r"line 4: the quote"),
    _csv("text after a closing quote", HEAD + b'1,"Dress" red\n', error=r"line 2: .* closed on line 2, but text follows"),
    _csv("text after a quote over two lines", HEAD + b'1,"A\nB"x\n', error=r"line 2: .* closed on line 3, but text"),
    _csv("extra and missing fields", HEAD + b"1,Dress,9\n2\n3,Bag\n", 3,
         bad={"line 2": "row_columns", "line 3": "row_columns"}),
    _csv("column twice", b"id,title,id\n1,Dress,2\n", error=r"line 1: columns \['id'\] are there twice"),
    _csv("only a header", HEAD, error=r"no rows, only the header \['id', 'title'\]"),
    _csv("empty file", b"", error="no rows: it is empty"),
    _csv("blank lines", b"\n" + HEAD + b"\n1,Dress\n\r\n\n2,Hat\n\n", 2, good=TWO),
    _csv("UTF-8 mark", b"\xef\xbb\xbf" + PLAIN, 2, good=TWO, encoding="utf-8"),
    _csv("UTF-16 LE mark", b"\xff\xfe" + "id,title\r\n1,Café\r\n".encode("utf-16-le"), 1, good=CAFE, encoding="utf-16-le"),
    _csv("UTF-16 BE mark", b"\xfe\xff" + "id,title\n1,Café\n".encode("utf-16-be"), 1, good=CAFE, encoding="utf-16-be"),
    _csv("UTF-32 mark", b"\xff\xfe\0\0" + "id,title\n1,Café".encode("utf-32-le"), 1, good=CAFE, encoding="utf-32-le"),
    _csv("UTF-16 without a mark", "id,title\n1,Café\n".encode("utf-16-le"), error="give --encoding utf-16-le"),
    _csv("UTF-16 cut in a character", b"\xff\xfe" + "id,title\n1,Hat".encode("utf-16-le")[:-1], error="no sound utf-16"),
    _csv("UTF-16 with half a pair", b"\xff\xfe" + "id,title\n1,A\n2,B".encode("utf-16-le") + b"\x00\xd8", 2,
         bad={"line 3": "row_encoding"}),
    _csv("cp1252", HEAD + b"1,Caf\xe9\n", 1, good=CAFE, encoding="cp1252"),
    _csv("latin-1 with a byte that cp1252 lacks", HEAD + b"1,Caf\xe9\n2,\x81\n", 2, encoding="latin-1"),
    _csv("UTF-8 with one bad byte", HEAD + ACCENTS + b"4,Caf\xe9\n", 4, bad={"line 5": "row_encoding"}, encoding="utf-8"),
    _csv("UTF-8 cut in a character", HEAD + ACCENTS + b"4,Caf\xc3", 4, bad={"line 5": "row_encoding"}, encoding="utf-8"),
    _csv("NUL byte", HEAD + b"1,Dr\0ess\n2,Hat\n", 2, bad={"line 2": "row_nul"}),
    _csv("field of 131,073 characters", HEAD + b'1,"' + b"x\n" * 65536 + b'x"\n2,' + b"x" * 131072 + b"\n3,Bag\n", 3,
         bad={"line 2": "row_field_size"}),
    _csv("CR-only lines", PLAIN.replace(b"\n", b"\r"), 2, good=TWO),
    _csv("all line ends at once", b"id,title\r\n1,Dress\r2,Hat\n", 2, good=TWO),
    _csv("quoted line ends, separators and quotes", HEAD + b'1,"A\r\nB,\r""C"""\n2,5" pipe\n', 2,
         good=[{"id": "1", "title": 'A\r\nB,\r"C"'}, {"id": "2", "title": '5" pipe'}]),
    _csv("text that looks like something else", HEAD + b"007,NA\n1e5,null\n1.0,None\n=cmd|' /C', x \n,\n", 5,
         bad={}, good=[{"id": "007", "title": "NA"}, {"id": "1e5", "title": "null"}, {"id": "1.0", "title": "None"},
                       {"id": "=cmd|' /C'", "title": " x "}, {"id": "", "title": ""}]),
    _csv("workbook named .csv", b"PK\x03\x04\x14\0\0\0", error="an Excel workbook: save it as CSV"),
    DamagedTable("gzip", "shop.csv.gz", gzip.compress(PLAIN), 2, good=TWO),
    DamagedTable("cut gzip", "shop.csv.gz", gzip.compress(PLAIN * 99)[:-12], error="a damaged gzip file"),
    DamagedTable("gzip in name only", "shop.csv.gz", PLAIN, error="a damaged gzip file"),
    _lines("NaN, infinite and too large numbers", b'{"id":NaN}\n{"id":-Infinity}\n{"id":1e999}\n{"id":1e99}\n', 4,
           bad={"line 1": "row_value", "line 2": "row_value", "line 3": "row_value"}, good=[{"id": "1e99"}]),
    _lines("key twice", b'{"id":1}\n{"id":2,"a":{"b":1,"b":2}}\n', 2, bad={"line 2": "row_duplicate_key"}),
    _lines("nested 65 deep", b'{"id":' + b"[" * 64 + b"]" * 64 + b'}\n{"id":' + b"[" * 63 + b"]" * 63 + b"}\n", 2,
           bad={"line 1": "row_value"}),
    _lines("100,000 brackets", b'{"id":1}\n{"id":' + b"[" * 100_000, error=r"line 2, column 100007: the text breaks off"),
    _lines("cut last line", b'{"id":1}\n{"id":2,"ti', error=r"line 2, column 9: "),
    _lines("array named .jsonl", b'[{"id":1},\n{"id":2}]\n', error="a JSON array, .* end its name in .json"),
    _lines("no object, half a pair, a bad byte", b'{"id":"\xc3\xa9"}\n[1]\n{"id":"\\ud800"}\n{"id":"\xe9"}\n', 4,
           bad={"line 2": "row_value", "line 3": "row_encoding", "line 4": "row_encoding"}, good=[{"id": "é"}]),
    _array("trailing comma", b'[{"id":1},\n {"id":2},\n]', error=r"line 3, column 1: a value expected"),
    _array("lines named .json", b'{"id":1}\n{"id":2}\n', error="one JSON object a line: end its name in .jsonl"),
    DamagedTable("cut Parquet", "shop.parquet", b"PAR1\x15\x04\x15\x0e", error="no sound Parquet file, or was cut"),
]  # fmt: skip
