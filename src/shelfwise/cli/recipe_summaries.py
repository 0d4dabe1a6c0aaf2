"""What people read of recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from shelfwise.cli.foreign import plain
from shelfwise.cli.summaries import console
from shelfwise.recipes.figures import shown

if TYPE_CHECKING:
    from shelfwise.recipes import Recipe, RecipeSummary


def listed(recipes: dict[str, Recipe]) -> int:
    """Print the recipes and the data that they need."""
    for name, recipe in recipes.items():
        console.print(f"[bold]{name}[/]  {recipe.report}: {plain(recipe.title)}")
        for scale, data in recipe.data.items():
            console.print(f"  {scale:9} {plain(data)}", style="dim")
    return 0


def done(summary: RecipeSummary) -> int:
    """Print the tables."""
    for table in summary.tables:
        console.print(f"\n[bold]{plain(table['title'])}[/]")
        drawn = Table(box=None, pad_edge=False)
        for place, heading in enumerate(["", *table["columns"]]):
            drawn.add_column(heading, justify="right" if place else "left")
        for row in table["rows"]:
            drawn.add_row(plain(row["label"]), *(plain(shown(figure)) for figure in row["figures"].values()))
        console.print(drawn)
    console.print(f"\n{summary.steps} commands, {summary.seconds / 60:.1f} minutes")
    console.print(f"report  {plain(summary.report)}")
    return 0
