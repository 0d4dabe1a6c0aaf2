"""Recipes carried out: small ones written here, then the four of the package at tiny scale."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from drawn_grocery import draw_grocery
from drawn_shop import lay_out, shelfwise
from shelfwise.cli.main import carry_out
from shelfwise.errors import OptionError, RecipeError
from shelfwise.recipes import Recipe, RecipeSummary, recipes, run_recipe
from shelfwise.recipes.recipe import Plot, StepTemplate, Table, read_recipe

STEPS = (
    StepTemplate(name="import", run="ingest folder {data} --to {work}/shop.catalog"),
    StepTemplate(
        name="take {letter}", each=("letter",), run="subset {work}/shop.catalog --below {letter} --to {work}/{letter}.catalog"
    ),
)  # fmt: skip


def small(steps: Sequence[StepTemplate] = STEPS, tables: Sequence[Table] = ()) -> Recipe:
    return Recipe(
        name="small", title="Small", report="R0", data={"tiny": "photos"}, scales={"tiny": {"letter": ["a", "b"]}},
        steps=tuple(steps), tables=tuple(tables),
    )  # fmt: skip


def carried_out(recipe: Recipe, folder: Path, said: list[str] | None = None) -> RecipeSummary:
    def command(words: Sequence[str]) -> int:
        return carry_out(list(words))

    return run_recipe(
        recipe, "tiny", folder / "photos", folder / "work", command, [].append if said is None else said.append
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lay_out(tmp_path / "photos", "a/1.jpg", "a/2.jpg", "b/3.jpg")
    return tmp_path


def test_steps_are_done_once_with_a_log_each(folder: Path, capsys: pytest.CaptureFixture[str]):
    said: list[str] = []
    summary = carried_out(small(), folder, said)
    assert summary.steps == 3
    assert [line.rsplit(maxsplit=2)[0] for line in said] == ["[1/3] import", "[2/3] take a", "[3/3] take b"]
    logs = sorted((folder / "work" / "logs").iterdir())
    assert [log.name for log in logs] == ["001-import.log", "002-take-a.log", "003-take-b.log"]
    assert logs[1].read_text().startswith("$ shelfwise subset ")
    assert "2 products" in logs[1].read_text()
    assert capsys.readouterr().out == ""
    said.clear()
    carried_out(small(), folder, said)
    assert all(line.endswith("done before") for line in said)


def test_a_step_whose_result_is_gone_is_done_again(folder: Path):
    carried_out(small(), folder)
    (folder / "work" / "a.catalog").rename(folder / "elsewhere")
    said: list[str] = []
    carried_out(small(), folder, said)
    assert [line.endswith("done before") for line in said] == [True, False, True]


def test_what_rests_on_a_result_that_was_made_anew_is_done_again(folder: Path):
    carried_out(small(), folder)
    (folder / "work" / "shop.catalog").rename(folder / "elsewhere")
    said: list[str] = []
    carried_out(small(), folder, said)
    assert not any(line.endswith("done before") for line in said)


def test_a_changed_step_is_refused_with_both_commands(folder: Path):
    carried_out(small(), folder)
    changed = (STEPS[0], StepTemplate(name="take {letter}", each=("letter",), run=STEPS[1].run + " --per-category 1"))
    with pytest.raises(
        OptionError, match=r"'take a' of the recipe changed.*it was  .*a\.catalog  and is  .*--per-category 1"
    ):
        carried_out(small(changed), folder)


def test_a_folder_of_something_else_is_refused(folder: Path):
    (folder / "work").mkdir()
    (folder / "work" / "notes.txt").touch()
    with pytest.raises(OptionError, match="holds something else"):
        carried_out(small(), folder)


def test_other_data_in_the_same_folder_is_refused(folder: Path):
    carried_out(small(), folder)
    lay_out(folder / "others", "a/1.jpg", "b/2.jpg")
    with pytest.raises(OptionError, match=r"was begun with data .*photos, not .*others"):
        run_recipe(small(), "tiny", folder / "others", folder / "work", lambda _words: 0)


def test_a_step_that_fails_is_named_with_what_it_said_and_the_run_goes_on_from_there(folder: Path):
    broken = (STEPS[0], StepTemplate(name="take c", run="subset {work}/shop.catalog --below c --to {work}/c.catalog"))
    with pytest.raises(RecipeError, match=r"step 2, 'take c', ended with exit code 2: .*no shelf 'c'.*002-take-c\.log"):
        carried_out(small(broken), folder)
    lay_out(folder / "photos", "c/4.jpg")
    assert carry_out(["ingest", "folder", str(folder / "photos"), "--to", str(folder / "work" / "shop.catalog")]) == 0
    said: list[str] = []
    carried_out(small(broken), folder, said)
    assert said[0].endswith("done before")
    assert not said[1].endswith("done before")


def test_what_a_killed_step_had_written_is_written_anew(folder: Path):
    carried_out(small(STEPS[:1]), folder)
    assert (
        carry_out(["subset", str(folder / "work/shop.catalog"), "--below", "b", "--to", str(folder / "work/a.catalog")])
        == 0
    )
    carried_out(small(), folder)
    told = json.loads(shelfwise("show", folder / "work" / "a.catalog", "--json").stdout)
    assert told["counts"]["products"] == 2


def test_a_table_gathers_figures_and_a_plot_is_drawn(folder: Path):
    (folder / "work" / "x").mkdir(parents=True)
    for letter, share in (("a", 0.25), ("b", 0.5)):
        metrics = {"top1": {"value": share, "low": share - 0.1, "high": share + 0.1}, "products": 4}
        (folder / "photos" / f"{letter}.json").write_text(json.dumps(metrics))
    (folder / "work" / "x").rmdir()
    table = Table(
        title="T", label="{letter}|", each=("letter",), metrics="{data}/{letter}.json",
        columns=(("right", "top1"), ("products", "products")),
    )  # fmt: skip
    over = Table(title="O", label="mean", over="letter", metrics="{data}/{letter}.json", columns=(("right", "top1"),))
    plotted = small(tables=(table, over))
    plotted = Recipe(**{name: getattr(plotted, name) for name in Recipe.__dataclass_fields__} | {
        "plots": (Plot(table="T", x="letter", x_label="letter", y="right", line="letter", file="plot.png"),),
    })  # fmt: skip
    summary = carried_out(plotted, folder)
    report = (folder / "work" / "report.md").read_text()
    assert "| a\\| | 25.0% (15.0% to 35.0%) | 4 |" in report
    assert "| mean | 37.5% (0.0% to 100.0%) |" in report  # two folds: t(1) = 12.7, s = 0.177
    assert "```bash\nshelfwise ingest folder " in report
    results = json.loads((folder / "work" / "results.json").read_text())
    assert results["tables"] == summary.tables
    assert list(results["seconds"]) == ["import", "take a", "take b"]
    assert (folder / "work" / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_is_not_there_is_named(folder: Path):
    (folder / "photos" / "a.json").write_text("{}")
    table = Table(title="T", label="x", metrics="{data}/a.json", columns=(("right", "levels.fine.top1"),))
    with pytest.raises(RecipeError, match=r"no figure 'levels\.fine\.top1' in the metrics: no 'levels'"):
        carried_out(small(tables=(table,)), folder)


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path: Path):
    draw_grocery(tmp_path / "photos")
    words = [
        "recipe",
        "run",
        "shopee-groups",
        "--scale",
        "tiny",
        "--data",
        tmp_path / "photos",
        "--to",
        tmp_path / "work",
    ]
    process = subprocess.Popen(
        [Path(sys.executable).with_name("shelfwise"), *map(str, words)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    state, until = tmp_path / "work" / "state.json", time.monotonic() + 120
    while not (state.exists() and len(json.loads(state.read_bytes())["done"]) >= 4) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = json.loads(state.read_bytes())["done"]
    assert 4 <= len(before) < 7
    done = shelfwise(*words, "--json")
    assert done.returncode == 0, done.stderr
    assert sum(line.endswith("done before") for line in done.stderr.splitlines()) == len(before)
    after = json.loads(state.read_bytes())["done"]
    assert {name: after[name] for name in before} == before
    _check(json.loads(done.stdout), tmp_path / "work")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(recipes()) - {"shopee-groups"}))
def test_each_recipe_runs_at_tiny_scale(name: str, tmp_path: Path):
    draw_grocery(tmp_path / "photos")
    done = shelfwise(
        "recipe", "run", name, "--scale", "tiny", "--data", tmp_path / "photos", "--to", tmp_path / "work", "--json"
    )
    assert done.returncode == 0, done.stderr
    _check(json.loads(done.stdout), tmp_path / "work")
    if name == "cdiscount":
        lines = (tmp_path / "work" / "submission.csv").read_text().splitlines()
        products = json.loads((tmp_path / "work" / "tuned.report" / "metrics.json").read_bytes())["products"]
        assert lines[0] == "_id,category_id"
        assert len(lines) == products + 1


def _check(told: dict[str, object], work: Path) -> None:
    """Every share of every table lies in its interval, and the report holds each table."""
    report = (work / "report.md").read_text()
    tables = told["tables"]
    assert isinstance(tables, list)
    for table in tables:
        assert f"## {table['title']}\n" in report
        assert table["rows"]
        for row in table["rows"]:
            shares = [figure for figure in row["figures"].values() if isinstance(figure, dict)]
            assert all(share["low"] <= share["value"] <= share["high"] for share in shares if "low" in share)


def test_a_recipe_of_ones_own_is_read_from_a_file(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'title = "Mine"\nreport = "R9"\n[data]\ntiny = "x"\n[scales.tiny]\nletter = ["a"]\n'
        '[[steps]]\nname = "s"\nrun = "show {data}"\neach = ["letter"]\n[[tables]]\n'
        'title = "T"\nlabel = "l"\nmetrics = "m"\ncolumns = [["a", "b"]]\n'
    )
    recipe = read_recipe(file)
    assert (recipe.name, recipe.steps[0].each, recipe.tables[0].columns) == ("mine", ("letter",), (("a", "b"),))
