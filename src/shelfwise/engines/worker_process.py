"""The process that decodes, as seen from here: started, asked, timed, and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import ceil, inf
from typing import Any, BinaryIO, TypeVar, cast

from shelfwise.errors import ImageError, ShelfwiseError
from shelfwise.images.worker import HEADER_BYTES, receive, receive_lengths, send

Result = TypeVar("Result")

_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Memory of a picture's size is kept for the next one: given back each time, it costs half of a big picture's time in page
# faults. Source: mallopt(3).
_KEEPING = {"MALLOC_MMAP_THRESHOLD_": str(16 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(32 * 2**20)}
# Time is counted in the ticks of a thread of ours, so that a run that was stopped and goes on (Ctrl-Z) is not overdue.
TICK_S, _START_S, _LAST_BREATH_S = 0.1, 60.0, 2.0
REPLACED = "the worker was replaced"


class WorkerProcess:
    """A process and the two ends of its messages; for one thread at a time, but for `tick` and `end`.

    is_sound: whether it may be given another picture.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process is ready, or ended
        # In a process group of its own: Ctrl-C is for us, and a picture in work must not be quarantined for it.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=os.environ | _ONE_THREAD | _KEEPING,
            process_group=0,
        )
        self._to, self._from = cast("BinaryIO", self._process.stdin), cast("BinaryIO", self._process.stdout)
        self.is_sound = True
        self._ready = False
        self._lock = threading.Lock()
        self._ticks_left: float = inf
        self._overdue = False

    def ask(
        self, request: dict[str, Any], data: bytes, seconds: float, body_bytes: int
    ) -> tuple[dict[str, Any], bytes]:
        """Return header and body of the answer; raises ImageError when there is none, or one that no worker gives."""
        if not self._ready:
            self._wait_until_ready()
        answer = self._within(seconds, lambda: self._exchanged(request, data, body_bytes))
        if answer is not None:
            return answer
        if self._overdue:
            raise ImageError("img_timeout", f"not decoded within {seconds:g} s; {REPLACED}")
        raise ImageError("img_decoder_crash", f"the decoder died ({self._end_said()}) on this picture; {REPLACED}")

    def _within(self, seconds: float, work: Callable[[], Result]) -> Result | None:
        """Do a part of a conversation; None when the process ended over it, by itself or because it took too long."""
        with self._lock:
            self._ticks_left = ceil(seconds / TICK_S)
        try:
            done = work()
        except (EOFError, OSError):
            return None
        finally:
            with self._lock:
                self._ticks_left = inf
        return None if self._overdue else done

    def _exchanged(self, request: dict[str, Any], data: bytes, body_bytes: int) -> tuple[dict[str, Any], bytes]:
        send(self._to, request, data)
        header_length, body_length = receive_lengths(self._from)
        if header_length > HEADER_BYTES or body_length not in (0, body_bytes):
            raise nonsense()
        try:
            header = json.loads(receive(self._from, header_length))
        except (ValueError, RecursionError):
            raise nonsense() from None
        if not isinstance(header, dict) or body_length != (0 if "code" in header else body_bytes):
            raise nonsense()
        return header, receive(self._from, body_length)

    def _wait_until_ready(self) -> None:
        if self._within(_START_S, lambda: receive(self._from, sum(receive_lengths(self._from)))) is None:
            self._complaints.seek(0)
            said = self._complaints.read().decode(errors="replace").strip().splitlines() or [self._end_said()]
            raise ShelfwiseError(f"the process that decodes pictures does not start: {said[-1]}")
        self._complaints.close()
        self._ready = True

    def _end_said(self) -> str:
        try:
            returncode = self._process.wait(_LAST_BREATH_S)
        except subprocess.TimeoutExpired:  # it closed its end and lives on
            self._process.kill()
            returncode = self._process.wait()
        return signal.Signals(-returncode).name if returncode < 0 else f"exit code {returncode}"

    def tick(self) -> None:
        """Count down the time of the answer that is waited for, and end the process when it is over."""
        with self._lock:
            self._ticks_left -= 1
            if self._ticks_left < 0:
                self._overdue = True
                self._process.kill()

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        for stream in (self._to, self._from, self._complaints):
            with suppress(OSError):
                stream.close()
        self._process.wait()


def nonsense() -> ImageError:
    """Return the error for an answer that no worker of ours gives."""
    return ImageError("img_decoder_crash", f"the decoder answered nonsense on this picture; {REPLACED}")
