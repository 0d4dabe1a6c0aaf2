"""The risk-coverage curve against every order of equally sure products, and a plain loop over resamples."""

from __future__ import annotations

from itertools import pairwise, permutations
from math import log

import numpy as np
import pytest
from drawn_answers import drawn_answers, plain_answers
from hypothesis import given, settings
from hypothesis import strategies as st

from shelfwise.errors import OptionError
from shelfwise.metrics.answers import Answers
from shelfwise.metrics.intervals import Proportion, wilson_interval
from shelfwise.metrics.risk_coverage import POINTS, risk_coverage

PRODUCTS = st.lists(st.tuples(st.sampled_from([0.6, 0.7, 0.8, 0.9]), st.booleans()), min_size=1, max_size=6)


def answered(confidence: list[float], right: list[bool]) -> Answers:
    return plain_answers([0] * len(right), [0 if is_right else 1 for is_right in right], 3, confidence)


def risks_in_every_order(confidence: list[float], right: list[bool]) -> list[float]:
    """Average the risk at 1, 2, ... products over all orders from the surest to the least sure."""
    every = []
    for order in permutations(range(len(right))):
        if all(confidence[a] >= confidence[b] for a, b in pairwise(order)):
            wrong = np.cumsum([not right[row] for row in order])
            every.append(wrong / np.arange(1, len(order) + 1))
    return list(np.mean(every, axis=0))


def ideal_area(wrong: int, n: int) -> float:
    return float(np.mean([max(0, k - (n - wrong)) / k for k in range(1, n + 1)]))


@given(PRODUCTS)
@settings(max_examples=80)
def test_curve_and_area_are_the_mean_over_every_order_of_equally_sure_products(
    products: list[tuple[float, bool]],
) -> None:
    confidence, right = [list(column) for column in zip(*products, strict=True)]
    found = risk_coverage(answered(confidence, right), resamples=0)
    expected = risks_in_every_order(confidence, right)
    assert [point.coverage for point in found.points] == [k / len(right) for k in range(1, len(right) + 1)]
    assert [point.risk.value for point in found.points] == pytest.approx(expected)
    assert found.aurc.value == pytest.approx(np.mean(expected))
    assert found.excess_aurc.value == pytest.approx(np.mean(expected) - ideal_area(right.count(False), len(right)))
    assert [point.confidence for point in found.points] == pytest.approx(sorted(confidence, reverse=True))


def test_four_products_worked_by_hand() -> None:
    found = risk_coverage(answered([0.9, 0.8, 0.7, 0.6], [True, False, True, False]), resamples=0)
    assert [point.risk.value for point in found.points] == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert found.aurc.value == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    perfect = (0 + 0 + 1 / 3 + 1 / 2) / 4
    assert found.excess_aurc.value == pytest.approx(found.aurc.value - perfect)


def test_a_perfect_order_has_no_excess_and_the_area_of_the_closed_form() -> None:
    n, wrong = 4000, 1000
    confidence = list(np.linspace(0.99, 0.5, n))
    found = risk_coverage(answered(confidence, [row < n - wrong for row in range(n)]), resamples=0)
    assert found.excess_aurc.value == pytest.approx(0, abs=1e-12)
    share = wrong / n
    assert found.aurc.value == pytest.approx(share + (1 - share) * log(1 - share), abs=1e-3)


def test_equal_confidence_everywhere_gives_the_error_rate_everywhere() -> None:
    found = risk_coverage(answered([0.8] * 200, [row % 4 > 0 for row in range(200)]), resamples=0)
    assert {round(point.risk.value, 12) for point in found.points} == {0.25}
    assert found.aurc.value == pytest.approx(0.25)


@pytest.mark.parametrize("level", [None, 0, 1, 2])
def test_intervals_are_those_of_a_plain_loop_over_resamples(level: int | None) -> None:
    answers = drawn_answers(80, strength=1.0)
    found = risk_coverage(answers, level, seed=5, resamples=60)
    rng = np.random.default_rng(5)
    areas, excesses, risks = [], [], []
    for _ in range(60):
        confidence, right = answers.take(rng.integers(0, 80, 80, dtype=np.int32)).at(level)
        expected = np.empty(80)
        for k in range(1, 81):
            least = np.sort(confidence)[::-1][k - 1]
            sure, tied = confidence > least, confidence == least
            share = (~right[tied]).mean()
            expected[k - 1] = ((~right[sure]).sum() + (k - sure.sum()) * share) / k
        areas.append(expected.mean())
        excesses.append(expected.mean() - ideal_area(int((~right).sum()), 80))
        risks.append(expected)
    for estimate, values in ((found.aurc, areas), (found.excess_aurc, excesses)):
        assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
    for point in found.points:
        low, high = np.quantile(np.array(risks)[:, round(point.coverage * 80) - 1], [0.025, 0.975])
        if point.risk.value in (0.0, 1.0):
            low, high = wilson_interval(Proportion(point.risk.value, round(point.coverage * 80)))
        assert (point.risk.low, point.risk.high) == pytest.approx((low, high))


def test_the_curve_of_many_products_has_fifty_points_and_ends_at_the_error_rate() -> None:
    answers = drawn_answers(1234)
    found = risk_coverage(answers, resamples=10)
    assert len(found.points) == POINTS == 50
    last = found.points[-1]
    assert last.coverage == 1.0
    assert last.risk.value == pytest.approx(1 - answers.right.mean())
    values = found.to_dict()
    assert set(values) == {"aurc", "excess_aurc", "points"}
    assert set(values["points"][0]) == {"coverage", "confidence", "risk", "low", "high"}


def test_without_mistakes_the_area_is_not_called_certain() -> None:
    found = risk_coverage(answered([0.9, 0.8, 0.7, 0.6, 0.5], [True] * 5), resamples=50)
    assert (found.aurc.value, found.aurc.low) == (0, 0)
    assert found.aurc.high == pytest.approx(wilson_interval(Proportion(0, 5))[1])


def test_without_products_there_is_no_curve() -> None:
    with pytest.raises(OptionError, match="no products"):
        risk_coverage(drawn_answers(5).take([]))
