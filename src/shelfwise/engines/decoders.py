"""Decode untrusted pictures in processes of their own: one that dies, hangs or swells costs its picture, not the run."""

from __future__ import annotations

import queue
import re
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from shelfwise.engines.local import available_cores
from shelfwise.engines.worker_process import REPLACED, TICK_S, WorkerProcess, nonsense
from shelfwise.errors import ImageError
from shelfwise.images.decode import IMPORT_LIMITS, REFUSALS, Limits, check_bytes
from shelfwise.images.notes import DECODER_NOTES
from shelfwise.images.preprocess import Preprocessing
from shelfwise.images.sniff import ACCEPTED

Result = TypeVar("Result")

# -P: a file called json.py in the folder where somebody works must not be imported.
_COMMAND = (sys.executable, "-P", "-m", "shelfwise.images.worker")


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
        self._slots: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
        for _ in range(workers or available_cores()):
            self._slots.put(None)
        self._workers: set[WorkerProcess] = set()
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
        """Have a task done. Where a worker breaks that has served others, a fresh one decides: it may be their fault."""
        check_bytes(data, limits)
        request = {"task": task, "limits": _values(limits), "parameters": parameters}

        def answered(by: WorkerProcess) -> Result:
            by.is_sound = False
            header, body = by.ask(request, data, limits.seconds, body_bytes)
            if "code" in header:
                refusal = _refusal(header)
                by.is_sound = refusal.code not in ("img_memory", "img_decoder_crash")
                raise refusal
            result = reading(header, body)
            by.is_sound = True
            return result

        worker = self._slots.get()
        try:
            worker, has_served = worker or self._started(), worker is not None
            try:
                return answered(worker)
            except ImageError as error:
                if worker.is_sound or not has_served or error.code == "img_timeout":
                    raise
            self._discard(worker)
            worker = self._started()
            return answered(worker)
        finally:
            if worker is not None and not worker.is_sound:
                self._discard(worker)
                worker = None
            self._slots.put(worker)

    def _started(self) -> WorkerProcess:
        with self._lock:
            if self._closed.is_set():
                raise RuntimeError("these decoders are closed")
            worker = WorkerProcess(self._command)
            self._workers.add(worker)
            return worker

    def _discard(self, worker: WorkerProcess) -> None:
        with self._lock:
            self._workers.discard(worker)
        worker.end()

    def _end_overdue(self) -> None:
        while not self._closed.wait(TICK_S):
            with self._lock:
                workers = list(self._workers)
            for worker in workers:
                worker.tick()


@cache
def _values(settings: Limits | Preprocessing) -> dict[str, Any]:
    return asdict(settings)


def _refusal(header: dict[str, Any]) -> ImageError:
    """Read a refusal. A decoder that a picture took over may say anything: codes are ours, words are shown as text."""
    code, detail = header.get("code"), header.get("detail")
    if code not in REFUSALS or not isinstance(detail, str) or len(header) != 2:
        return nonsense()
    said = detail if detail.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in detail)
    return ImageError(code, f"{said}; {REPLACED}" if code == "img_memory" else said)


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
        believable &= examined.format in ACCEPTED and set(examined.notes) <= DECODER_NOTES.keys()
        believable &= re.fullmatch(r"[A-Za-z0-9;]{1,8}", examined.mode) is not None
    except (KeyError, TypeError):
        raise nonsense() from None
    if not believable:
        raise nonsense()
    return examined
