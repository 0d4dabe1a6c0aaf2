"""Trainings of a network, for tests to kill, stop and starve, and broken variants of them for the controls."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from functools import cache
from pathlib import Path
from typing import Any

from forked import serve
from kill_jobs import JOBS


def killed_in_step(step: str, wait_s: str, job: str, *arguments: str) -> None:
    """Do a job that is killed some moments after it began with a step, counted over all epochs."""
    import shelfwise.train.network.loop as loop

    plain = loop.Loop._train_step

    def train_step(self: Any, *given: Any) -> bool:
        if self._state.steps == int(step):
            threading.Timer(float(wait_s), os.kill, (os.getpid(), signal.SIGKILL)).start()
        return plain(self, *given)

    loop.Loop._train_step = train_step  # type: ignore[method-assign]
    JOBS[job](*arguments)


def stopped_in_step(step: str, job: str, *arguments: str) -> None:
    """Do a job that is asked to end in a step."""
    import shelfwise.train.network.loop as loop

    plain = loop._draw_anew

    def draw(*place: int) -> None:
        if place[1:3] == (1, int(step)):
            os.kill(os.getpid(), signal.SIGTERM)
        plain(*place)

    loop._draw_anew = draw
    JOBS[job](*arguments)


def from_what_was_drawn_before(job: str, *arguments: str) -> None:
    """Do a job whose dropout goes on from what was drawn before: the broken variant of a control."""
    import torch

    import shelfwise.train.network.loop as loop

    torch.manual_seed(0)
    loop._draw_anew = lambda *_: None
    JOBS[job](*arguments)


def without_asking(job: str, *arguments: str) -> None:
    """Do a job in which nobody asks beforehand whether there is room for activations."""
    import shelfwise.train.network.inputs.cache as cache

    cache._SPARE = 0.0
    JOBS[job](*arguments)


def copy(source: str, target: str) -> None:
    """Copy a folder to where others see it."""
    shutil.copytree(source, target)


def curve_of(bundle: str) -> list[dict[str, Any]]:
    """Read the curve of a bundle, without seconds."""
    curve = json.loads((Path(bundle) / "bundle.json").read_bytes())["facts"]["network"]["curve"]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in curve]


def _warm_up() -> None:
    """Import all that a training needs, so that no forked process has to, and draw the golden pictures once."""
    import onnxscript  # noqa: F401
    import timm  # noqa: F401

    import shelfwise.cli.commands
    import shelfwise.train.network.result as result
    import shelfwise.train.network.run  # noqa: F401

    drawn = cache(result.golden_pictures)
    drawn()
    result.golden_pictures = drawn


for own in (killed_in_step, stopped_in_step, from_what_was_drawn_before, without_asking, copy):
    JOBS[own.__name__] = own

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _warm_up()
    serve()
