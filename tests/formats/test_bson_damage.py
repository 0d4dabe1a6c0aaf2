"""Damaged BSON files: what is kept, what is said, and what --salvage finds again."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path

import bson
import pytest

from shelfwise.errors import SourceError
from shelfwise.formats import bson_read
from shelfwise.formats.bson_document import MAX_DOCUMENT, Document
from shelfwise.formats.bson_read import Unreadable, index, read_documents
from shelfwise.formats.rows import BadRow


def product(number: int, size: int = 300, filler: bytes = b"\xff\xd8") -> bytes:
    """Encode a product with two pictures of no zero byte."""
    picture = (filler * size)[:size]
    return bson.encode({"_id": number, "category_id": 9, "imgs": [{"picture": picture}, {"picture": picture[::-1]}]})


SOUND = [product(number) for number in range(10)]
FIFTH = sum(map(len, SOUND[:5]))
SIXTH = FIFTH + len(SOUND[5])


def stored(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def with_fifth(fifth: bytes) -> bytes:
    return b"".join([*SOUND[:5], fifth, *SOUND[6:]])


def ids(path: Path, *, salvage: bool = False) -> list[int]:
    return [row.id for row in read_documents(path, salvage=salvage) if isinstance(row, Document)]


def damage(path: Path, *, salvage: bool = False) -> list[Unreadable]:
    return [row for row in read_documents(path, salvage=salvage) if isinstance(row, Unreadable)]


@pytest.mark.parametrize("size", [0, 1, 4, -1, -(2**31), MAX_DOCUMENT + 1, 2**31 - 1])
def test_a_size_that_cannot_be_right_ends_the_file_and_salvage_goes_on_behind_it(tmp_path: Path, size: int) -> None:
    path = stored(tmp_path / "p.bson", with_fifth(struct.pack("<i", size) + SOUND[5][4:]))
    rest = path.stat().st_size - FIFTH
    assert ids(path) == [0, 1, 2, 3, 4]
    (told,) = damage(path)
    assert (told.offset, told.length) == (FIFTH, None)
    assert told.detail.startswith(
        f"5 documents read, the rest ({rest:,} bytes) is unreadable: the document at byte {FIFTH}"
    )
    assert told.detail.endswith("--salvage goes on")
    assert ids(path, salvage=True) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    (told,) = damage(path, salvage=True)
    assert (told.offset, told.length) == (FIFTH, len(SOUND[5]))
    assert told.detail.startswith(f"{len(SOUND[5]):,} bytes skipped")


@pytest.mark.parametrize("wrong", [-1, 1, -200, 200, 5000, 100_000])
def test_a_size_that_is_only_wrong_loses_no_other_document(tmp_path: Path, wrong: int) -> None:
    path = stored(tmp_path / "p.bson", with_fifth(struct.pack("<i", len(SOUND[5]) + wrong) + SOUND[5][4:]))
    assert ids(path) == [0, 1, 2, 3, 4]
    assert damage(path)[0].offset == FIFTH
    assert ids(path, salvage=True) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_a_wrong_size_that_ends_at_a_zero_byte_is_damage_from_its_document_on(tmp_path: Path) -> None:
    short = SOUND[5].index(b"_id\0") + 4
    path = stored(tmp_path / "p.bson", with_fifth(struct.pack("<i", short) + SOUND[5][4:]))
    assert [(told.offset, told.length) for told in damage(path)] == [(FIFTH, None)]
    assert not [row for row in read_documents(path) if isinstance(row, BadRow)]
    assert ids(path, salvage=True) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_a_document_without_its_last_zero_is_damage(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.bson", with_fifth(SOUND[5][:-1] + b"\1"))
    assert ids(path) == [0, 1, 2, 3, 4]
    assert "does not end with a zero byte" in damage(path)[0].detail
    assert ids(path, salvage=True) == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_a_file_cut_anywhere_keeps_what_is_before(tmp_path: Path) -> None:
    whole, ends = b"".join(SOUND[:3]), [len(b"".join(SOUND[:n])) for n in range(1, 4)]
    for stop in [*range(ends[0], ends[0] + 60), *range(ends[0] + 60, len(whole), 41)]:
        path = stored(tmp_path / "p.bson", whole[:stop])
        kept = sum(end <= stop for end in ends)
        for salvage in (False, True):
            assert ids(path, salvage=salvage) == list(range(kept))
            told = damage(path, salvage=salvage)
            assert [d.offset for d in told] == ([] if stop in ends else [ends[kept - 1]])
            assert [d.length for d in told] == ([] if stop in ends else [stop - ends[kept - 1] if salvage else None])


def test_an_unknown_type_in_the_last_whole_document_is_a_bad_row_though_the_file_is_cut_behind_it(
    tmp_path: Path,
) -> None:
    strange = bson.encode({"_id": 3, "odd": 1}).replace(b"\x10odd", b"\x55odd")
    path = stored(tmp_path / "p.bson", SOUND[0] + strange + SOUND[1][:50])
    kinds = [type(row) for row in read_documents(path)]
    assert kinds == [Document, BadRow, Unreadable]
    path = stored(tmp_path / "q.bson", SOUND[0] + strange * 200 + SOUND[1])
    assert [getattr(row, "code", "") for row in read_documents(path)] == ["", *["bson_type"] * 200, ""]


def test_a_file_that_is_no_bson_is_refused_with_and_without_salvage(tmp_path: Path) -> None:
    for data in (
        b"category_id,category_level1\n1,2\n" * 50,
        b"\x89PNG\r\n\x1a\n" + bytes(99),
        b"\x1f\x8b\x08",
        b"\0" * 40,
    ):
        path = stored(tmp_path / "p.bson", data)
        for salvage in (False, True):
            with pytest.raises(SourceError, match="is not a BSON file"):
                list(read_documents(path, salvage=salvage))
    with pytest.raises(SourceError, match="is empty"):
        index(stored(tmp_path / "p.bson", b""))
    with pytest.raises(SourceError, match="is not a file"):
        index(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="is not a file"):
        index(tmp_path / "pipe")


def test_salvage_begins_even_before_the_first_document(tmp_path: Path) -> None:
    path = stored(tmp_path / "p.bson", b"junk" * 9 + b"".join(SOUND))
    assert ids(path, salvage=True) == list(range(10))
    assert [(told.offset, told.length) for told in damage(path, salvage=True)] == [(0, 36)]


def test_salvage_is_not_taken_in_by_what_only_looks_like_a_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoy = b"\xff\xff" + SOUND[7][:90] + b"\xff" * 700
    path = stored(tmp_path / "p.bson", with_fifth(struct.pack("<i", 3) + decoy))
    assert ids(path, salvage=True) == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert len(damage(path, salvage=True)) == 1
    monkeypatch.setattr(bson_read._Reader, "_is_sound", lambda *_: True)  # the control: any beginning is believed
    assert len(damage(path, salvage=True)) > 1


def test_salvage_finds_a_beginning_across_the_edge_of_what_it_reads_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(tmp_path / "p.bson", SOUND[0] + bytes([1]) * 200 + b"".join(SOUND[1:]))
    for block in range(1, 120, 7):
        monkeypatch.setattr(bson_read, "_SCAN", block)
        assert ids(path, salvage=True) == list(range(10)), block


def test_damage_in_every_other_document_loses_no_sound_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"".join(document + b"damage" for document in SOUND * 30)
    path = stored(tmp_path / "p.bson", data)
    for block in (2**23, 1000):  # the next document lies in memory, or not yet
        monkeypatch.setattr("shelfwise.formats.bson_window.BLOCK", block)
        assert ids(path, salvage=True) == list(range(10)) * 30
        assert len(damage(path, salvage=True)) == 300


def test_documents_of_16_mib_are_read_and_larger_ones_are_damage(tmp_path: Path) -> None:
    most = (MAX_DOCUMENT - len(product(5, 0))) // 2
    path = stored(tmp_path / "p.bson", b"".join([SOUND[0], product(5, most), product(6, most), SOUND[1]]))
    assert ids(path) == [0, 5, 6, 1]
    path = stored(tmp_path / "p.bson", b"".join([SOUND[0], product(5, most + 1), SOUND[1]]))
    assert ids(path) == [0]
    assert "16 MiB" in damage(path)[0].detail
    assert ids(path, salvage=True) == [0, 1]


def test_the_edge_of_a_block_may_lie_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored(tmp_path / "p.bson", b"".join(SOUND))
    whole = list(read_documents(path))
    for block in [1, 3, *range(90, 1500, 97)]:
        monkeypatch.setattr("shelfwise.formats.bson_window.BLOCK", block)
        assert list(read_documents(path)) == whole


COUNT = """
import sys
from pathlib import Path
from shelfwise.formats.bson_read import read_documents
rows = read_documents(Path(sys.argv[1]))
if sys.argv[2] == "keep":
    rows = list(rows)
count = sum(1 for _ in rows)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(count, peak.split()[1])
"""


def peak_kib(path: Path, *, keep: bool = False) -> int:
    command = [sys.executable, "-c", COUNT, str(path), "keep" if keep else "count"]
    count, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(count) == path.stat().st_size // len(product(1, 700))
    return int(peak)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_is_the_same_for_ten_times_as_many_documents(tmp_path: Path) -> None:
    few = stored(tmp_path / "few.bson", product(1, 700) * 20_000)
    many = stored(tmp_path / "many.bson", product(1, 700) * 200_000)
    assert peak_kib(many) < 1.1 * peak_kib(few)
    assert peak_kib(many, keep=True) > 1.4 * peak_kib(few)  # the control: all documents kept


def test_a_disk_that_fails_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = stored(tmp_path / "p.bson", b"".join(SOUND))
    monkeypatch.setattr(os, "preadv", failing)
    with pytest.raises(SourceError, match=r"p\.bson cannot be read: Input/output error"):
        ids(path)
