"""Progress bars on standard error: rate and time left, for anything longer than a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich import progress as rich_progress
from rich.console import Console
from rich.text import Text

from shelfwise.cli.foreign import visible
from shelfwise.progress import Advance, Progress


class _Rate(rich_progress.ProgressColumn):
    """Steps per second."""

    def render(self, task: rich_progress.Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed and speed >= 10 else f"{speed:.1f}/s" if speed else "", style="dim")


class _Bars:
    """Draws each task as one bar that stays when it is done."""

    @contextmanager
    def task(self, label: str, total: int | None) -> Iterator[Advance]:
        columns = (
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            _Rate(),
            rich_progress.TimeElapsedColumn(),
            rich_progress.TextColumn("left"),
            rich_progress.TimeRemainingColumn(),
        )
        with rich_progress.Progress(*columns, console=Console(stderr=True)) as bars:
            shown = bars.add_task(visible(label), total=total)
            yield lambda steps: bars.advance(shown, steps)


def bars() -> Progress:
    """Return bars on standard error."""
    return _Bars()
