"""What is lost elsewhere: counts by a plain loop, intervals by Newcombe's own example, categories joined by id."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from drawn_answers import drawn_answers

from shelfwise.metrics.intervals import Proportion, difference_interval
from shelfwise.metrics.shift import shift


def test_every_category_stands_beside_itself_with_what_it_is_taken_for() -> None:
    inside, here = drawn_answers(300, strength=3.0), drawn_answers(180, strength=1.0, seed=5)
    found = shift(inside, here)
    nodes = here.columns.taxonomy.nodes
    for answers, side in ((inside, "in"), (here, "here")):
        wrong: dict[str, Counter[str]] = {}
        products: Counter[str] = Counter()
        right: Counter[str] = Counter()
        for truth, answer in zip(answers.truth.tolist(), answers.answer.tolist(), strict=True):
            category, told = answers.categories[truth], answers.categories[answer]
            products[category] += 1
            right[category] += truth == answer
            if truth != answer:
                wrong.setdefault(category, Counter())[told] += 1
        for row in found.categories:
            category = row["category"]
            assert row[side]["products"] == products[category]
            if products[category]:
                assert row[side]["recall"]["value"] == pytest.approx(right[category] / products[category])
            if category in wrong:
                most = max(wrong[category].values())
                assert row[side]["taken_for"] in {nodes[name].name for name, n in wrong[category].items() if n == most}
            else:
                assert row[side]["taken_for"] is None
    expected = difference_interval(
        Proportion(float(inside.right.mean()), 300), Proportion(float(here.right.mean()), 180)
    )
    assert (found.lost.low, found.lost.high) == pytest.approx(expected)
    assert found.lost.value == pytest.approx(found.inside.value - found.here.value)


def test_nothing_is_lost_to_oneself_and_blind_answers_are_not_below_chance() -> None:
    answers = drawn_answers(400, strength=2.0)
    found = shift(answers, answers)
    assert found.lost.value == 0
    assert not found.is_below_chance
    blind = drawn_answers(400, strength=0.0)
    assert not shift(answers, blind).is_below_chance


def test_answers_that_are_never_right_are_below_chance() -> None:
    answers = drawn_answers(400, strength=2.0)
    c = len(answers.columns)
    truth = ((answers.answer + 1) % c).astype(np.int32)
    probabilities = np.zeros((400, c), np.float32)
    probabilities[np.arange(400), answers.answer] = 1
    wrong = type(answers).from_probabilities(answers.product_ids, truth, probabilities, answers.columns)
    found = shift(answers, wrong)
    assert found.here.value == 0
    assert found.is_below_chance
