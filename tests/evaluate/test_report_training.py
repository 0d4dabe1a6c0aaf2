"""The section about how a network learned: lines at the places of their numbers, ticks that are round."""

from __future__ import annotations

import re

import pytest
from drawn_report import drawn_network, grocery_like_report
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.evaluate.report.render import render
from shelfwise.evaluate.report.training import HEIGHT, WIDTH, training


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split() for pair in path[1:].split("L"))]


def test_a_bundle_without_a_network_has_no_such_section():
    assert training({"members": []}) is None


def test_lines_lie_where_their_numbers_are():
    told = training({"network": drawn_network(epochs=5, best=5)})
    assert told is not None
    accuracy = told.plots[1]
    ticks = {float(name): y for y, name in accuracy.y_ticks}
    (low, y_low), (high, y_high) = min(ticks.items()), max(ticks.items())
    for (x, y), row in zip(places(accuracy.lines[0].path), drawn_network(5, 5)["curve"], strict=True):
        assert x == pytest.approx(WIDTH * (row["epoch"] - 1) / 4, abs=0.1)
        assert low + (high - low) * (y - y_low) / (y_high - y_low) == pytest.approx(100 * row["held_accuracy"], abs=0.1)
    assert accuracy.dot == pytest.approx(places(accuracy.lines[0].path)[-1], abs=0.1)


def test_the_best_epoch_the_sides_and_the_search_are_told():
    told = training({"network": drawn_network()})
    assert told is not None
    assert told.told.startswith("Epoch 10 of 14 answered the held-out products best, 85.5% of them rightly")
    assert [plot.title for plot in told.plots] == [
        "Loss", "Held-out products", "Learning rate", "Search for the learning rate",
    ]  # fmt: skip
    assert [name for _, name in told.plots[0].marks] == ["224 px", "256 px"]
    assert [line.kind for line in told.plots[0].lines] == ["learned", "held"]


def test_a_run_that_stopped_early_says_so():
    told = training({"network": drawn_network(epochs=6, best=3) | {"epochs": 20}})
    assert told is not None
    assert "Training stopped early: 20 were asked for." in told.told


def test_the_search_is_drawn_up_to_where_the_network_comes_apart():
    network = drawn_network()
    search = network["rate_search"]
    search["losses"][-3:] = [50.0, 90.0, 400.0]
    told = training({"network": network})
    assert told is not None
    assert len(places(told.plots[-1].lines[0].path)) == len(search["rates"]) - 3


@given(
    st.lists(st.tuples(*[st.floats(1e-6, 1e4)] * 2, st.floats(0, 1), st.floats(1e-9, 10)), min_size=1, max_size=60),
    st.integers(0, 59),
)
def test_any_curve_lies_within_its_plot_between_round_ticks(rows, best):
    curve = [
        {"epoch": n, "loss": a, "held_loss": b, "held_accuracy": c, "rate": d, "side_px": 64}
        for n, (a, b, c, d) in enumerate(rows, 1)
    ]
    told = training({"network": {"curve": curve, "best_epoch": min(best + 1, len(curve)), "epochs": 60}})
    assert told is not None
    for plot in told.plots:
        for line in plot.lines:
            assert all(-0.1 <= x <= WIDTH + 0.1 and -0.1 <= y <= HEIGHT + 0.1 for x, y in places(line.path))
        assert 2 <= len(plot.y_ticks) <= 8
        assert len(plot.x_ticks) <= 16


def test_the_page_draws_the_plots_and_leads_to_them():
    html = render(grocery_like_report(120))
    assert '<a href="#training">Training</a>' in html
    section = html[html.index('<section id="training"') :]
    section = section[: section.index("</section>")]
    assert section.count("<svg") == 4
    assert len(re.findall(r'class="course-(held|learned|rate)"', section)) == 5
    assert section.count('class="best"') == 4
