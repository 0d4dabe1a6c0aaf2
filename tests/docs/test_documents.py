"""The documents say what the program does."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_command_reference_is_what_the_code_generates() -> None:
    # in a process of its own: the usage lines name the program that runs
    code = "from shelfwise.cli.commands import app; print(app.generate_docs(output_format='markdown', recursive=True), end='')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (ROOT / "docs/commands.md").read_text() == done.stdout, f"out of date: python -c {code!r} > docs/commands.md"


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=lambda p: p.name
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def commands_of(document: Path) -> list[str]:
    """Return the lines after a $ in the console blocks of a document."""
    blocks = re.findall(r"```console\n(.*?)```", document.read_text(), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.slow
def test_the_commands_of_the_tutorial_run_in_order(tmp_path: Path) -> None:
    shelfwise = shutil.which("shelfwise", path=str(Path(sys.executable).parent))
    assert shelfwise
    commands = commands_of(ROOT / "docs/tutorial.md")
    assert len(commands) >= 6
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "shelfwise", command
        done = subprocess.run([shelfwise, *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert (tmp_path / "report/index.html").stat().st_size > 10_000


@pytest.mark.slow
def test_the_python_lines_of_the_readme_run(tmp_path: Path) -> None:
    from shelfwise.images.draw import draw_product, encode_jpeg

    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        for kind in ("mug", "boot"):
            folder = tmp_path / "photos" / split / kind
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number}.jpg").write_bytes(encode_jpeg(draw_product(kind, number, 64)))
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "'value'" in done.stdout
