from __future__ import annotations

import csv
import io
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shelfwise.errors import OptionError, SourceError
from shelfwise.formats import csv_rows
from shelfwise.formats.csv_write import unescaped, write_csv
from shelfwise.formats.open_table import need, open_table
from shelfwise.formats.rows import BadRow, Table, TableRow

# No NUL, which is bad in a row, no half of a surrogate pair, which is no text, no byte order mark, which is the file's.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=12)
AWKWARD = st.text(st.sampled_from("a,;\"\r\n\t '=é"), max_size=8)
CELL = TEXT | AWKWARD
ENDS = ["\n", "\r\n", "\r"]


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header of different names and at least one row."""
    header = draw(st.lists(CELL.filter(bool), min_size=1, max_size=5, unique=True))
    width = len(header)
    return [header, *draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=8))]


def by_the_writer(table: list[list[str]], end: str, quoting: int) -> bytes:
    """Write with Python's csv module; with its own line end it quotes each kind of line end inside fields."""
    if end != "\r\n":
        quoting = csv.QUOTE_ALL
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows(table)  # type: ignore[arg-type]
    return text.getvalue().encode()


def read(path: Path, data: bytes) -> list[TableRow | BadRow]:
    path.write_bytes(data)
    return list(open_table(path).rows())


def comes_back(folder: Path, table: list[list[str]], end: str, quoting: int) -> None:
    header, *rows = table
    data = by_the_writer(table, end, quoting)
    found = read(folder / "table.csv", data)
    assert [row.values for row in found if isinstance(row, TableRow)] == [
        dict(zip(header, row, strict=True)) for row in rows
    ]
    places = [int(row.where.removeprefix("line ")) for row in found]
    assert places == started_lines(data.decode())


def started_lines(text: str) -> list[int]:
    """On which line each row behind the header starts: a walk from character to character, quotes toggling."""
    lines, line, inside, at_start, position = [], 1, False, True, 0
    while position < len(text):
        if at_start and text[position] not in "\r\n":
            lines.append(line)
        character = text[position]
        inside ^= character == '"'
        position += 2 if text.startswith("\r\n", position) else 1
        ended = character in "\r\n"
        line += ended
        at_start = ended and not inside
    return lines[1:]


@given(table=tables(), end=st.sampled_from(ENDS), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_200_tables_written_by_python_come_back_with_the_line_each_row_starts_on(tmp_path, table, end, quoting):
    comes_back(tmp_path, table, end, quoting)


@pytest.mark.slow
@given(table=tables(), end=st.sampled_from(ENDS), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_1000_tables_written_by_python_come_back_with_the_line_each_row_starts_on(tmp_path, table, end, quoting):
    comes_back(tmp_path, table, end, quoting)


@given(text=st.text(st.sampled_from('ab,"\n\r '), max_size=40))
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_soup_of_quotes_and_line_ends_reads_as_by_strict_csv_or_stops_where_that_stops(tmp_path: Path, text: str):
    columns = [str(number) for number in range(41)]
    try:
        expected = [fields for fields in csv.reader(io.StringIO(text, newline=""), strict=True) if fields]
    except csv.Error:
        expected = None
    path = tmp_path / "soup.csv"
    path.write_bytes(text.encode())
    try:
        found = [
            int(row.detail.split()[0]) for row in open_table(path, columns=columns).rows() if isinstance(row, BadRow)
        ]
    except SourceError:
        assert not expected
    else:
        assert expected is not None
        assert found == [len(fields) for fields in expected]


@given(text=st.text(st.sampled_from('ab,"\n'), max_size=30))
@settings(max_examples=300, deadline=None)
def test_the_splitting_of_long_rows_is_that_of_csv(text: str):
    """Rows that csv.reader refuses for a field's length are split by a pattern: it must agree on all others."""
    try:
        records = list(csv.reader([text], strict=True))
    except csv.Error:
        records = None
    fields, start, _ = csv_rows._split(text, ",")
    if records is not None and start is None and text.strip("\n"):
        assert fields == records[0]
    if start is not None:
        assert records is None


@pytest.mark.parametrize("rest", ['""x\nend",9', 'end",5" pipe', 'a","b\n""\nc",9', '"",""\n",9', '"'])
def test_no_row_behind_a_field_that_is_too_long_is_lost(tmp_path: Path, rest: str):
    """csv.reader gives up inside such a field: where its row ends must be found without it."""
    start = '1,"' + "x" * 200_000
    behind = ['2,5" pipe', '3,"A\nB"', '4,"""C"""']
    found = read(tmp_path / "shop.csv", "\n".join(["id,title", start, rest, *behind, ""]).encode())
    ends_on = 3 + rest.count("\n")
    assert [row.where for row in found] == ["line 2", *(f"line {ends_on + number}" for number in (1, 2, 4))]
    assert [row.values["id"] for row in found if isinstance(row, TableRow)] == ["2", "3", "4"]
    assert isinstance(found[0], BadRow)
    assert found[0].code == "row_field_size"


def test_a_lenient_reader_loses_half_of_a_hundred_rows_without_a_word_and_ours_names_the_line(tmp_path: Path):
    lines = ["id,title", *(f"{number},Dress" for number in range(100))]
    lines[51] = '50,"Dress'
    path = tmp_path / "shop.csv"
    path.write_text("\n".join(lines) + "\n")
    with path.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 51  # the 51st swallowed the 49 behind it
    with pytest.raises(SourceError, match="line 52: the quote that opens here is not closed"):
        list(open_table(path).rows())


def test_names_can_be_given_for_a_file_without_a_header(tmp_path: Path):
    path = tmp_path / "books.csv"
    path.write_text('"1","a.jpg"\n"2"\n')
    table = open_table(path, columns=["id", "file"])
    assert list(table.rows()) == [
        TableRow("line 1", {"id": "1", "file": "a.jpg"}, '"1","a.jpg"'),
        BadRow("line 2", "row_columns", "1 field, expected are 2", '"2"'),
    ]
    assert list(table.rows()) == list(table.rows())


def test_an_unknown_column_is_an_error_with_the_nearest_name(tmp_path: Path):
    table = Table(("id", "titel", "price"), "utf-8", lambda: iter(()))
    need(table, ["id", "price"], tmp_path / "shop.csv")
    with pytest.raises(
        SourceError, match=r"found columns \['id', 'titel', 'price'\], need \['title'\]; 'titel' may be"
    ):
        need(table, ["id", "title"], tmp_path / "shop.csv")


@pytest.mark.parametrize(("separator", "told"), [(";", "';'"), ("\t", "tab"), ("|", "'|'")])
def test_a_wrong_separator_is_named_and_what_is_named_works(tmp_path: Path, separator: str, told: str):
    path = tmp_path / "shop.csv"
    path.write_text(f"id{separator}title\n1{separator}Dress\n")
    with pytest.raises(SourceError) as caught:
        need(open_table(path), ["id"], path)
    assert str(caught.value).endswith(f"give --separator {told}")
    table = open_table(path, separator=told.strip("'"))
    need(table, ["id", "title"], path)
    assert [row.values for row in table.rows() if isinstance(row, TableRow)] == [{"id": "1", "title": "Dress"}]


def test_a_table_of_one_column_is_no_wrong_separator(tmp_path: Path):
    path = tmp_path / "shop.csv"
    path.write_text("id; and more\n1\n")
    table = open_table(path)
    need(table, ["id; and more"], path)
    assert len(list(table.rows())) == 1


def test_tsv_is_separated_by_tabs(tmp_path: Path):
    path = tmp_path / "shop.TSV"
    path.write_text("id\ttitle\n1\tA, B\n")
    assert [row.values for row in open_table(path).rows() if isinstance(row, TableRow)] == [
        {"id": "1", "title": "A, B"}
    ]


def test_an_option_that_does_not_fit_the_file_is_refused(tmp_path: Path):
    path = tmp_path / "shop.csv"
    path.write_text("id\n1\n")
    for separator in ("", ";;", '"', "\n"):
        with pytest.raises(OptionError, match="separator"):
            csv_rows.open_csv(path, separator)
    with pytest.raises(OptionError, match=r"members does not apply to a \.csv file"):
        open_table(path, members="images")
    with pytest.raises(OptionError, match=r"separator does not apply to a \.json file"):
        open_table(tmp_path / "shop.json", separator=";")
    with pytest.raises(SourceError, match=r"shop\.xlsx is no table: its name must end in one of \.csv"):
        open_table(tmp_path / "shop.xlsx")


def test_a_quote_that_swallows_the_rest_of_a_large_file_is_named_before_it_fills_the_memory(tmp_path: Path):
    path = tmp_path / "shop.csv"
    path.write_bytes(b'id,title\n1,Dress\n2,"' + b"x,y\n" * 2**22)
    assert opening_cost(path) < 48 * 2**20
    with pytest.raises(SourceError, match="line 3: the quote that opens here is not closed, "):
        list(open_table(path).rows())


def test_a_line_without_an_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(csv_rows, "LONGEST_ROW", 1000)
    path = tmp_path / "shop.csv"
    path.write_bytes(b"id,title\n1,Dress\n" + b"x" * 1000)
    with pytest.raises(SourceError, match="line 3: more than 1000 characters in one row"):
        list(open_table(path).rows())


def opening_cost(path: Path) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(SourceError):
            list(open_table(path).rows())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_stays_flat_whatever_the_number_of_rows(tmp_path: Path):
    path = tmp_path / "shop.csv"
    path.write_bytes(b"id,title\n" + b"1234567,A dress in red and white\n" * 20_000)
    table = open_table(path)
    tracemalloc.start()
    assert sum(1 for _ in table.rows()) == 20_000
    used = tracemalloc.get_traced_memory()[1]
    held = list(table.rows())  # negative control: a reader that keeps the rows
    kept = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(held) == 20_000
    assert used < 2**20 < 5 * 2**20 < kept


@pytest.mark.slow
def test_reading_takes_less_than_three_times_as_long_as_a_dict_reader_that_checks_nothing(tmp_path: Path):
    path = tmp_path / "shop.csv"
    path.write_bytes(
        b"id,title,category,price\n" + b"1234567,A dress in red and white,Clothing > Dresses,12.50\n" * 100_000
    )
    table = open_table(path)

    def plain() -> int:
        with path.open(newline="", encoding="utf-8") as file:
            return sum(1 for _ in csv.DictReader(file))

    def fastest(count: Callable[[], int]) -> float:
        seconds = []
        for _ in range(5):
            start = time.process_time()
            assert count() == 100_000
            seconds.append(time.process_time() - start)
        return min(seconds)

    assert fastest(lambda: sum(1 for _ in table.rows())) < 3 * fastest(plain)


@given(table=tables())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_we_export_reads_back_as_it_was(tmp_path: Path, table: list[list[str]]):
    header, *rows = table
    records = [dict(zip(header, row, strict=True)) for row in rows]
    path = tmp_path / "export.csv"
    path.write_bytes(b"".join(write_csv(records, header)))
    back = [row.values for row in open_table(path).rows() if isinstance(row, TableRow)]
    assert [{unescaped(name): unescaped(value) for name, value in row.items()} for row in back] == records
    assert [len(fields) for fields in csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), strict=True)] == [
        len(header)
    ] * len(table)


def test_no_exported_cell_begins_as_a_formula():
    values = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "fine", ""]
    data = b"".join(write_csv([{"=a": value} for value in values], ["=a"])).decode()
    cells = [fields[0] for fields in csv.reader(io.StringIO(data, newline=""), strict=True)]
    assert cells == ["'=a", "'=cmd|' /C calc'!A0", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "'\r=1", "''=1", "fine", ""]
    assert [unescaped(cell) for cell in cells[1:]] == values
