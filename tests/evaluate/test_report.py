"""The page holds what it is given, asks no other host for anything, and bears any name and any data."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from drawn_report import drawn_photo, grocery_like_report, grocery_like_tree, lifelike_answers
from PIL import Image

from shelfwise.columns import Columns
from shelfwise.evaluate.report.assemble import LARGEST_MATRIX, report_data
from shelfwise.evaluate.report.data import Note, ReportData
from shelfwise.evaluate.report.figures import disagreement
from shelfwise.evaluate.report.render import render
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.classification import score
from shelfwise.metrics.intervals import Estimate
from shelfwise.page.thumbnails import SIDE_PX, thumbnail
from shelfwise.taxonomy import Node, Taxonomy

HOSTILE = "<script>alert('x')</script>\"'&--><img src=x onerror=alert(1)>"
EMPTY_ELEMENTS = {"meta", "link", "img", "input", "path", "line", "rect", "circle"}


class Page(HTMLParser):
    """Reads a page: tags in order, what they point to, texts, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        self.ids += [values["id"] or ""] if "id" in values else []
        assert not [name for name in values if name.startswith("on")]
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY_ELEMENTS:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def report_of(answers: Answers, taxonomy: Taxonomy, **more: object) -> ReportData:
    fixed = {"title": "T", "subtitle": "S", "date": "2026-01-01", "command": "shelfwise evaluate"}
    return report_data(answers, taxonomy, score(answers, resamples=20), **{**fixed, **more})


def flat_tree(names: list[str]) -> Taxonomy:
    return Taxonomy([Node(f"k{i}", name, None) for i, name in enumerate(names)])


@pytest.fixture(scope="module")
def data() -> ReportData:
    return grocery_like_report(600)


@pytest.fixture(scope="module")
def html(data: ReportData) -> str:
    return render(data)


def test_every_element_is_closed_and_every_id_is_used_once(html: str) -> None:
    page = Page(html)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_the_page_points_only_into_itself(html: str) -> None:
    page = Page(html)
    assert all(source.startswith(("data:", "#")) for source in page.sources)
    assert {source[1:] for source in page.sources if source.startswith("#")} <= set(page.ids)
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", html)


def test_the_headline_tells_the_measured_accuracy_with_its_interval(data: ReportData, html: str) -> None:
    top1 = data.scores.figures["top1"]
    assert top1.low is not None and top1.high is not None
    text = "".join(Page(html).texts)
    assert f"{100 * top1.value:.1f}\u202f%" in text
    assert f"{100 * top1.low:.1f} to {100 * top1.high:.1f}\u202f%" in text


def test_leave_one_out_that_disagrees_is_flagged_and_explained(data: ReportData, html: str) -> None:
    assert "These training photos are not independent" in html
    assert "98.4\u202f%" in html
    assert 'class="flag">disagrees' in html
    assert data.leave_one_out is not None
    agreeing = replace(data, leave_one_out=replace(data.scores))
    assert disagreement(agreeing) is None
    assert 'class="flag">disagrees' not in render(agreeing)


def test_leave_one_out_below_the_measured_accuracy_is_explained_the_other_way(data: ReportData) -> None:
    low = replace(data.scores, figures={**data.scores.figures, "top1": Estimate(0.2)})
    note = disagreement(replace(data, leave_one_out=low))
    assert note is not None
    assert note.title == "The evaluated products are easier than the training products"


def test_every_category_has_a_row_and_every_pair_its_photos(data: ReportData, html: str) -> None:
    assert html.count("<tr>") >= len(data.categories) == 81
    for pair in data.pairs:
        for example in (*pair.first_examples, *pair.second_examples):
            assert example.photo in html


def test_the_matrix_counts_every_product_at_every_level(data: ReportData, html: str) -> None:
    found = re.search(r'id="matrix-data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    levels = json.loads(found[1])
    assert [level["level"] for level in levels] == ["top", "coarse", "fine"]
    for level, size in zip(levels, data.level_sizes, strict=True):
        assert sum(count for _, _, count in level["cells"]) == 600
        assert len(level["names"]) == len(level["paths"]) == len(level["branch_of"]) == size


def test_the_branches_of_a_matrix_are_blocks() -> None:
    taxonomy = grocery_like_tree()
    shuffled = np.random.default_rng(0).permutation(len(taxonomy.leaves))
    leaves = [taxonomy.leaves[place] for place in shuffled]
    probabilities = np.eye(len(leaves), dtype=np.float32)
    truth = np.arange(len(leaves), dtype=np.int32)
    answers = Answers.from_probabilities(
        [str(i) for i in truth], truth, probabilities, Columns(tuple(leaves), taxonomy)
    )
    for matrix in report_of(answers, taxonomy).matrices:
        assert list(matrix.branch_of) == sorted(matrix.branch_of)
        runs = [path for i, path in enumerate(matrix.paths) if i == 0 or matrix.paths[i - 1] != path]
        assert len(runs) == len(set(runs))
        assert all(row == column for row, column, _ in matrix.cells)


def test_hostile_names_stay_text() -> None:
    taxonomy = flat_tree([HOSTILE, "</title></style>{{ 7 * 7 }}", "‮right to left", "a" * 300])
    answers = replace(lifelike_answers(taxonomy, 60), product_ids=np.array([HOSTILE] * 60))
    note = Note("warning", HOSTILE, HOSTILE)
    html = render(
        report_of(answers, taxonomy, title=HOSTILE, subtitle=HOSTILE, date=HOSTILE, command=HOSTILE, notes=[note])
    )
    page = Page(html)
    assert page.tags.count("script") == 2
    assert "alert('x')</script>" not in html
    assert "49" not in re.findall(r"<title>(.*?)</title>", html)
    assert "{{ 7 * 7 }}" in html
    assert HOSTILE in "".join(page.texts)


@pytest.mark.parametrize("p", [1, 2, 40])
@pytest.mark.parametrize("names", [["only"], ["a", "b"], ["a", "b", "c", "d", "e", "f", "g"]], ids=len)
def test_small_and_flat_data_are_rendered(p: int, names: list[str]) -> None:
    taxonomy = flat_tree(names)
    html = render(report_of(lifelike_answers(taxonomy, p), taxonomy))
    assert Page(html).open == []
    assert "nan" not in re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL).lower()


def test_a_category_without_products_shows_no_recall() -> None:
    taxonomy = flat_tree(["here", "gone"])
    probabilities = np.array([[0.9, 0.1]] * 3, dtype=np.float32)
    answers = Answers.from_probabilities(
        ["a", "b", "c"], np.zeros(3, dtype=np.int32), probabilities, Columns(taxonomy.leaves, taxonomy)
    )
    data = report_of(answers, taxonomy)
    assert [(row.precision, row.recall, row.f1) for row in data.categories] == [(1.0, 1.0, 1.0), (None, None, None)]
    html = render(data)
    assert "no products here" in html
    assert "No product was answered wrongly." in html


def test_values_without_intervals_are_rendered() -> None:
    taxonomy = grocery_like_tree(40)
    answers = lifelike_answers(taxonomy, 50)
    data = replace(report_of(answers, taxonomy), scores=score(answers, resamples=0))
    assert "no interval" in render(data)


def test_a_level_too_large_to_draw_is_named_and_the_level_above_drawn() -> None:
    taxonomy = grocery_like_tree(LARGEST_MATRIX + 60)
    data = report_of(lifelike_answers(taxonomy, 200), taxonomy)
    assert [matrix.level for matrix in data.matrices] == ["top", "coarse"]
    assert data.left_out_levels == ("fine",)
    assert "Too large to draw: fine" in render(data)


def test_the_gallery_of_mistakes_starts_with_the_most_confident(data: ReportData) -> None:
    confidences = [example.confidence for example in data.wrong]
    assert confidences == sorted(confidences, reverse=True)
    assert all(example.truth != example.answer for example in data.wrong)
    assert [e.confidence for e in data.unsure] == sorted(e.confidence for e in data.unsure)


def test_each_photo_is_asked_for_once() -> None:
    taxonomy = grocery_like_tree()
    asked: list[str] = []

    def photo(product_id: str) -> str:
        asked.append(product_id)
        return drawn_photo(product_id)

    report_of(lifelike_answers(taxonomy, 300), taxonomy, photo=photo)
    assert asked
    assert len(asked) == len(set(asked))


def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape() -> None:
    pixels = np.zeros((400, 200, 3), dtype=np.uint8)
    pixels[..., 0] = 200
    uri = thumbnail(pixels)
    kind, _, encoded = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    assert (picture.format, picture.size) == ("JPEG", (SIDE_PX // 2, SIDE_PX))
    assert np.abs(np.asarray(picture, dtype=int) - [200, 0, 0]).max() <= 4
