from __future__ import annotations

import ctypes
import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from shelfwise.errors import DiskFullError
from shelfwise.files import cache_folder, new_folder, replace_folder, sha256_of_file, text_of, write_bytes, write_json

# A file of one letter a megabyte long, then of the next letter, for ever.
ATOMIC = """
import sys
from itertools import cycle
from pathlib import Path
from shelfwise.files import write_bytes
for letter in cycle(b"abc"):
    write_bytes(Path(sys.argv[1]), bytes([letter]) * 2**20)
"""
IN_PLACE = ATOMIC.replace("write_bytes(Path(sys.argv[1]), ", "Path(sys.argv[1]).write_bytes(")
FILLING = """
import sys
from pathlib import Path
from shelfwise.files import new_folder
with new_folder(Path(sys.argv[1])) as part:
    (part / "half").write_text("half")
    print(part, flush=True)
    sys.stdin.read()
"""


def torn_after_kills(code: str, folder: Path, kills: int) -> int:
    """Count how often a killed writer leaves a file that is not one letter a megabyte long."""
    seconds, torn = random.Random(0), 0
    for number in range(kills):
        file = folder / f"{number}.bin"
        child = subprocess.Popen([sys.executable, "-c", code, file])
        while not file.exists():
            time.sleep(0.002)
        time.sleep(seconds.uniform(0.01, 0.1))
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        data = file.read_bytes()
        torn += len(data) != 2**20 or len(set(data)) != 1
    return torn


@pytest.mark.slow
def test_a_file_is_whole_after_every_one_of_20_kills_while_a_writer_in_place_is_seen_to_tear(tmp_path: Path):
    assert torn_after_kills(ATOMIC, tmp_path, 20) == 0
    control = tmp_path / "control"
    control.mkdir()
    assert torn_after_kills(IN_PLACE, control, 20) > 0


def test_a_failed_write_leaves_the_old_content_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "figures.json"
    write_json(file, {"old": 1})

    def full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(DiskFullError, match=r"disk full: .*figures.json needs about 15 bytes, [\d,]+ are free"):
        write_json(file, {"new": 2})
    assert json.loads(file.read_text()) == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]


def test_the_content_reaches_the_disk_before_the_name_and_the_name_before_the_answer(tmp_path: Path):
    code = "from pathlib import Path; from shelfwise.files import write_bytes; write_bytes(Path('x'), b'x')"
    calls = traced(code, tmp_path)
    named = next(place for place, call in enumerate(calls) if "rename" in call and '"x"' in call)
    assert any("fsync" in call for call in calls[:named])
    assert any("fsync" in call for call in calls[named:])


def test_a_folder_and_all_in_it_reach_the_disk_before_it_gets_its_name(tmp_path: Path):
    code = """
from pathlib import Path
from shelfwise.files import new_folder
with new_folder(Path("whole")) as part:
    (part / "below").mkdir()
    (part / "one").write_text("1")
    (part / "below" / "two").write_text("2")
"""
    calls = traced(code, tmp_path)
    named = next(place for place, call in enumerate(calls) if "rename" in call and '"whole"' in call)
    assert sum("fsync" in call for call in calls[:named]) == 4
    assert any("fsync" in call for call in calls[named:])


def traced(code: str, folder: Path) -> list[str]:
    log = folder / "strace.log"
    try:
        subprocess.run(
            ["strace", "-f", "-qq", "-o", log, "-e", "trace=fsync,rename,renameat,renameat2", sys.executable, "-c", code],
            cwd=folder, check=True,
        )  # fmt: skip
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"strace cannot be used here: {error}")
    return log.read_text().splitlines()


def test_a_new_file_is_as_readable_as_any_other(tmp_path: Path):
    write_bytes(tmp_path / "deep" / "er" / "ours", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "deep/er/ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_json_is_strict_and_keeps_letters(tmp_path: Path):
    write_json(tmp_path / "x.json", {"name": "Blåbär"})
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == '{\n  "name": "Blåbär"\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"figure": float("nan")})
    assert "Blåbär" in (tmp_path / "x.json").read_text(encoding="utf-8")


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path):
    target = tmp_path / "shop.catalog"
    with new_folder(target) as part:
        (part / "table").write_text("1")
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["table"]
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "other") as part:
        (part / "table").write_text("1")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["shop.catalog"]


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_fills_is_not(tmp_path: Path):
    target = tmp_path / "a[b].catalog"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", FILLING, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    killed, living = (Path(child.stdout.readline().strip()) for child in children)
    children[0].kill()
    children[0].wait()
    assert killed.exists()
    with new_folder(target) as part:
        assert not killed.exists()
        assert (living / "half").read_text() == "half"
        (part / "whole").write_text("whole")
    assert (target / "whole").exists()
    _, _ = children[1].communicate()
    assert children[1].returncode != 0  # the name is taken by now
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    children[0].stdin.close()
    children[0].stdout.close()


def test_a_digest_is_that_of_the_content(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"abc")
    # Source: FIPS 180-2, appendix B.1.
    assert sha256_of_file(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_name_that_is_no_utf8_becomes_text_that_can_be_stored():
    assert text_of(Path("Blåbär/1.jpg")) == "Blåbär/1.jpg"
    assert text_of(Path(os.fsdecode(b"bl\xe5b/1.jpg"))) == r"bl\xe5b/1.jpg"


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SHELFWISE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SHELFWISE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/shelfwise")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "shelfwise"


def test_a_folder_takes_the_place_of_another_in_one_step_or_leaves_it_alone(tmp_path: Path):
    old = tmp_path / "kept"
    old.mkdir()
    (old / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), replace_folder(old) as part:
        (part / "a").write_text("new")
        raise ZeroDivisionError
    assert (old / "a").read_text() == "old"
    with replace_folder(old) as part:
        (part / "b").write_text("new")
        assert (old / "a").read_text() == "old"
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["kept", "kept/b"]


@pytest.mark.parametrize("missing", [True, False])
def test_where_two_folders_cannot_change_places_at_once_one_is_renamed_away_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: bool
):
    def refused(*_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    library = SimpleNamespace() if missing else SimpleNamespace(renameat2=refused)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)
    (tmp_path / "kept").mkdir()
    with replace_folder(tmp_path / "kept") as part:
        (part / "b").write_text("new")
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["kept", "kept/b"]
