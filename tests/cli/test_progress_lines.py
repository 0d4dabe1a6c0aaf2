"""Progress where standard error is no terminal: a line now and then, never a flood, never silence."""

from __future__ import annotations

import io
import re
import time
from datetime import timedelta

import pytest
from rich.console import Console
from rich.progress import Progress

from shelfwise.cli.progress import Lines, _Left, bars


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_a_short_task_is_told_of_once_at_its_end(capsys: pytest.CaptureFixture[str]):
    with Lines().task("write the bundle", 3) as advance:
        for _ in range(3):
            advance(1)
    (line,) = lines_of(capsys)
    assert re.fullmatch(r"write the bundle  3/3  [\d,.]+/s  0:00:00  0:00:00 left", line)


def test_a_long_task_is_told_of_again_and_again_though_it_does_not_move(capsys: pytest.CaptureFixture[str]):
    with Lines(every_s=0.2).task("stuck", 10) as advance:
        advance(5)
        time.sleep(1.1)
    told = lines_of(capsys)
    assert 2 <= len(told) <= 7
    assert all(line.startswith("stuck  5/10  ") for line in told)


def test_of_many_short_tasks_in_a_row_the_last_is_told_of_and_few_others(capsys: pytest.CaptureFixture[str]):
    lines = Lines(every_s=0.25)
    for epoch in range(1, 41):
        with lines.task(f"epoch {epoch} of 40", 10, to_come=10 * (40 - epoch)) as advance:
            time.sleep(0.02)
            advance(10)
    told = lines_of(capsys)
    assert 2 <= len(told) <= 9
    assert told[-1].startswith("epoch 40 of 40  10/10")


def test_the_time_left_is_that_of_all_tasks_in_the_row(capsys: pytest.CaptureFixture[str]):
    with Lines(every_s=0.4).task("epoch 1 of 101", 20, to_come=2000) as advance:
        time.sleep(0.2)
        advance(10)  # 10 in 0.4 seconds: 10 more here and 2,000 to come take 80 seconds
        time.sleep(0.3)
    first = lines_of(capsys)[0]
    minutes, seconds = re.search(r"0:0(\d):(\d\d) left", first).groups()
    assert 60 <= 60 * int(minutes) + int(seconds) <= 400


def test_a_task_of_unknown_length_says_what_is_done(capsys: pytest.CaptureFixture[str]):
    with Lines().task("read", None) as advance:
        advance(1234)
    assert lines_of(capsys)[0].startswith("read  1,234  ")


def test_a_label_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]):
    with Lines().task("bad\x1b[2Jname", 1):
        pass
    assert "\x1b" not in lines_of(capsys)[0]


def test_on_a_terminal_the_bar_of_an_epoch_counts_the_epochs_to_come():
    seconds = iter(range(1000))
    console = Console(file=io.StringIO())
    with Progress(_Left(), console=console, get_time=lambda: float(next(seconds)), auto_refresh=False) as drawn:
        shown = drawn.add_task("epoch 1 of 6", total=200, to_come=1000)
        for _ in range(10):
            drawn.advance(shown, 10)
        task = drawn.tasks[0]
        told = _Left().render(task).plain
    assert told == f"{timedelta(seconds=int((100 + 1000) / task.speed))} left"


def test_bars_are_drawn_where_standard_error_is_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert isinstance(bars(), Lines)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with bars().task("learn", 4, to_come=8) as advance:
        advance(4)
    assert "4/4" in capsys.readouterr().err
