"""`shelfwise recipe`: published reports done again, as rows of commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App

from shelfwise.cli.app import FLAGS, app, print_json

recipe = App(
    name="recipe",
    help="Do a published report again: a row of commands that anybody can type, and a table at the end.",
    default_parameter=FLAGS,
)
app.command(recipe)


@recipe.command(name="list")
def list_(*, json: bool = False) -> int:
    """List the recipes.

    Parameters
    ----------
    json:
        Print them as JSON.
    """
    from shelfwise.cli import recipe_summaries
    from shelfwise.recipes import recipes

    known = recipes()
    if json:
        told = {"title": "title", "report": "report", "data": "data"}
        return print_json(
            {name: {key: getattr(each, field) for key, field in told.items()} for name, each in known.items()}
        )
    return recipe_summaries.listed(known)


@recipe.command
def show(
    name: str, *, scale: str = "full", data: Path = Path("DATA"), to: Path = Path("WORK"), json: bool = False
) -> int:
    """Print the commands of a recipe, as somebody would type them.

    Parameters
    ----------
    name:
        The recipe.
    scale:
        tiny (does it run), stand-in (data that anybody can have, two cores), or full (the original data).
    data:
        The folder of the data.
    to:
        The folder that the commands write into.
    json:
        Print names and words as JSON.
    """
    from shelfwise.cli.summaries import console
    from shelfwise.recipes import find_recipe, steps_of

    steps = steps_of(find_recipe(name), scale, data, to)
    if json:
        return print_json({"steps": [{"name": step.name, "words": step.words} for step in steps]})
    for step in steps:
        console.print(step.line, markup=False)
    return 0


@recipe.command
def run(name: str, *, data: Path, to: Path, scale: str = "stand-in", json: bool = False) -> int:
    """Carry out a recipe and write its tables; stopped at any moment, the same command goes on.

    Parameters
    ----------
    name:
        The recipe.
    data:
        The folder of the data.
    to:
        The folder for catalogs, bundles, reports and logs; report.md and results.json lie there at the end.
    scale:
        tiny (does it run), stand-in (data that anybody can have, two cores), or full (the original data).
    json:
        Print the tables as JSON.
    """
    from shelfwise.cli import recipe_summaries
    from shelfwise.cli.main import carry_out
    from shelfwise.recipes import find_recipe, run_recipe

    def command(words: Sequence[str]) -> int:
        return carry_out(list(words))

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    summary = run_recipe(find_recipe(name), scale, data, to, command, say)
    return print_json(summary.to_dict()) if json else recipe_summaries.done(summary)
