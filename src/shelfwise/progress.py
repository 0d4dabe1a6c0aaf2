"""The seam between work that takes time and whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Whatever can show how far a task is."""

    def task(self, label: str, total: int | None, to_come: int = 0) -> AbstractContextManager[Advance]:
        """Open a task of `total` steps (None: unknown); calling the value it gives with n says that n more are done.

        to_come: steps of the tasks that will follow this one in a row, as the epochs of a training do.
        """
        ...


class Silent:
    """Shows nothing."""

    @contextmanager
    def task(self, label: str, total: int | None, to_come: int = 0) -> Iterator[Advance]:  # noqa: ARG002
        """Open a task that nobody sees."""
        yield lambda _steps: None


SILENT = Silent()
