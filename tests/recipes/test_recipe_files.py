"""What the recipes' files say: every command of every scale is one that the command line takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drawn_shop import shelfwise
from shelfwise.cli.commands import app
from shelfwise.errors import OptionError
from shelfwise.networks.find import find_network
from shelfwise.recipes import find_recipe, recipes, steps_of
from shelfwise.recipes.figures import averaged, shown
from shelfwise.recipes.recipe import SCALES
from shelfwise.recipes.steps import Filled

ALL = [(name, scale) for name in recipes() for scale in SCALES]
DOCUMENTS = Path(__file__).parents[2] / "docs" / "recipes"


def test_the_reports_that_are_done_again_are_these():
    assert {name: recipe.report for name, recipe in recipes().items()} == {
        "apparel-transfer": "R3", "cdiscount": "R4", "grocery-cnn": "R1", "shopee-groups": "R5",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "scale"), ALL)
def test_every_command_is_taken_by_the_command_line(name: str, scale: str):
    steps = steps_of(find_recipe(name), scale, "some data", "here/work")
    for step in steps:
        command, bound, _ = app.parse_args(step.words, exit_on_error=False, print_error=False)
        assert command.__name__ == (step.words[1] if step.words[0] == "ingest" else step.words[0])
        assert bound.arguments
    assert len({step.name for step in steps}) == len(steps)
    written = [step.makes for step in steps if step.makes]
    assert len(set(written)) == len(written)
    assert all(path.is_relative_to("here/work") for path in written)


@pytest.mark.parametrize(("name", "scale"), ALL)
def test_every_network_that_is_named_exists(name: str, scale: str):
    pytest.importorskip("timm")
    for step in steps_of(find_recipe(name), scale, "data", "work"):
        if "--network" in step.words:
            find_network(step.words[step.words.index("--network") + 1])


@pytest.mark.parametrize(("name", "scale"), ALL)
def test_every_table_reads_what_an_evaluation_wrote(name: str, scale: str):
    recipe = find_recipe(name)
    filled = Filled(recipe, scale, "data", "work")
    makes = {str(step.makes) for step in steps_of(recipe, scale, "data", "work")}
    for table in recipe.tables:
        for loop in filled.loops([*table.each, *filter(None, [table.over])]):
            assert filled.text(table.metrics, loop).removesuffix("/metrics.json") in makes
            if table.bundle:
                assert filled.text(table.bundle, loop) in makes


@pytest.mark.parametrize("name", list(recipes()))
def test_every_recipe_has_a_page_with_its_commands(name: str):
    page = (DOCUMENTS / f"{name}.md").read_text(encoding="utf-8")
    assert f"shelfwise recipe run {name} --data" in page


def test_six_networks_of_r1_are_trained_at_two_scales():
    for scale in ("stand-in", "full"):
        words = [step.words for step in steps_of(find_recipe("grocery-cnn"), scale, "data", "work")]
        assert {line[line.index("--network") + 1] for line in words if "--network" in line} == {
            "resnet18-d", "se-resnet18", "resnet18-transformer", "se-resnet18-transformer", "resnet50-transformer",
            "deepcnn-transformer",
        }  # fmt: skip


def test_show_prints_commands_that_a_shell_takes_and_list_names_all():
    done = shelfwise("recipe", "show", "cdiscount", "--scale", "full", "--data", "my data", "--to", "out")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "shelfwise ingest cdiscount 'my data/train.bson' --categories 'my data/category_names.csv' --in-place "
        "--to out/shop.catalog"
    )
    assert all(line.startswith("shelfwise ") for line in lines)
    assert set(json.loads(shelfwise("recipe", "list", "--json").stdout)) == set(recipes())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "cdiscont"], "no recipe is called 'cdiscont': did you mean 'cdiscount'? there are apparel-transfer"),
        (
            ["show", "cdiscount", "--scale", "tinny"],
            "--scale tinny: did you mean 'tiny'? there are tiny, stand-in, full",
        ),
        (
            ["run", "cdiscount", "--data", "nowhere", "--to", "x"],
            "--data nowhere does not exist; cdiscount needs the Grocery",
        ),
        (["run", "cdiscount", "--data", ".", "--to", "x", "--scale", "huge"], "--scale huge: there are tiny"),
    ],
)
def test_a_wrong_name_or_place_is_said_with_what_is_meant(tmp_path: Path, words: list[str], said: str):
    done = shelfwise("recipe", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.replace("\n", " ")
    assert not (tmp_path / "x").exists()


def test_means_over_folds_have_students_interval():
    # Worked by hand: mean 0.6, s 0.1, t(2) 0.975 = 4.30265: 0.6 +- 4.30265 * 0.1 / sqrt(3).
    mean = averaged([{"value": 0.5, "low": 0.4, "high": 0.6}, {"value": 0.6}, {"value": 0.7}])
    assert mean["value"] == pytest.approx(0.6)
    assert (mean["low"], mean["high"]) == pytest.approx((0.6 - 0.248414, 0.6 + 0.248414), abs=1e-5)
    assert averaged([10, 20]) == 15
    assert averaged([None, None]) is None
    assert shown(mean) == "60.0% (35.2% to 84.8%)"
    assert [shown(value) for value in (None, 12, 3.14159, "Juice")] == ["-", "12", "3.1", "Juice"]


def test_a_scale_that_is_not_there_is_an_option_error():
    with pytest.raises(OptionError, match="--scale medium"):
        steps_of(find_recipe("cdiscount"), "medium", "data", "work")
