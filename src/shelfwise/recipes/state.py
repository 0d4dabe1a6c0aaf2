"""What of a recipe has been done: kept in its folder, so that the same command goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shelfwise.errors import OptionError
from shelfwise.files import write_json
from shelfwise.recipes.steps import Step

_FILE = "state.json"


@dataclass
class State:
    """The steps done so far, by name: the digest, the line, and the seconds of each."""

    folder: Path
    of: dict[str, str]
    done: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of_folder(cls, folder: Path, of: dict[str, str]) -> State:
        """Read what was done in a folder, or begin in a new one.

        of: recipe, scale and data. Raises OptionError for a folder that holds something else.
        """
        path = folder / _FILE
        if not path.exists():
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise OptionError(f"--to {folder} holds something else than a recipe: choose another folder")
            return cls(folder, of)
        try:
            stored = json.loads(path.read_bytes())
            begun, done = dict(stored["of"]), dict(stored["done"])
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError(
                f"{path} does not tell what was done ({error.__class__.__name__}): remove {folder}"
            ) from None
        for what, value in of.items():
            if begun.get(what) != value:
                raise OptionError(
                    f"--to {folder} was begun with {what} {begun.get(what)}, not {value}: choose another folder, or remove it"
                )
        return cls(folder, of, done)

    def has(self, step: Step) -> bool:
        """Tell whether a step is done and its result still there; raises OptionError where its name stood for another command."""
        known = self.done.get(step.name)
        if known is None:
            return False
        if known["digest"] != step.digest:
            raise OptionError(
                f"the step {step.name!r} of the recipe changed since it was done in {self.folder}: it was  {known['line']}  "
                f"and is  {step.line}: choose another folder with --to, or remove this one"
            )
        return step.writes is None or step.writes.exists()

    def record(self, step: Step, seconds: float) -> None:
        """Remember that a step is done."""
        self.done[step.name] = {"digest": step.digest, "line": step.line, "seconds": round(seconds, 2)}
        write_json(self.folder / _FILE, {"of": self.of, "done": self.done})

    def seconds(self, step: Step) -> float:
        """Return how long a step took that is done."""
        return float(self.done[step.name]["seconds"])
