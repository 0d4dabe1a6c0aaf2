"""The page holds what the checks found, asks no other host for anything, and bears any name and any data."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from drawn_catalogs import PRODUCTS, known_catalog
from drawn_pages import known_page, large_page

from shelfwise.audit.explore import explore
from shelfwise.audit.explore.shelves import Level
from shelfwise.audit.findings import KINDS, Found
from shelfwise.audit.page.assemble import Judgement, audit_page
from shelfwise.audit.page.data import AuditPage, LeakCheck
from shelfwise.audit.page.pick import SETS, SINGLES, example_sets, sheet
from shelfwise.audit.page.pictures import histogram_text
from shelfwise.audit.page.render import render
from shelfwise.audit.page.words import WORDS, apart, short_id
from shelfwise.catalog import Catalog
from shelfwise.catalog.inventory import take_inventory
from shelfwise.ingest import FolderSource, ingest
from shelfwise.options import IngestOptions
from shelfwise.shelves.evidence import Evidence
from shelfwise.shelves.judge import Judged
from shelfwise.shelves.noise import Noise
from shelfwise.shelves.rank import Suspects

HOSTILE = "</script><script>alert('x')</script>\"'&--><img src=x onerror=alert(1)>"
EMPTY_ELEMENTS = {"meta", "link", "img", "input", "path", "line", "rect", "circle"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return known_catalog(tmp_path_factory.mktemp("known"))


@pytest.fixture(scope="module")
def found() -> list[Found]:
    return [
        Found.of("near_repeat", set=[0, 0], product=[0, 1], photo=[0, 1], kept=[-1, 0], score=[1, 62 / 64]),
        Found.of("listed_twice", set=[0], product=[4], kept=[3]),
        Found.of("several_categories", set=[0, 0], product=[0, 6], photo=[0, 7], shelf=[-1, 0]),
        Found.of("across_splits", set=[0, 0], product=[0, 2], photo=[0, 3]),
        Found.of("tiny", set=[0], product=[5], photo=[6], score=[32]),
        Found.of("dark", set=[], product=[]),
    ]


@pytest.fixture(scope="module")
def page(shop: Path, found: list[Found]) -> AuditPage:
    return known_page(shop, found)


@pytest.fixture(scope="module")
def html(page: AuditPage) -> str:
    return render(page)


class Elements(HTMLParser):
    """Every element with its attributes, and whether all are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY_ELEMENTS:
            assert self.open.pop() == tag


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(html)
    assert parser.open == []
    return parser.found


def text(html: str) -> str:
    """What a reader sees without scripts: no tags, single blanks."""
    body = re.sub(r"<(script|style).*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace("\u202f", " ")


def plots(html: str) -> dict[str, object]:
    data = re.search(r'id="plots">(.*?)</script>', html, re.DOTALL)
    assert data is not None
    loaded: dict[str, object] = json.loads(data[1])
    return loaded


def test_every_element_is_closed_and_every_id_stands_once(html: str) -> None:
    ids = [attributes["id"] for _, attributes in elements(html) if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_links_lead_to_places_on_the_page(html: str) -> None:
    found = elements(html)
    ids = {attributes.get("id") for _, attributes in found}
    links = [str(attributes["href"]) for tag, attributes in found if tag == "a"]
    assert len(links) > 10
    assert [link for link in links if link[0] != "#" or link[1:] not in ids] == []


def test_nothing_is_loaded_from_elsewhere(html: str) -> None:
    for tag, attributes in elements(html):
        for name in ("src", "href", "srcset", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert "connect-src" not in html
    assert "default-src 'none'" in html
    assert not re.search(r"\b(fetch|XMLHttpRequest|import)\b *\(", html)


def test_the_main_numbers_stand_there_without_a_script(html: str) -> None:
    said = text(html)
    assert "10 products with 11 photos on 5 shelves" in said
    assert (
        "The audit found 1 picture saved again, 1 picture on several shelves, 1 leak between splits and 1 photo of poor quality"
        in said
    )
    assert "1 product stands on no shelf" in said
    assert "shelfwise embed shop.catalog" in said
    assert "2 of 64 bits differ" in said


def test_a_finding_says_what_stays_and_what_is_set_aside(page: AuditPage) -> None:
    near, twice, several = page.kinds[:3]
    assert [(m.item.product_id, m.stays, m.aside) for m in near.examples[0].members] == [
        ("a1", True, False),
        ("a2", False, True),
    ]
    assert [(m.item.product_id, m.stays, m.aside) for m in twice.examples[0].members] == [
        ("a4", True, False),
        ("p1", False, True),
    ]
    assert several.examples[0].members[1].shelf == ("Food", "Apple")
    assert (several.examples[0].products, several.examples[0].shelves) == (2, 2)


def test_kinds_without_findings_are_not_shown(page: AuditPage, html: str) -> None:
    assert [kind.kind for kind in page.kinds] == [
        "near_repeat",
        "listed_twice",
        "several_categories",
        "across_splits",
        "tiny",
    ]
    assert 'id="dark"' not in html


def test_every_kind_has_words() -> None:
    assert WORDS.keys() == KINDS.keys()


def test_what_is_drawn_is_what_was_counted(html: str) -> None:
    drawn = plots(html)
    names, parents, levels = drawn["names"], drawn["parents"], drawn["levels"]
    assert isinstance(names, list)
    assert isinstance(parents, list)
    assert isinstance(levels, list)
    told = {
        (names[parents[place]] if parents[place] >= 0 else "", names[place]): products
        for place, products in zip(levels[1]["nodes"], levels[1]["products"], strict=True)
    }
    assert told == {("Food", "Apple"): 4, ("Food", "Pear"): 1, ("Toys", "Car"): 2, ("Toys", "Doll"): 1, ("", "Food"): 1}
    samples = drawn["samples"]
    assert isinstance(samples, dict)
    shown = {names[int(place)]: {product for _, product, _ in sheet} for place, sheet in samples.items()}
    assert shown["Apple"] == {"a1", "a2", "a3", "a4"}
    assert shown["Doll"] == {"d1"}
    assert all(photo.startswith("data:image/jpeg;base64,") for sheet in samples.values() for photo, _, _ in sheet)


def test_a_sample_carries_the_histogram_of_its_photo(page: AuditPage) -> None:
    sample = next(sample for sheet in page.category_samples.values() for sample in sheet if sample.product_id == "c1")
    bins = (np.frombuffer(base64.b64decode(sample.histogram), np.uint8) / 255.0) ** 2
    # All of the photo is of level 90, bin 90 // 16, in grey and in every color.
    assert np.flatnonzero(bins > 0.9).tolist() == [5, 21, 37, 53]


def test_histograms_keep_small_shares() -> None:
    values = np.linspace(0, 1, 64)
    back = (np.frombuffer(base64.b64decode(histogram_text(values)), np.uint8) / 255.0) ** 2
    assert np.abs(back - values).max() < 1 / 255
    assert back[1] == pytest.approx(values[1], rel=0.05)


def test_a_leak_check_tells_the_accuracy_of_clean_and_leaked_rows(page: AuditPage) -> None:
    said = text(
        render(replace(page, leaks=LeakCheck("train", "test", clean_right=300, clean=400, leaked_right=99, leaked=100)))
    )
    assert "without a twin in train 400 300 75.0 %" in said
    assert "with a twin in train 100 99 99.0 %" in said
    assert "all of them 500 399 79.8 %" in said


def test_a_product_on_a_wrong_shelf_stands_beside_what_it_looks_like(shop: Path) -> None:
    catalog = Catalog(shop)
    inventory = take_inventory(catalog)
    apple, pear, car = (inventory.category[product] for product in (0, 4, 6))
    none = Judged.nothing(inventory.category)
    judged = replace(none, own=np.full(10, 0.9, np.float32), probabilities=np.full((10, 5), 0.9, np.float32))
    judged.own[9] = np.nan
    judged.probabilities[[4, 7, 9], 0] = 0.2, 0.3, 0.1
    suspects = Suspects(
        product=np.array([4]), category=np.array([pear]), shelf=np.array([apple]), doubt=np.array([3], np.float32),
        distance=np.array([2]), own_probability=np.array([0.001], np.float32),
        shelf_probability=np.array([0.75], np.float32), misplaced=np.array([0.9], np.float32),
    )  # fmt: skip
    evidence = Evidence(
        own_photo=np.array([[-1]]), own_similarity=np.array([[-np.inf]], np.float32), shelf_photo=np.array([[3]]),
        shelf_similarity=np.array([[0.8]], np.float32),
    )  # fmt: skip
    share = np.zeros(len(inventory.categories), np.float32)
    share[car] = 0.5
    noise = Noise(
        np.bincount(inventory.category[:9]), share, np.array([car]), np.array([apple]), np.array([1], np.float32)
    )
    page = audit_page(
        catalog, inventory, [], explore(catalog, inventory), date="", command="",
        judgement=Judgement(judged=judged, suspects=suspects, evidence=evidence, noise=noise),
    )  # fmt: skip
    assert page.suspects is not None
    assert page.difficult is not None
    assert page.noise is not None
    (suspect,) = page.suspects
    assert (suspect.item.product_id, suspect.item.path, suspect.shelf) == ("p1", ("Food", "Pear"), ("Food", "Apple"))
    assert [(item.product_id, round(alike, 2)) for item, alike in suspect.neighbors] == [("a3", 0.8)]
    # Of those that were judged, the least sure come first.
    assert [item.product_id for item, _ in page.difficult][:2] == ["p1", "c2"]
    assert "n1" not in {item.product_id for item, _ in page.difficult}
    assert [(row.path, row.products, row.share, row.other) for row in page.noise] == [
        (("Toys", "Car"), 2, 0.5, ("Food", "Apple"))
    ]
    said = text(render(page))
    assert "stands on Pear Food under 1 % likely looks like Apple Food 75 % likely, a sibling shelf" in said


def test_hostile_names_are_shown_as_text(page: AuditPage) -> None:
    tree = tuple((HOSTILE, parent) for _, parent in page.tree)
    kinds = tuple(
        replace(kind, examples=tuple(
            replace(each, members=tuple(
                replace(m, item=replace(m.item, product_id=HOSTILE, path=(HOSTILE,), split=HOSTILE)) for m in each.members
            )) for each in kind.examples
        )) for kind in page.kinds
    )  # fmt: skip
    attributes = replace(page.exploration.attributes, names=(HOSTILE,) * 4)
    exploration = replace(page.exploration, attributes=attributes)
    html = render(replace(page, name=HOSTILE, tree=tree, kinds=kinds, exploration=exploration, command=HOSTILE))
    found = elements(html)
    assert all("onerror" not in attributes for _, attributes in found)
    assert sum(tag == "script" for tag, _ in found) == 2
    assert plots(html)["names"] == [HOSTILE] * len(tree)
    assert HOSTILE not in html


def test_a_page_of_nothing_can_be_rendered(page: AuditPage) -> None:
    bare = replace(
        page,
        kinds=(),
        tree=(),
        nodes={},
        categories=(),
        category_samples={},
        attribute_samples={},
        command="",
        facts=(),
    )
    empty = replace(page.exploration, levels=(), attributes=replace(page.exploration.attributes, names=()))
    html = render(replace(bare, exploration=empty))
    elements(html)
    assert "Nothing was found" in html
    assert "none can stand on the wrong shelf" in html


def test_examples_are_the_largest_sets_and_poor_photos_the_worst() -> None:
    sizes = np.arange(1, 21)
    sets = np.repeat(np.arange(20), sizes)
    shown = example_sets(Found.of("exact_repeat", set=sets, product=np.arange(len(sets))))
    assert [len(members) for members in shown] == sorted(sizes.tolist(), reverse=True)[:SETS]
    poor = example_sets(Found.of("blurred", set=np.arange(40), product=np.arange(40), score=np.linspace(0, 1, 40)))
    assert [members.tolist() for members in poor] == [[at] for at in range(SINGLES)]
    sure = Found.of("across_splits", set=[0, 0, 0, 1, 1], product=range(5), score=[0.5, 0.5, 0.5, 1, 1])
    assert [members.tolist() for members in example_sets(sure)] == [[3, 4], [0, 1, 2]]


def test_every_branch_has_a_sample_before_any_has_two() -> None:
    # Categories 0, 1 lie in the first branch, 2 in the second; category 3 has no photo.
    top = Level("top", ("x", "y"), np.array([9, 5]), np.array([9, 5]), np.array([0, 0, 1, 1], np.int32))
    deep = Level("deep", tuple("abcd"), np.array([2, 7, 5, 0]), np.array([2, 7, 5, 0]), np.arange(4, dtype=np.int32))
    samples = np.array([[0, 1], [2, 3], [4, 5], [-1, -1], [6, -1]], np.int32)
    assert sheet(samples, (top, deep), 99) == [(0, 0), (2, 4), (1, 2), (4, 6), (0, 1), (2, 5), (1, 3)]
    assert sheet(samples, (top, deep), 2) == [(0, 0), (2, 4)]


def test_photos_that_are_gone_leave_an_empty_place(tmp_path: Path) -> None:
    known_catalog(tmp_path / "shop")
    for photo in (tmp_path / "shop").glob("*.png"):
        (tmp_path / "photos" / "A").mkdir(parents=True, exist_ok=True)
        photo.rename(tmp_path / "photos" / "A" / photo.name)
    ingest(FolderSource(tmp_path / "photos"), tmp_path / "in-place.catalog", IngestOptions(in_place=True))
    (tmp_path / "photos" / "A" / "a1-0.png").unlink()
    page = known_page(tmp_path / "in-place.catalog")
    photos = [sample.photo for sheet in page.category_samples.values() for sample in sheet]
    assert sorted(map(bool, photos))[:2] == [False, True]
    elements(render(page))


def test_long_ids_keep_their_end_and_distances_are_said_in_words() -> None:
    assert short_id("photos/0001.jpg") == "photos/0001.jpg"
    assert short_id("train/Fruit/Apple/Royal-Gala/Royal-Gala_001.jpg") == "…l-Gala/Royal-Gala_001.jpg"
    assert (apart(2), apart(5)) == ("a sibling shelf", "5 steps away")


@pytest.mark.slow
def test_a_page_of_5270_categories_stays_below_eight_megabytes() -> None:
    html = render(large_page())
    assert len(html.encode()) < 8_000_000
    elements(html)


def test_the_known_catalog_is_what_the_tests_say(shop: Path) -> None:
    assert len(Catalog(shop).products(["product_id"])) == len(PRODUCTS)
