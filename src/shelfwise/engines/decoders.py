"""Decode untrusted pictures in processes of their own: one that dies, hangs or swells costs its picture, not the run."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from math import ceil, inf
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from shelfwise.engines.local import available_cores
from shelfwise.errors import ImageError, ShelfwiseError
from shelfwise.images.decode import IMPORT_LIMITS, NOTES, REFUSALS, Limits, check_bytes
from shelfwise.images.preprocess import Preprocessing
from shelfwise.images.sniff import ACCEPTED
from shelfwise.images.worker import HEADER_BYTES, receive, receive_lengths, send

Result = TypeVar("Result")

# -P: a file called json.py in the folder where somebody works must not be imported.
_COMMAND = (sys.executable, "-P", "-m", "shelfwise.images.worker")
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
# Memory of a picture's size is kept for the next one: given back each time, it costs half of a big picture's time in page
# faults. Source: mallopt(3).
_KEEPING = {"MALLOC_MMAP_THRESHOLD_": str(16 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(32 * 2**20)}
# Time is counted in the ticks of a thread of ours, so that a run that was stopped and goes on (Ctrl-Z) is not overdue.
_TICK_S, _START_S, _LAST_BREATH_S = 0.1, 60.0, 2.0
_REPLACED = "the worker was replaced"


@dataclass(frozen=True, slots=True)
class Examined:
    """What a catalog says of a picture that can be used; the fields are those of `images.decode.Picture`."""

    perceptual_hash: int
    width: int
    height: int
    format: str
    mode: str
    notes: tuple[str, ...]
    frames: int


class Decoders:
    """Processes that decode, at most `workers` (one a core if not given); to be used with `with`, from any thread.

    A process is started when a picture needs one. command: what starts it, for tests.
    """

    def __init__(self, workers: int | None = None, *, command: Sequence[str] = _COMMAND) -> None:
        self._command = command
        self._slots: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers or available_cores()):
            self._slots.put(None)
        self._workers: set[_Worker] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._clock = threading.Thread(target=self._end_overdue, name="decoders", daemon=True)

    def __enter__(self) -> Self:
        self._clock.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self._lock:
            self._closed.set()
        self._clock.join()
        for worker in list(self._workers):
            self._discard(worker)

    def start(self) -> None:
        """Start the process that the first picture needs, and do not wait for it."""
        self._slots.put(self._slots.get() or self._started())

    def examine(self, data: bytes, limits: Limits = IMPORT_LIMITS) -> Examined:
        """Decode a picture and tell what a catalog says of it.

        Raises ImageError like `images.decode.decode`, or with `img_timeout` or `img_decoder_crash`.
        """
        return self._ask("examine", data, limits, {}, 0, lambda header, _: _examined(header, limits))

    def prepare(
        self, data: bytes, views: Sequence[Preprocessing], limits: Limits = IMPORT_LIMITS
    ) -> list[NDArray[np.uint8]]:
        """Prepare a picture for several backbones: uint8 (side, side, 3) each, as `images.preprocess.prepare` does.

        Raises ImageError like `examine`.
        """
        sizes = [3 * view.side_px**2 for view in views]
        parameters = {"views": [_values(view) for view in views]}
        body = self._ask("squares", data, limits, parameters, sum(sizes), lambda _, body: body)
        parts = np.split(np.frombuffer(body, np.uint8), np.cumsum(sizes)[:-1])
        return [part.reshape(view.side_px, view.side_px, 3) for part, view in zip(parts, views, strict=True)]

    def _ask(
        self,
        task: str,
        data: bytes,
        limits: Limits,
        parameters: dict[str, Any],
        body_bytes: int,
        reading: Callable[[dict[str, Any], bytes], Result],
    ) -> Result:
        """Have a task done by a worker, which is kept only if it answered as workers do."""
        check_bytes(data, limits)
        request = {"task": task, "limits": _values(limits), "parameters": parameters}
        worker = self._slots.get()
        kept = None
        try:
            worker = worker or self._started()
            header, body = worker.ask(request, data, limits.seconds, body_bytes)
            if "code" in header:
                refusal = _refusal(header)
                kept = None if refusal.code == "img_memory" else worker
                raise refusal
            result = reading(header, body)
            kept = worker
            return result
        finally:
            if worker is not None and kept is None:
                self._discard(worker)
            self._slots.put(kept)

    def _started(self) -> _Worker:
        with self._lock:
            if self._closed.is_set():
                raise RuntimeError("these decoders are closed")
            worker = _Worker(self._command)
            self._workers.add(worker)
            return worker

    def _discard(self, worker: _Worker) -> None:
        with self._lock:
            self._workers.discard(worker)
        worker.end()

    def _end_overdue(self) -> None:
        while not self._closed.wait(_TICK_S):
            with self._lock:
                workers = list(self._workers)
            for worker in workers:
                worker.tick()


class _Worker:
    """A process and the two ends of its messages; for one thread at a time, but for `tick` and `end`."""

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
            raise ImageError("img_timeout", f"not decoded within {seconds:g} s; {_REPLACED}")
        raise ImageError("img_decoder_crash", f"the decoder died ({self._end_said()}) on this picture; {_REPLACED}")

    def _within(self, seconds: float, work: Callable[[], Result]) -> Result | None:
        """Do a part of a conversation; None when the process ended over it, by itself or because it took too long."""
        with self._lock:
            self._ticks_left = ceil(seconds / _TICK_S)
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
            raise _nonsense()
        try:
            header = json.loads(receive(self._from, header_length))
        except (ValueError, RecursionError):
            raise _nonsense() from None
        if not isinstance(header, dict) or body_length != (0 if "code" in header else body_bytes):
            raise _nonsense()
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


@cache
def _values(settings: Limits | Preprocessing) -> dict[str, Any]:
    return asdict(settings)


def _nonsense() -> ImageError:
    return ImageError("img_decoder_crash", f"the decoder answered nonsense on this picture; {_REPLACED}")


def _refusal(header: dict[str, Any]) -> ImageError:
    """Read a refusal. A decoder that a picture took over may say anything: codes are ours, words are shown as text."""
    code, detail = header.get("code"), header.get("detail")
    if code not in REFUSALS or not isinstance(detail, str) or len(header) != 2:
        return _nonsense()
    said = detail if detail.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in detail)
    return ImageError(code, f"{said}; {_REPLACED}" if code == "img_memory" else said)


def _examined(header: dict[str, Any], limits: Limits) -> Examined:
    """Read what was found out about a picture, and believe only what can be true."""
    try:
        examined = Examined(**header | {"notes": tuple(header["notes"])})
        believable = all(
            type(number) is int and least <= number <= most
            for number, least, most in (
                (examined.perceptual_hash, 0, 2**64 - 1),
                (examined.width, 1, limits.side_px),
                (examined.height, 1, limits.side_px),
                (examined.frames, 1, 2**32 - 1),
            )
        )
        believable &= examined.format in ACCEPTED and set(examined.notes) <= set(NOTES)
        believable &= re.fullmatch(r"[A-Za-z0-9;]{1,8}", examined.mode) is not None
    except (KeyError, TypeError):
        raise _nonsense() from None
    if not believable:
        raise _nonsense()
    return examined
