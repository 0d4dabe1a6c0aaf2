"""Carry out a recipe: its commands one after the other, each once, and a report at the end."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shelfwise.engines.memory import return_memory
from shelfwise.errors import OptionError, RecipeError
from shelfwise.recipes.recipe import Recipe
from shelfwise.recipes.report import write_report
from shelfwise.recipes.state import State
from shelfwise.recipes.steps import Filled, Step, steps_of

Command = Callable[[Sequence[str]], int]
_INTERRUPTED = 130
_BUG = "this is a bug"


@dataclass(frozen=True, slots=True)
class RecipeSummary:
    """What was done: seconds of all steps together, those of this run and earlier ones; tables as in results.json."""

    recipe: str
    scale: str
    folder: str
    report: str
    steps: int
    seconds: float
    tables: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        return asdict(self)


def run_recipe(
    recipe: Recipe, scale: str, data: Path | str, to: Path | str, command: Command,
    say: Callable[[str], None] = lambda _line: None,
) -> RecipeSummary:  # fmt: skip
    """Carry out the steps that are not done yet, then write report.md, results.json and the plots into `to`.

    A step is done again where its result is gone, or something that its command names was made anew.
    command: carries out the words of one, prints what it has to say, and returns the exit code; what it prints goes to the
    step's log. say: is told each step. Raises OptionError for data that is not there and a folder that holds something else,
    RecipeError where a step fails; the same call goes on from there.
    """
    data, to = Path(data), Path(to)
    if not data.exists():
        raise OptionError(f"--data {data} does not exist; {recipe.name} needs {recipe.data[scale]}")
    steps = steps_of(recipe, scale, data, to)
    state = State.of_folder(to, {"recipe": recipe.name, "scale": scale, "data": str(data.absolute())})
    to.mkdir(parents=True, exist_ok=True)
    renewed: set[str] = set()
    for number, step in enumerate(steps, 1):
        told = f"[{number}/{len(steps)}] {step.name}"
        if state.has(step) and not renewed.intersection(step.words):
            say(f"{told}  done before")
            continue
        seconds = _carry_out(step, number, to, command)
        state.record(step, seconds)
        renewed.add(str(step.writes))
        say(f"{told}  {seconds:.1f} s")
    spent = {step.name: state.seconds(step) for step in steps}
    tables = write_report(recipe, Filled(recipe, scale, data, to), scale, to, steps, spent)
    return RecipeSummary(
        recipe.name, scale, str(to), str(to / "report.md"), len(steps), round(sum(spent.values()), 1), tables
    )


def _carry_out(step: Step, number: int, folder: Path, command: Command) -> float:
    """Carry out a step, its words and all that it prints in a log of its own; return the seconds that it took."""
    log = folder / "logs" / f"{number:03}-{_file_name(step.name)}.log"
    log.parent.mkdir(exist_ok=True)
    if step.makes is not None:
        _remove(step.makes)  # written by a run that was stopped before it could say so
    started = time.perf_counter()
    with ExitStack() as stack:
        file = stack.enter_context(log.open("a", encoding="utf-8", errors="backslashreplace"))
        stack.enter_context(redirect_stdout(file))
        stack.enter_context(redirect_stderr(file))
        print(f"$ {step.line}", flush=True)
        code = command(step.words)
    return_memory()
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise RecipeError(
            f"step {number}, {step.name!r}, ended with exit code {code}: {_last_line(log)}; all that it printed: {log}; "
            "the same command goes on from here"
        )
    return time.perf_counter() - started


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8").split("\n")
    told = [line for line in lines if line.strip() and not line.startswith(_BUG)]
    return told[-1].removeprefix("error: ")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "+-.," else "-" for letter in name).replace(os.sep, "-")
