from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from read_sources import bad_rows, products, table, told

from drawn_shop import GROCERY, tiny, write
from shelfwise.errors import SourceError, TaxonomyError
from shelfwise.ingest.bookcover30 import BookCover30Source

FORMATS = GROCERY.parents[1] / "formats" / "bookcover30"
LINES = [
    '"60750715","0060750715.jpg","http://ecx.images-amazon.com/images/I/51.jpg","George Balanchine: The Ballet Maker",'
    '"Robert Gottlieb","1","Biographies & Memoirs"',
    '"044310073X","044310073X.jpg","http://ecx.images-amazon.com/images/I/41.jpg","Oral Surgery, 2e","","16","Medical Books"',
    '"7","0000000007.jpg","","NA","","1","Biographies & Memoirs"',
]  # fmt: skip


def test_a_book_is_called_like_its_cover_and_stands_under_its_genre(tmp_path: Path):
    opened = BookCover30Source(table(tmp_path / "list.csv", *LINES), split="test")
    found = products(opened)
    assert [book.product_id for book in found] == ["0060750715", "044310073X", "0000000007"]
    assert [(book.title, book.category, book.split, book.photos) for book in found] == [
        ("George Balanchine: The Ballet Maker", "1", "test", ()), ("Oral Surgery, 2e", "16", "test", ()), ("NA", "1", "test", ()),
    ]  # fmt: skip
    assert {node: opened.taxonomy.names(node) for node in opened.taxonomy.leaves} == {
        "1": ("Biographies & Memoirs",), "16": ("Medical Books",),
    }  # fmt: skip
    assert (opened.kind, opened.taxonomy.level_names) == ("bookcover30", ("genre",))
    assert (found[1].where, found[1].text) == ("list.csv, line 2", LINES[1])
    assert {book.description for book in found} == {None}


def test_covers_that_are_not_there_are_normal_and_those_outside_are_not(tmp_path: Path):
    write(tmp_path / "covers/0060750715.jpg", tiny(1))
    outside = LINES[0].replace("0060750715.jpg", "../list.csv")
    opened = BookCover30Source(table(tmp_path / "list.csv", *LINES, outside), tmp_path / "covers")
    photos = [book.photos[0] for book in products(opened)]
    assert [photo.may_be_missing for photo in photos] == [True, True, True, False]
    assert photos[0].data == tmp_path / "covers/0060750715.jpg"
    assert str(photos[3].data).startswith("path_outside")
    with pytest.raises(SourceError, match="nowhere is not a folder"):
        BookCover30Source(opened.path, tmp_path / "nowhere")


def test_bad_lines_are_told_and_cost_no_other(tmp_path: Path):
    path = table(
        tmp_path / "list.csv", *LINES, LINES[0].replace('"1"', '""'), LINES[0].replace("Biographies & Memoirs", " "),
        LINES[0].replace("0060750715.jpg", ""), '"a","b"',
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + LINES[0].replace("Ballet", "Ballét").encode("latin-1"))
    opened = BookCover30Source(path)
    assert told(opened) == {
        "list.csv, line 4": "label_missing", "list.csv, line 5": "label_missing", "list.csv, line 6": "id_missing",
        "list.csv, line 7": "row_columns", "list.csv, line 8": "row_encoding",
    }  # fmt: skip
    assert len(products(opened)) == 3


def test_a_genre_with_two_names_or_a_name_with_two_ids_is_an_error(tmp_path: Path):
    renamed = LINES[2].replace("Biographies & Memoirs", "Memoirs")
    with pytest.raises(
        SourceError, match="line 3: the genre 1 is called 'Memoirs' here and 'Biographies & Memoirs' on line 1"
    ):
        BookCover30Source(table(tmp_path / "a.csv", *LINES[:2], renamed))
    with pytest.raises(TaxonomyError, match="'Biographies & Memoirs' and 'Biographies & Memoirs'"):
        BookCover30Source(table(tmp_path / "b.csv", *LINES[:2], LINES[2].replace('"1"', '"2"')))


@pytest.fixture(scope="module")
def real() -> BookCover30Source:
    listing = FORMATS / "book30-listing-test.csv"
    if not listing.is_file():
        pytest.skip(f"the BookCover30 listing is not at {listing}: set SHELFWISE_DATA to the folder beside `formats`")
    return BookCover30Source(listing, split="test")


def test_of_the_real_listing_every_line_comes_in_or_is_told(real: BookCover30Source):
    lines = real.path.read_bytes().split(b"\n")[:-1]
    broken = {number for number, line in enumerate(lines, 1) if not _is_utf8(line)}
    # Source: wc -l and, in a UTF-8 locale, grep -avxc '.*'. One title goes on over a second line.
    assert (len(lines), len(broken)) == (5701, 19)
    assert set(told(real)) == {f"book30-listing-test.csv, line {number}" for number in broken}
    assert set(told(real).values()) == {"row_encoding"}
    assert len(products(real)) == 5681
    assert len({book.product_id for book in products(real)}) == 5681


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_the_real_titles_are_readable(real: BookCover30Source):
    titles = {book.product_id: book.title or "" for book in products(real)}
    # What UTF-8 read as cp1252 or latin-1 looks like.
    mangled = re.compile("[\u00c2\u00c3][\u0080-\u00bf\u0152-\u2122]|\ufffd|[\u0080-\u009f]")
    assert not [title for title in titles.values() if mangled.search(title)]
    assert "Carnet de voyage Nouvelle Calédonie." in titles["1517165733"]
    assert titles["8847005272"].startswith("Zoonosi e sanità pubblica")
    assert mangled.search("Zoonosi e sanità".encode().decode("latin-1"))
    assert mangled.search("Calédonie".encode().decode("cp1252"))


def test_the_real_genres_are_those_of_the_list_of_labels_beside_it(real: BookCover30Source):
    labels = dict(line.split() for line in (FORMATS / "bookcover30-labels-test.txt").read_text().splitlines())
    books = products(real)
    assert len(labels) == 5700
    assert all(labels[f"{book.product_id}.jpg"] == book.category for book in books)
    assert len(real.taxonomy.leaves) == 30
    assert real.taxonomy.names("3") == ("Calendars",)
    assert max(Counter(book.category for book in books).values()) == 190
    assert all(bad.text for bad in bad_rows(real))
