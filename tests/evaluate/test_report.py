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
from drawn_report import drawn_abstention, drawn_photo, grocery_like_report, grocery_like_tree, lifelike_answers
from PIL import Image

from shelfwise.columns import Columns
from shelfwise.evaluate.report.assemble import LARGEST_MATRIX, report_data
from shelfwise.evaluate.report.curves import curves, risk_scale
from shelfwise.evaluate.report.data import Note, ReportData
from shelfwise.evaluate.report.figures import disagreement
from shelfwise.evaluate.report.learned import trees, voices
from shelfwise.evaluate.report.render import render
from shelfwise.evaluate.report.rivals import rivals
from shelfwise.evaluate.report.stops import stops
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


def test_the_curves_are_drawn_from_the_surest_product_to_all_on_one_scale(data: ReportData, html: str) -> None:
    drawn = curves(data.metrics)
    assert [curve.level for curve in drawn] == ["fine", "coarse", "top"]
    scale = risk_scale(data.metrics)
    for curve in drawn:
        points = data.metrics["risk_coverage"]["levels"][curve.level]["points"]
        places = [tuple(map(float, place.split())) for place in curve.line[1:].split("L")]
        assert [x for x, _ in places] == pytest.approx([300 * p["coverage"] for p in points], abs=0.06)
        assert [y for _, y in places] == pytest.approx(
            [190 * (1 - min(p["risk"] / scale, 1)) for p in points], abs=0.06
        )
        assert curve.kept[-1] == points[-1]
        assert f'd="{curve.line}"' in html


def test_where_answers_stop_is_told_in_counts_that_sum_to_a_hundred(data: ReportData, html: str) -> None:
    found = stops(data.metrics)
    assert found is not None
    assert sum(part.share for part in found.parts) == pytest.approx(1)
    numbers = [int(number) for number in re.findall(r"\d+", found.told.partition("Of the answers")[0])]
    assert numbers[0] == 100
    assert numbers[1] == sum(numbers[2:-1])
    assert numbers[1] + numbers[-1] == 100
    assert found.told in html
    assert "Asked for at most 5" in html


def test_more_wrong_answers_than_asked_are_flagged(data: ReportData) -> None:
    missed = {**data.metrics["abstention"], "error": {"value": 0.09, "low": 0.07, "high": 0.11}}
    html = render(replace(data, metrics={**data.metrics, "abstention": missed}))
    assert 'class="flag">more than asked' in html
    assert "unlike those that the threshold was set on" in html
    assert "more than asked" not in render(data)


def test_nothing_sure_enough_is_said_so(data: ReportData) -> None:
    never = drawn_abstention(lifelike_answers(grocery_like_tree(), 50), held_out=10)
    html = render(replace(data, metrics={**data.metrics, "abstention": never}))
    assert "No product got an answer." in html
    assert "Nothing is answered: 10 held-out products cannot show" in html
    assert Page(html).open == []


def test_another_bundle_is_shown_with_the_lead_and_who_is_ahead(data: ReportData, html: str) -> None:
    (rival,) = rivals(data.metrics)
    assert rival.rows[0].name == "Top-1 accuracy, fine"
    lead = data.metrics["against"][0]["lead"]["levels"]["fine"]
    assert rival.rows[0].here - rival.rows[0].there == pytest.approx(lead["value"])
    assert rival.rows[0].here == pytest.approx(data.scores.figures["top1"].value)
    assert rival.rows[0].is_ahead == (lead["low"] > 0)
    assert "lite0-only.bundle" in html


def test_products_with_several_photos_have_a_table_and_single_photos_do_not(data: ReportData, html: str) -> None:
    assert 'id="products"' in html
    single = {**data.metrics, "by_photo_count": {"1": data.metrics["by_photo_count"]["1"]}}
    assert 'id="products"' not in render(replace(data, metrics=single))


def test_members_and_specialists_are_listed_and_a_single_head_is_not(data: ReportData, html: str) -> None:
    assert [voice.name for voice in voices(data.learned)] == ["ridge", "mlp", "logistic"]
    assert voices(data.learned)[0].saves == pytest.approx(0.668 - 0.541)
    (compared, banded) = trees(data.learned, data.taxonomy)
    assert [way.name for way in compared.ways if way.is_kept] == ["levels"]
    assert [group.categories for group in banded.groups] == [30, 51, 2]
    assert "own: Fruit" in html
    assert "the head for all: too often taken for other branches" in html
    plain = render(replace(data, learned={"members": [{"name": "ridge", "penalty": 0.1}]}))
    assert 'id="learned"' not in plain


def test_a_specialist_whose_shelf_has_left_the_tree_is_still_listed(data: ReportData) -> None:
    gone = {"categories": 3, "products": 9, "branches": ["Fruit", "no longer"], "specialist": {"temperature": 1.0}}
    member = {"name": "ridge", "hierarchy": "hard", "groups": [gone]}
    assert [group.name for group in trees({"members": [member]}, data.taxonomy)[0].groups] == ["Fruit"]


def test_without_more_than_the_answers_the_other_sections_are_left_out(data: ReportData) -> None:
    html = render(replace(data, metrics={}, learned={}))
    page = Page(html)
    assert not {"certainty", "products", "against", "learned"} & set(page.ids)
    assert page.open == []


def test_a_flat_tree_has_no_figures_of_trees() -> None:
    taxonomy = flat_tree(["a", "b", "c"])
    html = render(report_of(lifelike_answers(taxonomy, 60), taxonomy))
    assert "Hierarchical F1" not in html
    assert "Of the wrong answers" not in html
    assert "All categories" in html
