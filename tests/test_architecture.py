"""The folders of docs/architecture.md: who may import whom, and what starts without the heavy packages."""

from __future__ import annotations

import ast
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import shelfwise
from drawn_shop import photo, run_python, write

PACKAGE = Path(shelfwise.__file__).parent
DOCUMENT = PACKAGE.parents[1] / "docs" / "architecture.md"
# What makes a start slow.
HEAVY = [
    "torch",
    "onnx",
    "onnxruntime",
    "lance",
    "pyarrow",
    "scipy",
    "sklearn",
    "matplotlib",
    "PIL",
    "pandas",
    "numpy",
    "safetensors",
    "huggingface_hub",
]
FORBIDDEN_NAMES = {"utils", "helpers", "common", "base", "core", "manager"}


def drawn_lines() -> list[list[str]]:
    """Read the folders of the drawing, from the top line down."""
    drawing = re.search(r"    src/shelfwise/\n((?: {6}.*\n)+)", DOCUMENT.read_text(encoding="utf-8"))
    assert drawing, "docs/architecture.md draws no folders"
    return [re.findall(r"\b([a-z]+)(?:/|\.py)(?=\s)", line) for line in drawing[1].splitlines()]


def imported(file: Path, package: Path) -> set[str]:
    """Names of the top-level modules and folders of a package that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    assert not any(name.startswith(".") for name in names), f"{file}: relative imports hide where they lead"
    return {name.split(".")[1] for name in names if name.startswith(f"{package.name}.")} & known(package)


def known(package: Path) -> set[str]:
    return {path.stem for path in package.iterdir() if path.suffix in ("", ".py") and not path.stem.startswith("__")}


def violations(package: Path, lines: list[list[str]]) -> list[str]:
    """List imports that do not lead upwards: to another verb, or to a lower line."""
    line_of = {name: number for number, line in enumerate(lines) for name in line}
    verbs = max(lines, key=lambda line: "ingest" in line)
    found = []
    for file in sorted(package.rglob("*.py")):
        own = file.relative_to(package).parts[0].removesuffix(".py")
        if own.startswith("__"):
            continue
        for name in sorted(imported(file, package) - {own}):
            sideways = line_of[name] == line_of[own] and own in verbs
            if line_of[name] > line_of[own] or sideways:
                found.append(f"{file.relative_to(package)} imports {name}")
    return found


def test_the_document_draws_every_folder_and_module_once():
    drawn = [name for line in drawn_lines() for name in line]
    assert sorted(drawn) == sorted(known(PACKAGE))


def test_imports_lead_only_upwards_and_verbs_never_import_one_another():
    assert violations(PACKAGE, drawn_lines()) == []


@pytest.mark.parametrize(
    ("file", "code", "seen"),
    [
        ("predict/run.py", "from shelfwise.ingest.folder import FolderSource", "predict/run.py imports ingest"),
        ("train/run.py", "def f():\n    import shelfwise.evaluate.run", "train/run.py imports evaluate"),
        ("catalog/store.py", "if True:\n    from shelfwise import cli", "catalog/store.py imports cli"),
        ("errors.py", "from shelfwise.taxonomy import Node", "errors.py imports taxonomy"),
        ("images/decode.py", "from shelfwise.backbones import cards", "images/decode.py imports backbones"),
    ],
)
def test_a_planted_violation_is_seen(tmp_path: Path, file: str, code: str, seen: str):
    package = tmp_path / "shelfwise"
    for line in drawn_lines():
        for name in line:
            write(package / (f"{name}.py" if (PACKAGE / f"{name}.py").exists() else f"{name}/__init__.py"), b"")
    write(package / "cli" / "commands.py", b"from shelfwise.ingest import ingest\nimport shelfwise.errors")
    assert violations(package, drawn_lines()) == []
    write(package / file, code.encode())
    assert violations(package, drawn_lines()) == [seen]


def test_no_file_or_folder_has_a_name_that_says_nothing():
    named = {path.stem for path in PACKAGE.rglob("*") if path.suffix in ("", ".py")}
    assert not named & FORBIDDEN_NAMES
    assert "taxonomy" in named


def loaded_by(code: str) -> set[str]:
    tell = f"import sys; print('loaded:', *sorted(set(sys.modules) & set({HEAVY!r})))"
    done = run_python(f"{code}\n{tell}")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], ["train", "--help"], ["ingest", "folder", "--help"], ["--version"]]
)
def test_help_loads_none_of_the_heavy_packages(arguments: list[str]):
    run = (
        f"import shelfwise.cli\ntry: shelfwise.cli.main({arguments!r})\nexcept SystemExit as end: assert end.code == 0"
    )
    assert loaded_by(run) == set()


def test_importing_the_package_loads_none_of_the_heavy_packages_while_a_verb_is_seen_to():
    assert loaded_by("import shelfwise") == set()
    assert {"lance", "pyarrow", "PIL"} <= loaded_by("import shelfwise.ingest")


@pytest.mark.parametrize(("arguments", "limit_s"), [(["--help"], 0.3), (["train", "--help"], 0.45)])
def test_help_is_there_at_once_also_that_of_the_command_with_most_options(arguments: list[str], limit_s: float):
    command = [str(Path(sys.executable).with_name("shelfwise")), *arguments]
    seconds = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if min(seconds) < limit_s:
            return
    pytest.fail(f"the fastest of {len(seconds)} took {min(seconds):.2f} s of user and system time")


def test_the_walk_from_folder_to_answer_never_imports_torch_timm_or_matplotlib(tmp_path: Path):
    for split, seeds in (("train", range(4)), ("test", range(4, 6))):
        for kind in ("mug", "boot"):
            for seed in seeds:
                write(tmp_path / "photos" / split / kind / f"{seed}.jpg", photo(kind, seed))
    walk = """
import sys
from pathlib import Path
for name in ("torch", "torchvision", "timm", "matplotlib"):
    sys.modules[name] = None
from shelfwise.embed import embed
from shelfwise.evaluate import evaluate
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import EmbedOptions
from shelfwise.predict import predict
from shelfwise.train import train
here = Path(sys.argv[1])
ingest(FolderSource(here / "photos"), here / "shop.catalog")
embed(here / "shop.catalog", EmbedOptions(backbone="lite0@96", precision="fp32"))
train(here / "shop.catalog", here / "shop.bundle")
assert evaluate(here / "shop.bundle", here / "shop.catalog").metrics["products"] == 4
print(len(list(predict(here / "shop.bundle", [here / "photos" / "test"]))))
"""
    done = run_python(walk, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "4"
    assert run_python("import sys; sys.modules['torch'] = None; import torch").returncode == 1
