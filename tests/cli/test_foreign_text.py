"""Ids, titles, paths and labels that steer a terminal or look like markup: shown, never obeyed."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.markup import escape

from commands_here import refused, run
from shelfwise.cli import foreign
from shelfwise.cli.foreign import visible, visible_json

HOSTILE = "\x1b[31m[red]x[/nothing]\x9b2J\u202eend"
RAW = "\x1b\x9b\u202e\x07"


def test_what_steers_a_terminal_is_written_out_and_other_text_is_left_alone():
    assert visible("a\x1b[2Jb\r\nc\x9b\u202e") == r"a\x1b[2Jb\r\nc\x9b\u202e"
    assert visible("Crème brûlée 中文 👗 \\x1b") == "Crème brûlée 中文 👗 \\x1b"


def test_json_says_the_same():
    value = {"a": [HOSTILE, "é"], "b\u2028": "\x7f"}
    text = visible_json(json.dumps(value, indent=2, ensure_ascii=False))
    assert json.loads(text) == value
    assert not set(text) & set(RAW)


def commands(folder: Path) -> list[list[object]]:
    columns = ["--id", "id", "--title", "title", "--category", "cat", "--split", "split"]
    catalog = folder / "[red] a [b].catalog"  # Lance takes no control characters in a path
    shown = [["show"], ["quarantine", "list"], ["split"], ["undo"], ["verify"]]
    first = ["ingest", "table", folder / "shop.csv", *columns, "--to", catalog, "--max-bad", "100"]
    return [first, *([*words, catalog] for words in shown)]


def hostile_shop(folder: Path) -> list[list[object]]:
    rows = [
        ["id", "title", "cat", "split"],
        [HOSTILE, HOSTILE, HOSTILE, HOSTILE],
        ["2", HOSTILE, "", ""],
        ["3", HOSTILE, HOSTILE, ""],
    ]
    with (folder / "shop.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return commands(folder)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_no_command_lets_foreign_text_reach_the_terminal_raw(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, more: list[str]
):
    for command in hostile_shop(tmp_path):
        code, out, err = run(capsys, *command, *more)
        assert code == 0, err
        assert not set(out + err) & set(RAW), command
    said = refused(capsys, "show", tmp_path / f"no{HOSTILE}")
    assert not set(said) & set(RAW)


def test_without_the_care_it_would(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The negative control: the same commands with rich's own escaping alone."""
    from shelfwise.cli import catalog_summaries

    monkeypatch.setattr(catalog_summaries, "plain", escape)
    first, show, *_ = hostile_shop(tmp_path)
    run(capsys, *first)
    _, out, _ = run(capsys, *show)
    assert set(out) & set(RAW)
    assert foreign.plain(HOSTILE) != escape(HOSTILE)


def test_a_reader_who_has_seen_enough_is_no_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    for command in hostile_shop(tmp_path)[:1]:
        run(capsys, *command)
    shown = f"{Path(sys.executable).with_name('shelfwise')} show '{tmp_path / '[red] a [b].catalog'}'"
    piped = f"{shown} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")
