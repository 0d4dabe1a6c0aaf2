"""Watch a process at the system calls by which files change: list them, kill it before the nth, or make some fail.

The kernel asks us before each call (seccomp user notification, Linux 5.5, no root), whichever thread makes it, so the
nth call is the nth of the whole process; strace counts its injections by thread, and Lance writes from many.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = 2**32 - 100
# Numbers on x86-64 -> name, and which arguments are descriptors or paths: (folder, path), or a descriptor alone.
_BY_DESCRIPTOR = {1: "write", 18: "pwrite64", 20: "writev", 74: "fsync", 75: "fdatasync", 77: "ftruncate"}
_BY_PATH = {
    82: ("rename", 0, 1),
    83: ("mkdir", None, 0),
    84: ("rmdir", None, 0),
    86: ("link", 0, 1),
    87: ("unlink", None, 0),
}
_BY_FOLDER = {
    257: ("openat", None, 0), 258: ("mkdirat", None, 0), 263: ("unlinkat", None, 0), 264: ("renameat", 0, 2),
    265: ("linkat", 0, 2), 316: ("renameat2", 0, 2),
}  # fmt: skip
_OPENAT, _SECCOMP, _NO_NEW_PRIVILEGES, _X86_64 = 257, 317, 38, 0xC000003E
_ALLOW, _NOTIFY, _NEW_LISTENER = 0x7FFF0000, 0x7FC00000, 8
_RECEIVE, _SEND, _CONTINUE = 0xC0502100, 0xC0182101, 1
PUBLISHING = {"rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "fsync", "fdatasync"}


def why_not() -> str | None:
    """Say why processes cannot be watched here; None where they can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"system calls are watched on Linux on x86-64 only, this is {sys.platform} on {platform.machine()}"
    actions = Path("/proc/sys/kernel/seccomp/actions_avail")
    if not actions.exists() or "user_notif" not in actions.read_text():
        return "this kernel has no seccomp user notification"
    return None


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is about to be made. path: what it changes; source: what becomes it, for renames and links."""

    name: str
    path: str
    source: str | None = None


def watch(job: Callable[[], None], within: Path, decide: Callable[[Call, int], int | None]) -> tuple[int, list[Call]]:
    """Fork, do a job, and decide on each call that changes something at `within` or below, by its number from 0.

    decide: 0 lets the call happen, an errno makes it fail, None kills the process before it. Calls of processes that the
    job starts happen. Returns the exit code (negative for a signal) and the calls.
    """
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        _do(job, theirs)
    theirs.close()
    _, handles, _, _ = socket.recv_fds(ours, 1, 1)
    ours.close()
    try:
        calls = _answer(handles[0], child, str(within), decide)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(child, 0)
        os.close(handles[0])
    return os.waitstatus_to_exitcode(status), calls


def _do(job: Callable[[], None], reach: socket.socket) -> NoReturn:
    def asked() -> None:
        socket.send_fds(reach, [b"."], [_listener()])
        job()

    finish(asked)


def finish(job: Callable[[], None]) -> NoReturn:
    """Do a job and end this forked process with its exit code."""
    code = 1
    try:
        job()
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _listener() -> int:
    """Have the kernel ask about this process, its threads and its children from here on."""
    program = _program()
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    header = struct.pack("=H6xQ", len(program), ctypes.addressof(code))
    _LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    handle = int(_LIBC.syscall(_SECCOMP, 1, _NEW_LISTENER, header))
    if handle < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return handle


def _program() -> list[tuple[int, int, int, int]]:
    """Write the filter: load, compare, return; a jump counts instructions from the next one."""
    numbers = [*_BY_DESCRIPTOR, *_BY_PATH, *(number for number in _BY_FOLDER if number != _OPENAT)]
    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06
    lines = [(load, 0, 0, 4), (equal, 0, len(numbers) + 4, _X86_64), (load, 0, 0, 0)]
    lines += [(equal, len(numbers) - i + 3, 0, number) for i, number in enumerate(numbers)]
    lines += [(equal, 0, 2, _OPENAT), (load, 0, 0, 32), (any_bit, 1, 0, os.O_CREAT), (answer, 0, 0, _ALLOW)]
    return [*lines, (answer, 0, 0, _NOTIFY)]


def _answer(listener: int, child: int, within: str, decide: Callable[[Call, int], int | None]) -> list[Call]:
    calls: list[Call] = []
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(ended, select.POLLIN)
    try:
        while True:
            ready = dict(poll.poll())
            if listener in ready and ready[listener] & select.POLLIN:
                question = bytearray(80)
                try:
                    fcntl.ioctl(listener, _RECEIVE, question)
                except OSError:  # it died while asking
                    continue
                error: int | None = 0
                key, thread, _, number = struct.unpack_from("=QIIi", question)
                if Path(f"/proc/{child}/task/{thread}").exists():
                    call = _call(thread, number, struct.unpack_from("=6Q", question, 32))
                    if call and (call.path == within or call.path.startswith(within + "/")):
                        calls.append(call)
                        error = decide(call, len(calls) - 1)
                if error is None:
                    os.kill(child, signal.SIGKILL)
                else:
                    _tell(listener, key, error)
            elif ended in ready:
                return calls
    finally:
        os.close(ended)


def _tell(listener: int, key: int, error: int) -> None:
    with suppress(OSError):  # it died meanwhile
        fcntl.ioctl(listener, _SEND, struct.pack("=QqiI", key, 0, -error, 0 if error else _CONTINUE))


def _call(thread: int, number: int, arguments: tuple[int, ...]) -> Call | None:
    try:
        if number in _BY_DESCRIPTOR:
            place = Path(f"/proc/{thread}/fd/{arguments[0] & 0xFFFFFFFF}").readlink()
            return Call(_BY_DESCRIPTOR[number], str(place))
        if number in _BY_PATH:
            name, source, target = _BY_PATH[number]
            from_path = None if source is None else _path(thread, _AT_FDCWD, arguments[source])
            return Call(name, _path(thread, _AT_FDCWD, arguments[target]), from_path)
        name, source, target = _BY_FOLDER[number]
        from_path = None if source is None else _path(thread, arguments[source], arguments[source + 1])
        return Call(name, _path(thread, arguments[target], arguments[target + 1]), from_path)
    except OSError:  # a descriptor that is closed: the call will fail
        return None


def _path(thread: int, folder: int, pointer: int) -> str:
    with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
        memory.seek(pointer)
        page = memory.read(4096 - pointer % 4096)
        if b"\0" not in page:
            page += memory.read(4096)
    text = os.fsdecode(page[: page.index(b"\0")])
    if text.startswith("/"):
        return text
    place = "cwd" if folder & 0xFFFFFFFF == _AT_FDCWD else f"fd/{folder & 0xFFFFFFFF}"
    return os.path.normpath(Path(f"/proc/{thread}/{place}").readlink() / text)
