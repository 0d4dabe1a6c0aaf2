"""Write files so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any

from shelfwise.errors import DiskFullError


def sha256_of_file(path: Path) -> str:
    """Compute a file's sha256 in blocks, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Files beyond which syncing all of the system's at once is faster than one by one: a sync takes some milliseconds.
_MANY = 200


@contextmanager
def room_for(path: Path, size_bytes: int = 0) -> Iterator[None]:
    """Turn what any library says of a full disk into a DiskFullError that names path, bytes needed and bytes free."""
    try:
        yield
    except DiskFullError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error):
            raise disk_full(path, size_bytes) from error
        raise


def disk_full(path: Path, size_bytes: int) -> DiskFullError:
    """Describe a disk without room for `size_bytes` at a path that may not exist yet."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    needed = f"needs about {size_bytes:,} bytes, " if size_bytes else ""
    free = shutil.disk_usage(there).free
    return DiskFullError(f"disk full: {path} {needed}{free:,} are free; make room and type the same command again")


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file in one step: temporary file beside it, flush, fsync, rename, fsync of the folder."""
    temporary = _beside(path)
    try:
        with room_for(path, len(data)):
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write JSON that is strict (no NaN), readable and ends with a newline."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_sealed_json(path: Path, value: dict[str, Any]) -> None:
    """Write an object as JSON with the sha256 of its content beside it, so that a flipped bit is told."""
    write_json(path, value | {"sha256": _seal(value)})


def read_sealed_json(path: Path) -> dict[str, Any]:
    """Read what `write_sealed_json` wrote; raises OSError, or ValueError where it is not that any more."""
    try:
        stored = json.loads(path.read_bytes())
        seal = stored.pop("sha256")
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} does not hold what was written ({error.__class__.__name__})") from None
    if seal != _seal(stored):
        raise ValueError(f"{path} is damaged: its checksum is wrong")
    return dict(stored)


def _seal(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill: it is called `path` once the block ends without an error, and is removed otherwise.

    Until then it lies beside `path`, locked, so that what a killed process left there can be told from what another one
    is filling, and is removed.
    """
    with _filled(path, lambda part: part.rename(path)) as part:
        yield part


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill that takes the place of the one at `path` in one step once the block ends without an error."""
    with _filled(path, lambda part: _exchange(part, path)) as part:
        yield part


@contextmanager
def _filled(path: Path, put: Callable[[Path], object]) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(OSError), _locked(leftover):
            shutil.rmtree(leftover)
    part = _beside(path)
    part.mkdir()
    try:
        with _locked(part):
            yield part
            _sync_all(part)
            put(part)
    finally:
        shutil.rmtree(part, ignore_errors=True)  # what failed, or what was replaced
    sync(path.parent)


def _exchange(one: Path, other: Path) -> None:
    """Let two folders change their names: in one step where the system can, else with the other renamed away before.

    Source: renameat2(2), flag RENAME_EXCHANGE, which Linux has had since 3.15.
    """
    import ctypes

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, exchange = -100, 2
    if rename and rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0:
        return
    code = ctypes.get_errno() if rename else errno.ENOSYS
    if code not in (errno.ENOSYS, errno.EINVAL):
        raise OSError(code, os.strerror(code), str(other))
    aside = other.with_name(f"{other.name}.old")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of a file left beside it; only for who holds the right to write it."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        leftover.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """Name what becomes `path` when it is whole."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file or folder; raises BlockingIOError where another process holds it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _sync_all(folder: Path) -> None:
    """Make everything in a folder survive a power cut; of many files the whole system's at once, which takes less time."""
    paths = [Path(above, name) for above, _, names in os.walk(folder) for name in (*names, ".")]
    if len(paths) > _MANY:
        os.sync()  # on Linux it waits until all is written
    else:
        for path in paths:
            sync(path)


def sync(path: Path) -> None:
    """Make a file's content, or the renames inside a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def text_of(path: PurePath) -> str:
    """Return a path as text that can be printed and stored: bytes of a name that are no UTF-8 read `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def cache_folder() -> Path:
    """Return the folder for what can be computed again: `SHELFWISE_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("SHELFWISE_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shelfwise"
