"""The report of a recipe: report.md for people, results.json for machines, and its plots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shelfwise.files import write_bytes, write_json
from shelfwise.recipes.figures import averaged, figure, found, shown
from shelfwise.recipes.plot import draw
from shelfwise.recipes.recipe import Recipe, Table
from shelfwise.recipes.steps import Filled, Step


def write_report(
    recipe: Recipe, filled: Filled, scale: str, folder: Path, steps: list[Step], seconds: dict[str, float]
) -> list[dict[str, Any]]:
    """Write report.md, results.json and the plots into a folder; return the tables as in results.json."""
    tables = [_table(table, filled) for table in recipe.tables if scale in table.scales]
    by_title = {table["title"]: table for table in tables}
    plots = [plot for plot in recipe.plots if plot.table in by_title]
    for plot in plots:
        write_bytes(folder / plot.file, draw(plot, by_title[plot.table]))
    write_json(
        folder / "results.json",
        {"recipe": recipe.name, "scale": scale, "tables": tables, "seconds": {s.name: seconds[s.name] for s in steps}},
    )
    parts = [f"# {recipe.title} ({recipe.report}), {scale} scale", recipe.notes.get(scale, "")]
    for table in tables:
        parts += [f"## {table['title']}", markdown(table), table["note"]]
        parts += [f"![{plot.table}]({plot.file})" for plot in plots if plot.table == table["title"]]
    commands = "\n".join(step.line for step in steps)
    parts += [
        "## Commands", f"{len(steps)} commands, {sum(seconds.values()) / 60:.1f} minutes.", f"```bash\n{commands}\n```",
    ]  # fmt: skip
    write_bytes(folder / "report.md", ("\n\n".join(filter(None, parts)) + "\n").encode())
    return tables


def _table(table: Table, filled: Filled) -> dict[str, Any]:
    """Gather a table: title, note, columns, and rows with label, loop variables and figures by column."""
    rows: list[dict[str, Any]] = []
    for loop in filled.loops(table.each):
        at = {name: value["name"] if isinstance(value, dict) else value for name, value in loop.items()}
        inner = list(filled.loops((table.over,))) if table.over else [{}]
        gathered = [_figures(table, filled, loop | each) for each in inner]
        for place, (label, figures) in enumerate(gathered[0]):
            every = [each[place][1] for each in gathered]
            values = {name: averaged([one[name] for one in every]) if table.over else figures[name] for name in figures}
            rows.append({"label": label, "at": at, "figures": values})
    return {
        "title": table.title, "note": table.note, "columns": [heading for heading, _ in table.columns], "rows": rows,
    }  # fmt: skip


def _figures(table: Table, filled: Filled, loop: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return label and figures of the rows that one file of metrics gives."""
    metrics = json.loads(Path(filled.text(table.metrics, loop)).read_bytes())
    bundle = Path(filled.text(table.bundle, loop)) if table.bundle else None
    if not table.rows:
        figures = {heading: figure(name, metrics, bundle) for heading, name in table.columns}
        return [(filled.text(table.label, loop), figures)]
    return [
        (filled.text(table.label, loop | item), {heading: found(name, item) for heading, name in table.columns})
        for item in found(table.rows, metrics)
    ]


def markdown(table: dict[str, Any]) -> str:
    """Write a table as Markdown."""
    lines = [["", *table["columns"]], ["---", *("--:" for _ in table["columns"])]]
    lines += [[row["label"], *map(shown, row["figures"].values())] for row in table["rows"]]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
