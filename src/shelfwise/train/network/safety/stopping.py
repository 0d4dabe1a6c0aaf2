"""SIGTERM and Ctrl-C: a run stops where it can be gone on from."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self


class StopSignals:
    """Turns the signals that ask a process to stop into a KeyboardInterrupt, never while they are held back.

    Elsewhere than in the main thread signals are left as they are.
    """

    def __init__(self) -> None:
        self.asked, self._held = False, False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._heard) for each in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    @contextmanager
    def held(self, is_needed: bool = True) -> Iterator[None]:
        """Hold signals back until the block ends; one that came meanwhile stops the run then."""
        if self._held or not is_needed:
            yield
            return
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self.asked:
            raise KeyboardInterrupt

    def _heard(self, *_: object) -> None:
        self.asked = True
        if not self._held:
            raise KeyboardInterrupt
