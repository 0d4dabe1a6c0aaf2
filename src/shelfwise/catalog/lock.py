"""One writer at a time, and whoever comes second learns who is first."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from shelfwise.errors import CatalogBusyError
from shelfwise.files import room_for

# How long a write of a moment waits for another; a long one is told at once.
PATIENCE_S = 30.0
_POLL_S = 0.02


@contextmanager
def only_one(path: Path, doing: str, wait_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the lock file `path`; the system frees it when its holder ends, however that happens.

    doing: what the holder does, for the message that others get. Raises CatalogBusyError after `wait_s` seconds.
    """
    with room_for(path):
        handle = _acquire(path, time.monotonic() + wait_s)
    try:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": now, "doing": doing}
        with room_for(path):
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(path: Path, deadline: float) -> int:
    """Wait in line: only who holds the place next to it may take the lock, so that none writes again and again alone."""
    place = _polled(path.with_name(f"{path.name}.next"), path, deadline)
    try:
        return _polled(path, path, deadline)
    finally:
        os.close(place)


def _polled(file: Path, lock: Path, deadline: float) -> int:
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(file, handle):
                return handle
            os.close(handle)  # its folder was removed while this process waited for it
        except BlockingIOError:
            os.close(handle)
            if time.monotonic() >= deadline:
                raise CatalogBusyError(_who(lock)) from None
            time.sleep(_POLL_S)
        except BaseException:
            os.close(handle)
            raise


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _who(path: Path) -> str:
    catalog = path.parent.parent
    try:
        holder = json.loads(path.read_bytes())
        who = f"{holder['doing']} (process {holder['pid']} on {holder['host']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process"
    return f"{catalog} is being changed by {who}: wait until it is done, or stop it, and try again"
