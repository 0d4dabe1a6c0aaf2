"""Templates filled in: the commands of a recipe at a scale, in their order."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from shelfwise.recipes.recipe import Recipe

COMMAND = "shelfwise"
_WRITTEN = ("--to", "--submission")


@dataclass(frozen=True, slots=True)
class Step:
    """A command to carry out: its name in the recipe, and its words after `shelfwise`."""

    name: str
    words: tuple[str, ...]

    @property
    def line(self) -> str:
        """The command as somebody types it."""
        return shlex.join((COMMAND, *self.words))

    @property
    def digest(self) -> str:
        """What tells this command from any other."""
        return hashlib.sha256(json.dumps(self.words).encode()).hexdigest()

    @property
    def writes(self) -> Path | None:
        """Where the command is told to write; None where it changes a catalog, or writes nothing."""
        flags = [flag for flag in _WRITTEN if flag in self.words]
        return Path(self.words[self.words.index(flags[0]) + 1]) if flags else None

    @property
    def makes(self) -> Path | None:
        """What the command refuses to write over; None for ingest, which goes on with what is there."""
        return None if self.words[0] == "ingest" else self.writes


def steps_of(recipe: Recipe, scale: str, data: Path | str, work: Path | str) -> list[Step]:
    """Return the commands of a recipe; raises OptionError for a scale that it does not have."""
    filled = Filled(recipe, scale, data, work)
    steps = []
    for template in recipe.steps:
        if scale in template.scales:
            for loop in filled.loops(template.each):
                words = shlex.split(filled.text(template.run, loop, quoted=True))
                steps.append(Step(filled.text(template.name, loop), tuple(words)))
    return steps


class Filled:
    """What the places of a recipe's texts are filled with at a scale."""

    def __init__(self, recipe: Recipe, scale: str, data: Path | str, work: Path | str) -> None:
        self._values = recipe.values(scale)
        self._paths = {"data": str(data), "work": str(work)}

    def loops(self, each: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Go through all combinations of the values of loop variables, the last one fastest."""
        for values in product(*(self._values[name] for name in each)):
            yield dict(zip(each, values, strict=True))

    def text(self, template: str, loop: dict[str, Any], *, quoted: bool = False) -> str:
        """Fill in a text; quoted: as a shell reads it."""
        paths = {name: shlex.quote(path) for name, path in self._paths.items()} if quoted else self._paths
        return template.format_map(self._values | loop | paths)
