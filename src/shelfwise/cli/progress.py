"""Progress on standard error, rate and time left, for anything longer than a moment: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich import progress as rich_progress
from rich.console import Console
from rich.text import Text

from shelfwise.cli.foreign import visible
from shelfwise.progress import Advance, Progress

_EVERY_S = 30.0
"""How often a log is told that work goes on."""


class _Rate(rich_progress.ProgressColumn):
    """Steps per second."""

    def render(self, task: rich_progress.Task) -> Text:
        return Text(_rate(task.finished_speed or task.speed), style="dim")


class _Left(rich_progress.ProgressColumn):
    """Time left, that of the tasks which follow in a row included."""

    def render(self, task: rich_progress.Task) -> Text:
        speed, to_come = task.finished_speed or task.speed, task.fields["to_come"]
        known = speed and task.remaining is not None
        return Text(_left((task.remaining + to_come) / speed if known else None), style="cyan")


class _Bars:
    """Draws each task as one bar that stays when it is done."""

    @contextmanager
    def task(self, label: str, total: int | None, to_come: int = 0) -> Iterator[Advance]:
        columns = (
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            _Rate(),
            rich_progress.TimeElapsedColumn(),
            _Left(),
        )
        with rich_progress.Progress(*columns, console=Console(stderr=True)) as bars:
            shown = bars.add_task(visible(label), total=total, to_come=to_come)
            yield lambda steps: bars.advance(shown, steps)


class Lines:
    """Prints how far a task is every `every_s` seconds, and when it ends; of tasks in a row no two within that time."""

    def __init__(self, every_s: float = _EVERY_S) -> None:
        self._every_s = every_s
        self._last = 0.0

    @contextmanager
    def task(self, label: str, total: int | None, to_come: int = 0) -> Iterator[Advance]:
        """Open a task that is told of in lines."""
        done, started, has_ended = 0, time.monotonic(), threading.Event()

        def advance(steps: int) -> None:
            nonlocal done
            done += steps

        def tell() -> None:
            self._last = time.monotonic()
            seconds = self._last - started
            rate = done / seconds if seconds else 0.0
            of = f"{done:,}" if total is None else f"{done:,}/{total:,}"
            left = (total - done + to_come) / rate if rate and total is not None else None
            words = [visible(label), of, _rate(rate), _clock(seconds), _left(left)]
            print("  ".join(word for word in words if word), file=sys.stderr, flush=True)

        def tell_again_and_again() -> None:
            while not has_ended.wait(max(self._last + self._every_s - time.monotonic(), 0)):
                tell()

        if started - self._last >= self._every_s:
            self._last = started
        teller = threading.Thread(target=tell_again_and_again, daemon=True)
        teller.start()
        try:
            yield advance
        finally:
            has_ended.set()
            teller.join()
            if not to_come or time.monotonic() - self._last >= self._every_s:
                tell()


def bars() -> Progress:
    """Return bars where standard error is a terminal, lines where it is a file or a pipe."""
    return _Bars() if Console(stderr=True).is_terminal else Lines()


def _rate(speed: float | None) -> str:
    return f"{speed:,.0f}/s" if speed and speed >= 10 else f"{speed:.1f}/s" if speed else ""


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f"{_clock(seconds)} left"
