"""Twenty products reviewed by keyboard in a real browser, and what the catalog says then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawn_review import Served, categories, misfiled, served

from shelfwise.catalog import Catalog

sync_api: Any = pytest.importorskip(
    "playwright.sync_api",
    reason="playwright is not installed (pip install -e '.[dev]'): the review page was NOT opened",
)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium here: the review page was NOT opened in a browser"),
]


@pytest.fixture
def shop(embedded_catalog: Path, tmp_path: Path) -> Path:
    return misfiled(embedded_catalog, tmp_path / "shop.catalog", 24)[0]


@pytest.fixture
def page(shop: Path) -> Iterator[Served]:
    with served(shop, who="ann") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


class Reviewer:
    """Sits before the page, and has only a keyboard."""

    def __init__(self, browser: Any, address: str, **window: Any) -> None:
        self.page = browser.new_page(**window)
        self.console: list[str] = []
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.goto(address)
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_selector("#desk:not([aria-busy]):not([hidden]), #finish:not([hidden])")

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.page.wait_for_selector("#desk:not([aria-busy])", state="attached")
        self.settle()

    def text(self, name: str) -> str:
        return str(self.page.inner_text(f"#{name}"))

    @property
    def shown(self) -> str:
        return self.text("product")


def path_of(catalog: Path, category: str) -> str:
    return " › ".join(Catalog(catalog).taxonomy.names(category))  # noqa: RUF001


def test_twenty_products_are_reviewed_by_keyboard(page: Served, shop: Path, browser: Any):
    before, expected, reviewer = categories(shop), categories(shop), Reviewer(browser, page.address)
    decided: list[tuple[str, str]] = []
    for number in range(20):
        product, key = reviewer.shown, "arasaArosa"[number % 10].lower()
        item = page.sitting.item(number)
        assert (item["product_id"], item["decision"]) == (product, None)
        if key == "o":
            reviewer.page.keyboard.press("o")
            other = "Carton" if item["shelf"]["names"][-1] == "Pendant lamp" else "Pendant lamp"
            reviewer.page.keyboard.type(other[:4].lower())
            assert reviewer.page.inner_text("#choices li[aria-selected=true]").startswith(other)
            reviewer.page.keyboard.press("ArrowDown")
            reviewer.page.keyboard.press("ArrowUp")
            reviewer.press("Enter")
            expected[product] = next(leaf for leaf in Catalog(shop).taxonomy.leaves if leaf.endswith(other))
        else:
            reviewer.press(key)
            if key == "a":
                expected[product] = item["others"][0]["id"]
        decided.append((product, key))
        assert product in reviewer.text("said")
    assert categories(shop) == expected
    log = Catalog(shop).corrections().to_pylist()
    named = {"a": "move", "o": "move", "r": "confirm"}
    assert [(row["product_id"], row["action"]) for row in log] == [(p, named[k]) for p, k in decided if k != "s"]
    assert {row["who"] for row in log} == {"ann"}
    assert reviewer.text("tally").startswith("20 of ")
    for product, _ in reversed(decided):
        reviewer.press("u")
        assert reviewer.shown == product
        assert reviewer.text("said").startswith("Taken back: ")
    assert categories(shop) == before
    assert reviewer.console == []


def test_one_goes_back_and_decides_anew(page: Served, shop: Path, browser: Any):
    before, reviewer = categories(shop), Reviewer(browser, page.address)
    product = reviewer.shown
    suggested = page.sitting.item(0)["others"][0]["id"]
    reviewer.press("Enter")
    reviewer.press("k")
    assert (reviewer.shown, reviewer.text("stamp")) == (product, f"Decided: moved to {path_of(shop, suggested)}")
    reviewer.press("s")
    assert categories(shop) == before
    reviewer.press("ArrowLeft")
    reviewer.press("ArrowRight")
    assert reviewer.shown != product
    assert reviewer.console == []


def test_what_goes_wrong_is_said_on_the_page_and_the_product_stays(page: Served, shop: Path, browser: Any):
    from shelfwise.catalog import changing

    reviewer = Reviewer(browser, page.address)
    product = reviewer.shown
    with changing(shop, "embed"):
        reviewer.press("a")
        reviewer.page.wait_for_selector("#trouble:not([hidden])")
        assert "is being changed by embed" in reviewer.text("trouble")
        assert reviewer.shown == product
    reviewer.press("a")
    assert not reviewer.page.is_visible("#trouble")
    assert reviewer.shown != product
    assert [text for text in reviewer.console if "409" not in text] == []


def test_at_the_end_it_says_what_was_done_and_what_comes_next(embedded_catalog: Path, tmp_path: Path, browser: Any):
    shop = misfiled(embedded_catalog, tmp_path / "shop.catalog", 8)[0]
    with served(shop, suspects=2) as page:
        reviewer = Reviewer(browser, page.address)
        reviewer.press("a")
        reviewer.press("r")
        reviewer.page.wait_for_selector("#finish:not([hidden])")
        assert "1 product moved, 1 confirmed on the same shelf, 0 skipped." in reviewer.text("finish")
        assert "shelfwise train" in reviewer.text("finish")
        assert not reviewer.page.is_visible("#desk")
        reviewer.press("u")
        assert reviewer.page.is_visible("#desk")
        assert reviewer.console == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_of_a_narrow_window(page: Served, browser: Any, scheme: str):
    reviewer = Reviewer(browser, page.address, viewport={"width": 360, "height": 800}, color_scheme=scheme)
    assert reviewer.page.evaluate("document.documentElement.scrollWidth") <= 360
    reviewer.page.keyboard.press("?")
    assert reviewer.page.is_visible("#keys")
    reviewer.page.keyboard.press("Escape")
    reviewer.page.keyboard.press("/")
    assert reviewer.page.inner_text("#hits") == "most probable first"
    reviewer.page.keyboard.press("Escape")
    assert not reviewer.page.is_visible("#shelves")
    assert reviewer.console == []


def test_signs_are_looked_for_as_they_are_and_choose_nothing_by_chance(page: Served, shop: Path, browser: Any):
    before, reviewer = categories(shop), Reviewer(browser, page.address)
    reviewer.press("o")
    reviewer.page.keyboard.type("</")
    assert reviewer.text("hits") == "0 shelves"
    reviewer.page.keyboard.press("Enter")
    reviewer.page.keyboard.press("Escape")
    reviewer.settle()
    assert categories(shop) == before
    assert reviewer.console == []
