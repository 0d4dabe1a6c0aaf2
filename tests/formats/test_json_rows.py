from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shelfwise.errors import SourceError
from shelfwise.formats import json_rows, json_text
from shelfwise.formats.json_rows import read_members
from shelfwise.formats.open_table import open_table
from shelfwise.formats.rows import BadRow, TableRow

VALUES = st.recursive(
    st.none() | st.booleans() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
    | st.sampled_from(['"', "\\", '\\"', "]", "}{", '",', "\\\\"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.lists(
    st.dictionaries(st.sampled_from(["id", "title", 'a"[b', "é"]), VALUES, max_size=4), min_size=1, max_size=9
)


def written(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def with_all_columns(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    columns = dict.fromkeys(name for row in objects for name in row)
    return [columns | row for row in objects]


@given(
    objects=OBJECTS,
    indent=st.sampled_from([None, 1, "\t"]),
    is_ascii=st.booleans(),
    block=st.sampled_from([1, 2, 7, 2**16]),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_objects_written_by_python_come_back_in_every_layout_whatever_is_read_at_once(
    tmp_path: Path, objects: list[dict[str, Any]], indent: str | int | None, is_ascii: bool, block: int
):
    text = json.dumps(objects, indent=indent, ensure_ascii=is_ascii)
    lines = "\r\n".join(json.dumps(row, ensure_ascii=is_ascii) for row in objects)
    members = f'{{"info": {{"x": [1]}}, "skipped": {text}, "rows": {text}, "empty": [], "n": 12}}'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "_BLOCK", block)
        tables = [
            open_table(written(tmp_path, "a.json", text)),
            open_table(written(tmp_path, "a.jsonl", lines)),
            open_table(written(tmp_path, "b.json", members), members="rows"),
        ]
        for table in tables:
            rows = [row for row in table.rows() if isinstance(row, TableRow)]
            assert [row.values for row in rows] == with_all_columns(objects)
        assert [row.where for row in rows] == [f"rows[{number}]" for number in range(len(objects))]


@given(text=st.text(st.sampled_from('{}[]",:\\ \n1a'), max_size=30))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_soup_of_brackets_is_read_as_by_json_or_is_an_error(tmp_path: Path, text: str):
    path = written(tmp_path, "soup.json", f"[{text}]")
    try:
        expected = json.loads(f"[{text}]")
    except json.JSONDecodeError:
        expected = []
    try:
        count = len(list(open_table(path).rows()))
    except SourceError:
        count = 0
    assert count == len(expected)


@pytest.mark.parametrize("name", ["shop.jsonl", "shop.json"])
def test_numbers_are_text_as_written_and_a_missing_key_is_none(tmp_path: Path, name: str):
    rows = ['{"id": 1e5}', '{"id": 1.0, "b": true}', '{"id": "007"}', '{"id": ' + "9" * 5000 + "}", '{"id": -0}']
    data = "\n".join(rows) if name.endswith("l") else "[" + ",".join(rows) + "]"
    table = open_table(written(tmp_path, name, data))
    found = [row.values for row in table.rows() if isinstance(row, TableRow)]
    assert table.columns == ("id", "b")
    assert [row["id"] for row in found] == ["1e5", "1.0", "007", "9" * 5000, "-0"]
    assert [row["b"] for row in found] == [None, True, None, None, None]
    with pytest.raises(ValueError, match="digits"):  # negative control: plain json
        json.loads(rows[3])


BAD_ROWS = [
    ('{"id": NaN}', "row_value", "NaN is no JSON value"),
    ('{"id": [1e999]}', "row_value", "1e999 is too large"),
    ('{"id": 1, "id": 2}', "row_duplicate_key", r"keys \['id'\] are there twice"),
    ('{"id": ' + "[" * 64 + "]" * 64 + "}", "row_value", "nested 65 deep, limit 64"),
    ('{"id": "\\udc00"}', "row_encoding", "half of a surrogate pair"),
    ('{"id": "a\\u0000b"}', "row_nul", "NUL"),
    ("7", "row_value", "must be an object, this is 7"),
    ('"]"', "row_value", "must be an object"),
    ('"' + "[" * 65 + '"', "row_value", "must be an object"),
    ("null", "row_value", "must be an object"),
]


@pytest.mark.parametrize(("row", "code", "words"), BAD_ROWS)
def test_a_row_with_a_bad_value_is_bad_in_every_layout_and_its_neighbors_are_not(
    tmp_path: Path, row: str, code: str, words: str
):
    around = '{"id":"😀 \\ud83d\\ude00"}'
    paths = [
        (written(tmp_path, "a.jsonl", f"{around}\n{row}\n{around}\n"), None, "line 2"),
        (written(tmp_path, "a.json", f"[{around},\n{row}\n,{around}]\n"), None, "row 2"),
        (written(tmp_path, "b.json", f'{{"rows":[{around},{row},{around}]}}'), "rows", "rows[1]"),
    ]
    for path, member, where in paths:
        first, bad, last = open_table(path, members=member).rows()
        assert isinstance(bad, BadRow)
        assert (bad.where, bad.code, bad.text) == (where, code, row[:200])
        assert re.search(words, bad.detail)
        assert isinstance(first, TableRow)
        assert isinstance(last, TableRow)
        assert first.values == {"id": "😀 😀"}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.jsonl", "", "has no rows"),
        ("a.jsonl", " \n\n", "has no rows"),
        ("a.json", "", "has no rows"),
        ("a.json", "[]", "has no rows"),
        ("a.json", '[{"id":1}', "line 1, column 10: the text breaks off, ']' expected"),
        ("a.json", '[{"id":1},', "line 1, column 11: the text breaks off"),
        ("a.json", '[{"id":1}\n {"id":2}]', "line 2, column 2: ']' expected"),
        ("a.json", '[{"id":1}]\n x', "line 2, column 2: text follows behind the end"),
        ("a.json", '[{"id":1},\n{"id":\n2,}]', r"line 3, column 3: "),
        ("a.json", '[{"id":1},\n{"id":"2}]', "line 2, column 1: the text breaks off in what begins here"),
        ("a.json", '[{"id":1},,{"id":2}]', "line 1, column 11: a value expected"),
        ("a.json", '[{"id":1], "b"]', "line 1, column 9: "),
        (
            "a.json",
            '{"rows":[{"id":1}], "n": 3}',
            r"one object: say which of its members holds the rows, \['rows', 'n'\]",
        ),
        ("a.json", "7", r"line 1, column 1: '\[' expected"),
        ("a.jsonl", '{"id":1}\n{"id":2,}\n', "line 2, column 9: "),
        ("a.jsonl", '{"id":1}\n{"id":2} x\n', "line 2, column 10: "),
        ("a.jsonl", '{"id":1}\n{"id":"2\n3"}\n', "line 2, column 9: Invalid control character$"),
        ("a.jsonl", "[\n{}]", "a JSON array"),
        ("a.jsonl", '[{"id":1}, {"id":2}]', "a JSON array"),
    ],
)
def test_broken_text_is_an_error_with_line_and_column(tmp_path: Path, name: str, data: str, words: str):
    path = written(tmp_path, name, data)
    with pytest.raises(SourceError, match=words) as caught:
        list(open_table(path).rows())
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('{"images":[{}], "images":[]}', "line 1, column 26: the key 'images' is there a second time"),
        ('{"annotations":[{}], "info":{}}', r"found keys \['annotations', 'info'\], need \['images'\]"),
        ('{"images":{}}', r"column 11: '\[' expected"),
        ('{"images":[{}]', "the text breaks off, '}' expected"),
        ('{"images":[{}],}', "column 16: a key in quotes expected"),
        ('{"images" [{}]}', "column 11: ':' expected"),
        ('[{"images":1}]', r"column 1: '\{' expected"),
    ],
)
def test_members_that_are_missing_or_broken_are_an_error(tmp_path: Path, data: str, words: str):
    with pytest.raises(SourceError, match=words):
        list(read_members(written(tmp_path, "a.json", data), ["images"]))


def test_members_are_read_in_the_order_of_the_file(tmp_path: Path):
    path = written(tmp_path, "a.json", '{"b":[{"x":1},7],"skipped":[[[]]],"a":[{"y":"2"}]}')
    found = [
        (row.where, row.values if isinstance(row, TableRow) else row.code) for row in read_members(path, ["a", "b"])
    ]
    assert found == [("b[0]", {"x": "1"}), ("b[1]", "row_value"), ("a[0]", {"y": "2"})]


def test_nesting_is_refused_at_any_depth_of_calls_and_without_the_limit_python_gives_up(tmp_path: Path):
    text = '{"id":' + "[" * 100_000 + "]" * 100_000 + "}"
    for name, data in [("a.json", f"[{text}]"), ("a.jsonl", text)]:
        (row,) = open_table(written(tmp_path, name, data)).rows()
        assert isinstance(row, BadRow)
        assert row.detail == "nested 100001 deep, limit 64"
    with pytest.raises(RecursionError):
        json.loads(text)


def test_a_value_without_an_end_stops_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json_text, "LONGEST_ROW", 100_000)
    monkeypatch.setattr(json_rows, "LONGEST_ROW", 100_000)
    long = '[{"id":1},\n{"id":"' + "x" * 300_000
    with pytest.raises(SourceError, match="line 2, column 1: more than 100000 characters in one value"):
        list(open_table(written(tmp_path, "a.json", long)).rows())
    with pytest.raises(SourceError, match="line 2: more than 100000 characters in one row"):
        list(open_table(written(tmp_path, "a.jsonl", '{"id":1}\n"' + "x" * 300_000)).rows())


def test_the_place_of_a_bad_byte_is_told_in_an_array(tmp_path: Path):
    data = '[{"id":"é"},\n{"id":"ü"},\n '.encode() + b'{"id":"\xfc"},{"id":"\xe9"}]'
    rows = list(open_table(written(tmp_path, "a.json", data)).rows())
    details = [row.detail for row in rows if isinstance(row, BadRow)]
    assert details == [
        f"byte 0xfc at offset {data.index(0xFC)} is no utf-8 text",
        f"byte 0xe9 at offset {data.index(0xE9)} is no utf-8 text",
    ]


def peak(work: Callable[[], int]) -> int:
    tracemalloc.start()
    try:
        assert work() == 10_000
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_stays_flat_whatever_the_number_of_members(tmp_path: Path):
    row = '{"url": ["https://shop.example/images/%d.jpg"], "imageId": "%d"}'
    rows = ",\n".join(row % (number, number) for number in range(10_000))
    path = written(tmp_path, "train.json", f'{{"license": [{rows}], "images": [{rows}], "info": {{}}}}')
    assert peak(lambda: sum(1 for _ in read_members(path, ["images"]))) < 4 * 2**20
    assert peak(lambda: len(json.loads(path.read_bytes())["images"])) > 6 * 2**20  # negative control
