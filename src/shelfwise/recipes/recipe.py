"""A recipe as its TOML file tells it: steps, scales, and what its tables hold."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from shelfwise.errors import OptionError

SCALES = ("tiny", "stand-in", "full")


@dataclass(frozen=True, kw_only=True)
class StepTemplate:
    """A command of shelfwise with places to fill in.

    name, run: text with {data}, {work}, the values of the scale, and the loop variables of `each`, which take the values of
    the scale's lists of those names in turn. scales: those in which the step is done.
    """

    name: str
    run: str
    each: tuple[str, ...] = ()
    scales: tuple[str, ...] = SCALES


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the report: a row for every combination of the loop variables `each`, averaged over those of `over`.

    label: the row's name; metrics, bundle: where its figures are, the bundle's only where a column tells of it; columns:
    heading and figure, see `figures.py`; rows: a list in the metrics, an item of which is a row, named by its `label`.
    """

    title: str
    label: str
    metrics: str
    columns: tuple[tuple[str, str], ...]
    bundle: str = ""
    each: tuple[str, ...] = ()
    over: str = ""
    rows: str = ""
    note: str = ""
    scales: tuple[str, ...] = SCALES


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A picture of a table: the column `y` over the loop variable `x`, a line for each value of `line`; x_label: of the axis."""

    table: str
    x: str
    x_label: str
    y: str
    line: str
    file: str


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A published report, and how to do it again.

    data: for each scale, what --data is to be; scales: the values of each; notes: for each scale, what its figures are not.
    """

    name: str
    title: str
    report: str
    data: dict[str, str]
    scales: dict[str, dict[str, Any]]
    steps: tuple[StepTemplate, ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)

    def values(self, scale: str) -> dict[str, Any]:
        """Return the values of a scale; raises OptionError, naming the nearest, for one that there is not."""
        if scale not in self.scales:
            raise OptionError(f"--scale {scale}: {_meant(scale, tuple(self.scales))}there are {', '.join(self.scales)}")
        return self.scales[scale]


def recipes() -> dict[str, Recipe]:
    """Read all recipes, by name."""
    files = sorted(Path(__file__).parent.glob("*.toml"))
    return {file.stem: read_recipe(file) for file in files}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of a name; raises OptionError, naming the nearest, for one that there is not."""
    known = recipes()
    if name not in known:
        raise OptionError(f"no recipe is called {name!r}: {_meant(name, tuple(known))}there are {', '.join(known)}")
    return known[name]


def read_recipe(file: Path) -> Recipe:
    """Read a recipe from its file."""
    values = tomllib.loads(file.read_text(encoding="utf-8"))
    steps = [StepTemplate(**_tuples(step)) for step in values.pop("steps")]
    tables = [Table(**_tuples(table)) for table in values.pop("tables")]
    plots = [Plot(**plot) for plot in values.pop("plots", ())]
    return Recipe(name=file.stem, steps=tuple(steps), tables=tuple(tables), plots=tuple(plots), **values)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuple(value) for name, value in values.items()}


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value


def _meant(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0]!r}? " if near else ""
