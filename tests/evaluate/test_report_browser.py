"""The page in a real browser: no console message, and its controls do what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from drawn_report import drawn_abstention, grocery_like_report, grocery_like_tree, lifelike_answers

from shelfwise.evaluate.report.assemble import report_data
from shelfwise.evaluate.report.render import render
from shelfwise.metrics.classification import score
from shelfwise.taxonomy import Node, Taxonomy

if TYPE_CHECKING:
    from pathlib import Path

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=3000",
    "--dump-dom",
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium here: the report was NOT opened in a browser"),
]


def opened(html: str, folder: Path, deed: str = "") -> tuple[str, list[str]]:
    """Open a page, do something in it, and return its elements then and what the console said."""
    assert BROWSER is not None
    page = folder / "report.html"
    page.write_text(html.replace("</body>", f"<script>{deed}</script></body>"), encoding="utf-8")
    command = [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode(), [line for line in done.stderr.decode().splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def html() -> str:
    return render(grocery_like_report(400))


def test_the_page_opens_without_a_console_message(html: str, tmp_path: Path) -> None:
    dom, console = opened(html, tmp_path)
    assert console == []
    assert 'class="scripted"' in dom
    assert "81 categories</p>" in dom


def test_the_console_is_listened_to(html: str, tmp_path: Path) -> None:
    _, console = opened(html, tmp_path, "noSuchFunction()")
    assert len(console) == 1


def test_nothing_sticks_out_of_a_narrow_window(html: str, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    inner = tmp_path / "inner" / "page.html"
    told = "parent.postMessage(document.documentElement.scrollWidth + ' of ' + innerWidth, '*')"
    inner.write_text(html.replace("</body>", f"<script>{told}</script></body>"), encoding="utf-8")
    outer = (
        f"<body><p id=width></p><iframe width=360 height=800 style='border:0' src='{inner.as_uri()}'></iframe>"
        "<script>addEventListener('message', (event) => { document.getElementById('width').textContent = event.data; })"
        "</script></body>"
    )
    dom, _ = opened(outer, tmp_path)
    found = re.search(r"<p id=\"width\">(\d+) of (\d+)</p>", dom)
    assert found is not None
    assert int(found[1]) <= int(found[2]) <= 360


def test_filter_and_sort_change_the_table(html: str, tmp_path: Path) -> None:
    deed = (
        "const filter = document.getElementById('category-filter'); filter.value = 'MILK';"
        "filter.dispatchEvent(new Event('input')); document.querySelectorAll('.sort')[1].click();"
    )
    dom, console = opened(html, tmp_path, deed)
    assert console == []
    assert re.search(r"\b\d+ of 81</p>", dom)
    table = dom[dom.index('id="category-table"') : dom.index("</table>", dom.index('id="category-table"'))]
    supports = [int(value) for value in re.findall(r'meter support" data-value="(\d+)"', table)]
    assert supports == sorted(supports, reverse=True)
    assert 'aria-sort="descending"' in table


def test_the_matrix_answers_to_the_keyboard(html: str, tmp_path: Path) -> None:
    deed = (
        "document.querySelectorAll('#matrix-levels button')[1].click();"
        "const view = document.getElementById('matrix-viewport');"
        "for (const key of ['Enter', 'ArrowDown', 'ArrowRight', 'Enter'])"
        " view.dispatchEvent(new KeyboardEvent('keydown', { key }));"
    )
    dom, console = opened(html, tmp_path, deed)
    assert console == []
    readout = re.search(r'id="matrix-readout"[^>]*>([^<]*)<', dom)
    assert readout is not None
    assert re.fullmatch(r".+ answered as .+: \d+ of \d+ products? \(\d+\.\d\u202f%\)\.", readout[1])


def test_the_curves_and_bars_of_certainty_have_the_size_of_their_numbers(html: str, tmp_path: Path) -> None:
    deed = (
        "const bars = [...document.querySelectorAll('.shares i')];"
        "const whole = document.querySelector('.shares').getBoundingClientRect().width;"
        "const parts = bars.map((bar) => (bar.getBoundingClientRect().width / whole).toFixed(3)).join(' ');"
        "const lines = [...document.querySelectorAll('.risk-line')].map((line) => line.getTotalLength().toFixed(0)).join(' ');"
        "document.body.dataset.seen = parts + ' | ' + lines;"
    )
    dom, console = opened(html, tmp_path, deed)
    assert console == []
    seen = re.search(r'data-seen="([^"]*)"', dom)
    assert seen is not None
    parts, lines = ([float(value) for value in side.split()] for side in seen[1].split("|"))
    answers = lifelike_answers(grocery_like_tree(), 400)
    found = drawn_abstention(answers)
    shares = [level["stopped"]["value"] for level in reversed(found["levels"].values())] + [found["unsure"] / 400]
    assert parts == pytest.approx([share for share in shares if share], abs=0.01)
    assert len(lines) == 3
    assert min(lines) > 250


@pytest.mark.parametrize("kind", ["one category", "flat", "large", "hostile"])
def test_odd_data_open_without_a_console_message(kind: str, tmp_path: Path) -> None:
    tree = {
        "one category": Taxonomy([Node("a", "A", None)]),
        "flat": Taxonomy([Node(f"k{i}", f"Kind {i}", None) for i in range(400)]),
        "large": grocery_like_tree(500),
        "hostile": Taxonomy([Node("a", "</script><script>alert(1)</script>", None), Node("b", "<!--<script>", None)]),
    }[kind]
    answers = lifelike_answers(tree, 120)
    found = score(answers, resamples=10)
    _, console = opened(
        render(report_data(answers, tree, found, title=kind, subtitle="", date="", command="")), tmp_path
    )
    assert console == []
