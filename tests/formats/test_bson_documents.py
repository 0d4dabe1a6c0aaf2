"""BSON against pymongo, which is an independent writer and reader."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import bson
import numpy as np
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shelfwise.errors import SourceError
from shelfwise.formats import bson_columns
from shelfwise.formats.bson_document import BadDocument, Document, read_document
from shelfwise.formats.bson_read import index, read_documents
from shelfwise.formats.bson_write import write_documents
from shelfwise.formats.rows import BadRow

ID32, ID64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
PICTURES = st.lists(st.binary(max_size=60), min_size=1, max_size=12)
EVERY_TYPE: dict[str, Any] = {
    "double": 1.5, "text": "é", "document": {"a": {"b": [1, {"c": None}]}}, "array": [1, "x"], "binary": Binary(b"x", 5),
    "old": Binary(b"xyz", 2), "object": ObjectId(), "yes": True, "date": datetime(2017, 9, 14), "null": None,
    "pattern": Regex("^a", "i"), "code": Code("f()"), "scoped": Code("f()", {"x": {"y": 1}}), "int": 1, "time": Timestamp(1, 2),
    "long": Int64(2**40), "decimal": Decimal128("1.5"), "least": MinKey(), "most": MaxKey(), "ref": DBRef("c", 1),
}  # fmt: skip


def product(number: Any, category: Any, pictures: list[bytes]) -> dict[str, Any]:
    """Lay out a product as Cdiscount does."""
    label = {} if category is None else {"category_id": category}
    return {"_id": number, **label, "imgs": [{"picture": picture} for picture in pictures]}


def stored(path: Path, *documents: dict[str, Any] | bytes) -> Path:
    path.write_bytes(b"".join(d if isinstance(d, bytes) else bson.encode(d) for d in documents))
    return path


def said(path: Path) -> list[tuple[int, int | None, list[bytes]]]:
    """Read the documents, and their pictures out of the file by place; all must be sound."""
    data = path.read_bytes()
    rows = list(read_documents(path))
    assert all(isinstance(row, Document) for row in rows), rows
    return [(r.id, r.category, [data[at : at + size] for at, size in r.pictures]) for r in rows]


def only_bad(path: Path) -> BadRow:
    (row,) = read_documents(path)
    assert isinstance(row, BadRow), row
    return row


def fault(document: dict[str, Any] | bytes) -> str:
    data = document if isinstance(document, bytes) else bson.encode(document)
    found = read_document(data, 0)
    assert isinstance(found, BadDocument), found
    return found.row.code


@given(st.lists(st.tuples(ID64, st.none() | ID64, PICTURES), max_size=8))
def test_what_is_written_is_what_pymongo_writes(documents: list[tuple[int, int | None, list[bytes]]]) -> None:
    file = io.BytesIO()
    assert write_documents(file, documents) == len(documents)
    assert file.getvalue() == b"".join(bson.encode(product(*document)) for document in documents)


def test_ids_of_64_bits_where_32_do_are_seen_to_differ_from_the_original() -> None:
    file = io.BytesIO()
    write_documents(file, [(1, 2, [b"x"])])
    assert file.getvalue() != bson.encode(product(Int64(1), 2, [b"x"]))


def test_what_no_reader_would_take_is_not_written() -> None:
    with pytest.raises(SourceError, match="16 MiB"):
        write_documents(io.BytesIO(), [(1, 2, [bytes(17 * 2**20)])])
    with pytest.raises(SourceError, match="64 bits"):
        write_documents(io.BytesIO(), [(2**63, 2, [b"x"])])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=st.lists(st.tuples(ID64, st.none() | ID64, PICTURES), min_size=1, max_size=8))
def test_what_pymongo_writes_is_read_as_pymongo_reads_it(
    tmp_path: Path, documents: list[tuple[int, int | None, list[bytes]]]
) -> None:
    path = stored(tmp_path / "p.bson", *(product(*document) for document in documents))
    with path.open("rb") as file:
        expected = [
            (d["_id"], d.get("category_id"), [i["picture"] for i in d["imgs"]]) for d in bson.decode_file_iter(file)
        ]
    assert said(path) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
def test_bulk_and_exact_reader_agree_on_any_damage_within_a_document(tmp_path: Path, data: st.DataObject) -> None:
    pictures = data.draw(st.lists(st.binary(max_size=5), max_size=4))
    document = bytearray(bson.encode(product(data.draw(ID32), data.draw(st.none() | ID32), pictures)))
    place = data.draw(st.integers(4, len(document) - 2))
    document[place] = data.draw(st.integers(0, 255))
    after = bson.encode(product(1, 2, [b"x"]))
    rows = list(read_documents(stored(tmp_path / "p.bson", bytes(document), after)))
    exact = read_document(bytes(document), 0)
    assert rows[0] == (exact if isinstance(exact, Document) else exact.row)
    assert len(rows) == 2


def test_a_bulk_reader_that_forgets_to_compare_names_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = bson.encode(product(1, 2, [b"x"])).replace(b"picture", b"pixture")
    path = stored(tmp_path / "p.bson", document)
    assert only_bad(path).code == "field_missing"
    monkeypatch.setattr(bson_columns, "_named", lambda head: np.ones(len(head), bool))
    assert isinstance(next(read_documents(path)), Document)


def test_every_type_is_stepped_over_in_any_field_order(tmp_path: Path) -> None:
    extra = dict(EVERY_TYPE)
    document = {"imgs": [{"more": extra, "picture": b"jpeg", "end": 1}], **extra, "category_id": Int64(7), "_id": 5}
    path = stored(tmp_path / "p.bson", document, product(6, 7, [b"a"]))
    assert said(path) == [(5, 7, [b"jpeg"]), (6, 7, [b"a"])]


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_each_type_cut_anywhere_is_a_bad_row_and_nothing_else(name: str) -> None:
    whole = bson.encode({"_id": 1, name: EVERY_TYPE[name]})
    for stop in range(15, len(whole) - 1):
        cut = (stop + 1).to_bytes(4, "little") + whole[4:stop] + b"\0"
        found = read_document(cut, 0)
        assert isinstance(found, BadDocument), stop


def test_undefined_and_pointer_which_nobody_writes_any_more_are_stepped_over() -> None:
    document = bytearray(bson.encode(product(1, 2, [b"x"])))
    old = b"\x06u\0" + b"\x0cp\0\x02\0\0\0a\0" + bytes(12) + b"\x0es\0\x02\0\0\0a\0"
    document[-1:] = old + b"\0"
    document[:4] = len(document).to_bytes(4, "little")
    assert isinstance(read_document(bytes(document), 0), Document)


def test_more_images_than_four_are_kept(tmp_path: Path) -> None:
    pictures = [bytes([n]) * n for n in range(1, 15)]
    path = stored(tmp_path / "p.bson", product(1, 2, pictures[:5]), product(2, 2, pictures))
    assert said(path) == [(1, 2, pictures[:5]), (2, 2, pictures)]


def test_a_picture_in_the_old_form_of_binary_is_read_without_its_second_length(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.bson", {"_id": 1, "imgs": [{"picture": Binary(b"jpeg", 2)}]})
    assert said(path) == [(1, None, [b"jpeg"])]


def test_a_bad_field_is_a_bad_row_with_its_code() -> None:
    image = [{"picture": b"x"}]
    assert fault({"category_id": 1, "imgs": image}) == "id_missing"
    assert fault({"_id": 1, "category_id": 1, "imgs": []}) == "no_image"
    assert fault({"_id": 1, "category_id": 1}) == "no_image"
    assert fault({"_id": 1, "imgs": [{}]}) == "field_missing"
    for bad in ("5", 5.0, None, True, ObjectId(), [1]):
        assert fault({"_id": bad, "imgs": image}) == "field_type"
        assert fault({"_id": 1, "category_id": bad, "imgs": image}) == "field_type"
    for bad in (
        "x",
        {"0": {"picture": b"x"}},
        b"x",
        None,
        ["x"],
        [{"picture": "x"}],
        [{"picture": Binary(bytes(16), 4)}],
    ):
        assert fault({"_id": 1, "imgs": bad}) == "field_type"
    twice = bson.encode({"_id": 1, "imgs": image, "_ie": 1}).replace(b"_ie", b"_id")
    assert fault(twice) == "field_twice"


def test_an_unknown_type_and_text_that_is_no_utf8_are_bad_rows() -> None:
    sound = bson.encode({"_id": 1, "imgs": [{"picture": b"x"}], "extra": "abc"})
    assert isinstance(read_document(sound, 0), Document)
    assert fault(sound.replace(b"\x02extra", b"\x55extra")) == "bson_type"
    assert fault(sound.replace(b"abc", b"a\xffc")) == "row_encoding"
    assert fault(sound.replace(b"extra", b"e\xfftra")) == "row_encoding"


def nested(depth: int) -> bytes:
    """Lay a document with an _id `depth` documents deep."""
    inner = b"\x05\0\0\0\0"
    for _ in range(depth - 1):
        inner = (len(inner) + 8).to_bytes(4, "little") + b"\x03d\0" + inner + b"\0"
    fields = bson.encode(product(1, 2, [b"x"]))[4:-1] + inner[4:-1]
    return (len(fields) + 5).to_bytes(4, "little") + fields + b"\0"


def test_64_documents_may_be_nested_and_65_not() -> None:
    assert isinstance(read_document(nested(64), 0), Document)
    assert fault(nested(65)) == "row_depth"
    assert fault(nested(5_000)) == "row_depth"


def test_a_bad_row_says_where_it_is_whose_it_is_and_how_it_begins(tmp_path: Path) -> None:
    first = product(1, 2, [b"x" * 400])
    path = stored(tmp_path / "p.bson", first, {"_id": 77, "category_id": "shoes", "imgs": []}, first)
    _, bad, _ = read_documents(path)
    assert isinstance(bad, BadRow)
    assert (bad.where, bad.code, bad.product_id) == (f"byte {len(bson.encode(first))}", "field_type", "77")
    assert bad.detail == "'category_id' is a string, not a whole number"
    assert "shoes" in bad.text and len(bad.text) <= 200


def test_the_index_says_in_arrays_what_the_documents_say_one_by_one(tmp_path: Path) -> None:
    documents = [product(n, None if n % 3 else n, [b"x" * (n % 7)] * (n % 6)) for n in range(500)]
    path = stored(tmp_path / "p.bson", *documents)
    found = index(path)
    rows = [row for row in read_documents(path) if isinstance(row, Document)]
    assert list(found.columns.documents()) == rows
    assert found.bad == 500 - len(rows) == len([d for d in documents if not d["imgs"]])
    assert found.columns.first[-1] == len(found.columns.picture_offset) == sum(len(d["imgs"]) for d in documents)
