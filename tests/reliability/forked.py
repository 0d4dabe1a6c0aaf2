"""Run jobs in processes forked from one that has imported everything: a kill costs half a second.

`Jobs` talks to that process, which never opens Lance itself: what Lance starts does not survive a fork.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import system_calls
from kill_jobs import JOBS
from system_calls import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do, and how it ends before its time.

    kill_at: the number of the call within `within` before which it is killed. fail_at: from this call on all of
    `fail_kinds` fail with `error`, or this one alone for `fail_once`. kill_after_s: time after which it is killed.
    """

    job: str
    arguments: tuple[str, ...]
    said: str
    within: str | None = None
    kill_at: int | None = None
    fail_at: int | None = None
    fail_kinds: tuple[str, ...] = ()
    fail_once: bool = False
    error: int = 0
    kill_after_s: float | None = None

    def decide(self, call: Call, number: int) -> int | None:
        if number == self.kill_at:
            return None
        if self.fail_at is None or number < self.fail_at or call.name not in self.fail_kinds:
            return 0
        return self.error if not self.fail_once or number == self.fail_at else 0


def serve() -> None:
    """Do orders, a JSON line each, until there are no more."""
    import lance  # noqa: F401 - imported here so that no forked process has to

    import shelfwise.embed
    import shelfwise.ingest  # noqa: F401

    warnings.filterwarnings("ignore", "lance is not fork-safe")
    for line in sys.stdin:
        order = Order(**json.loads(line))

        def job(order: Order = order) -> None:
            said = os.open(order.said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(said, 1)
            os.dup2(said, 2)
            JOBS[order.job](*order.arguments)

        started = time.monotonic()
        calls: list[Call] = []
        if order.within is None:
            code = run(job, order.kill_after_s)
        else:
            code, calls = system_calls.watch(job, Path(order.within), order.decide)
        answer = {"code": code, "seconds": time.monotonic() - started, "calls": [asdict(call) for call in calls]}
        print(json.dumps(answer), flush=True)


def run(job: Callable[[], None], kill_after_s: float | None) -> int:
    """Fork and do a job, killed after a time if it is not done by then."""
    child = os.fork()
    if not child:
        system_calls.finish(job)
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    if not poll.poll(None if kill_after_s is None else kill_after_s * 1000):
        os.kill(child, signal.SIGKILL)
    os.close(ended)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@dataclass(frozen=True, slots=True)
class Done:
    """How a job ended: exit code (negative for a signal), what it printed, the calls that it made or was about to make."""

    code: int
    said: str
    calls: list[Call]
    seconds: float


class Jobs:
    """The client's end of a process that forks; to be used with `with`.

    inside: what it is started by; program: the file that ends in `serve()`, which imports what its jobs need.
    """

    def __init__(self, folder: Path, inside: tuple[str, ...] = (), program: str = __file__) -> None:
        self._said = folder / f"said-{random.randrange(2**32):08x}.txt"
        here = str(Path(program).resolve())
        self._server = subprocess.Popen(
            [*inside, sys.executable, here], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin and self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def run(self, job: str, *arguments: object, **how: Any) -> Done:
        """Do a job; `how` are the fields of Order."""
        assert self._server.stdin and self._server.stdout
        if how.get("within") is not None:
            how["within"] = str(how["within"])
        order = Order(job=job, arguments=tuple(map(str, arguments)), said=str(self._said), **how)
        self._server.stdin.write(json.dumps(asdict(order)) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        calls = [Call(**call) for call in answer["calls"]]
        return Done(answer["code"], self._said.read_text(), calls, answer["seconds"])


if __name__ == "__main__":
    serve()
