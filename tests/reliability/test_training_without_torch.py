"""A network answers the same where torch is not installed, and no other command asks for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from test_training_kills import draw

from drawn_shop import run_python
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.train import train

pytestmark = pytest.mark.slow

OURS = ("torch", "torchvision", "timm", "accelerate", "onnxscript", "tensorboard")
WITHOUT = f"""
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OURS}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""
COMMAND = "import sys\nfrom shelfwise.cli.main import main\nmain(sys.argv[1:])"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog and a network that learned from it."""
    place = tmp_path_factory.mktemp("without")
    ingest(FolderSource(draw(place / "photos")), place / "shop.catalog")
    how = NetworkOptions(start="random", side="32", batch=4, log="none")
    train(place / "shop.catalog", place / "x.bundle", TrainOptions(network="small-cnn", epochs=2), how)
    return place


def test_predict_and_evaluate_give_the_same_figures_without_torch(shop: Path):
    photos = sorted((shop / "photos" / "val").rglob("*.jpg"))
    commands = [("predict", shop / "x.bundle", *photos, "--json")]
    told = {}
    for name, before in (("with", ""), ("without", WITHOUT)):
        catalog = shop / f"{name}.catalog"
        shutil.copytree(shop / "shop.catalog", catalog)
        evaluate = ("evaluate", shop / "x.bundle", catalog, "--split", "val", "--json")
        done = [run_python(before + COMMAND, *command) for command in (*commands, evaluate)]
        assert [each.returncode for each in done] == [0, 0], [each.stderr for each in done]
        told[name] = [stable(each.stdout, name) for each in done]
    assert told["with"] == told["without"]
    assert '"products": 8' in json.dumps(told["with"])


def stable(out: str, name: str) -> list[object]:
    """Read what was printed, without seconds and the name of the catalog."""
    lines = out.replace(f"{name}.catalog", "catalog")
    try:
        values = [json.loads(lines)]
    except json.JSONDecodeError:
        values = [json.loads(line) for line in lines.splitlines()]
    return [without_seconds(value) for value in values]


def without_seconds(value: object) -> object:
    if isinstance(value, dict):
        return {k: without_seconds(v) for k, v in value.items() if "second" not in k and k not in ("ms", "time")}
    return [without_seconds(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"], ["ingest", "folder", "--help"]])
def test_help_never_imports_torch(arguments: list[str]):
    code = f"""
import sys
from shelfwise.cli.main import carry_out
import shelfwise
carry_out({arguments!r})
print(sorted(set(sys.modules) & set({OURS})), file=sys.stderr)
"""
    done = run_python(code)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "[]"


def test_training_a_network_without_torch_names_the_extra(shop: Path):
    for network in ("small-cnn", "lite0"):
        command = ("train", shop / "shop.catalog", "--to", shop / "new.bundle", "--network", network)
        done = run_python(WITHOUT + COMMAND, *command)
        assert done.returncode == 2
        assert "networks are trained by torch" in done.stderr
        assert "pip install 'shelfwise[torch]'" in done.stderr
        assert not (shop / "new.bundle").exists()
