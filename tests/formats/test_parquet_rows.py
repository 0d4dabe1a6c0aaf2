from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from shelfwise.errors import OptionError, SourceError
from shelfwise.formats.open_table import need, open_table
from shelfwise.formats.rows import BadRow, TableRow


def written(folder: Path, columns: dict[str, Any] | pa.Table, **options: Any) -> Path:
    path = folder / "shop.parquet"
    parquet.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)
    return path


def test_rows_come_as_python_values_with_their_place(tmp_path: Path):
    columns = {
        "id": pa.array([7, 8, None]),
        "text": pa.array(["NA", "", None]),
        "category": pa.array(["Hat", "Bag", "Hat"]).dictionary_encode(),
        "large": pa.array(["a", "b", "c"], pa.large_string()),
        "price": pa.array([Decimal("1.50"), None, Decimal("2.00")]),
        "tags": pa.array([["a", "b"], [], None]),
        "image": pa.array([{"bytes": b"\xff\xd8", "path": "a.jpg"}, {"bytes": None, "path": "b.jpg"}, None]),
    }
    table = open_table(written(tmp_path, columns))
    rows = list(table.rows())
    assert table.columns == tuple(columns)
    assert table.encoding == "parquet"
    assert [row.where for row in rows] == ["row 1", "row 2", "row 3"]
    assert all(isinstance(row, TableRow) for row in rows)
    assert [row.values for row in rows if isinstance(row, TableRow)] == [
        {"id": 7, "text": "NA", "category": "Hat", "large": "a", "price": Decimal("1.50"), "tags": ["a", "b"],
         "image": {"bytes": b"\xff\xd8", "path": "a.jpg"}},
        {"id": 8, "text": "", "category": "Bag", "large": "b", "price": None, "tags": [],
         "image": {"bytes": None, "path": "b.jpg"}},
        {"id": None, "text": None, "category": "Hat", "large": "c", "price": Decimal("2.00"), "tags": None, "image": None},
    ]  # fmt: skip
    assert rows[0].text.startswith("id=7, text=NA, category=Hat")
    assert "image={bytes: 2 bytes, path: a.jpg}" in rows[0].text


def test_times_are_python_s_or_text_where_python_has_no_nanoseconds(tmp_path: Path):
    columns = {
        "ns": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")),
        "us": pa.array([datetime(2020, 1, 2, 3)], pa.timestamp("us")),
    }
    (row,) = open_table(written(tmp_path, columns)).rows()
    assert isinstance(row, TableRow)
    assert row.values == {"ns": "2023-11-14 22:13:20.123456789", "us": datetime(2020, 1, 2, 3)}


def test_text_that_is_no_utf8_is_a_bad_row_and_its_neighbors_are_not(tmp_path: Path):
    good = [f"{number}".encode() for number in range(200)]
    texts = pa.array([*good[:99], b"Caf\xe9", *good[99:]]).view(pa.string())
    rows = list(open_table(written(tmp_path, {"title": texts})).rows())
    assert len(rows) == 201
    assert [(row.where, row.code) for row in rows if isinstance(row, BadRow)] == [("row 100", "row_encoding")]
    assert [row.values["title"] for row in rows if isinstance(row, TableRow)] == [text.decode() for text in good]


def test_a_file_without_rows_or_with_a_column_twice_is_an_error(tmp_path: Path):
    with pytest.raises(SourceError, match=r"has no rows, only the columns \['id'\]"):
        open_table(written(tmp_path, {"id": pa.array([], pa.int64())}))
    with pytest.raises(SourceError, match=r"columns \['id'\] are there twice"):
        open_table(written(tmp_path, pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["id", "id"])))


def test_a_missing_column_is_an_error_and_text_options_are_refused(tmp_path: Path):
    path = written(tmp_path, {"id": [1], "labels": ["Hat"]})
    with pytest.raises(SourceError, match=r"need \['label'\]; 'labels' may be meant for 'label'"):
        need(open_table(path), ["label"], path)
    with pytest.raises(OptionError, match=r"encoding does not apply to a \.parquet file"):
        open_table(path, encoding="utf-8")


def test_a_file_cut_anywhere_is_an_error(tmp_path: Path):
    path = written(tmp_path, {"id": list(range(50)), "title": ["Hat"] * 50})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(SourceError, match=r"shop\.parquet"):
            list(open_table(path).rows())


def test_a_file_damaged_in_the_middle_stops_or_gives_all_its_rows(tmp_path: Path):
    count = 2000
    columns = {"id": [f"product {number * 7919 % 1000}" for number in range(count)]}
    path = written(tmp_path, columns, row_group_size=500, write_page_checksum=True)
    whole = path.read_bytes()
    stopped = 0
    for place in range(40, len(whole) - 8, 509):
        path.write_bytes(whole[:place] + b"\xff\xff\xff\xff" + whole[place + 4 :])
        try:
            rows = list(open_table(path).rows())
        except SourceError:
            stopped += 1
        else:
            assert [row.values for row in rows if isinstance(row, TableRow)] == [{"id": name} for name in columns["id"]]
    assert stopped > 0
