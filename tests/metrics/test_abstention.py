import numpy as np
import pytest
from drawn_answers import drawn_answers

from shelfwise.classifiers.certainty import Threshold
from shelfwise.errors import OptionError
from shelfwise.metrics.abstention import abstention


def at(value: float | None) -> Threshold:
    return Threshold(0.05, 0.9, value, 100)


def test_shares_agree_with_counting_product_by_product():
    answers, bar = drawn_answers(300, seed=3), 0.6
    found = abstention(answers, at(bar), resamples=200)
    stopped, wrong, reached, missed = [0, 0, 0], 0, [0, 0, 0], [0, 0, 0]
    for row in range(300):
        passed = [level for level in range(3) if answers.way_probability[row, level] >= bar]
        for level in passed:
            reached[level] += 1
            missed[level] += answers.way[row, level] != answers.level_truth[row, level]
        if passed:
            stopped[passed[-1]] += 1
            wrong += answers.way[row, passed[-1]] != answers.level_truth[row, passed[-1]]
    assert found["coverage"]["value"] == pytest.approx(sum(stopped) / 300)
    assert found["error"]["value"] == pytest.approx(wrong / sum(stopped))
    assert found["unsure"] == 300 - sum(stopped)
    for level, name in enumerate(("top", "coarse", "fine")):
        of_level = found["levels"][name]
        assert of_level["stopped"]["value"] == pytest.approx(stopped[level] / 300)
        assert of_level["coverage"]["value"] == pytest.approx(reached[level] / 300)
        assert of_level["error"]["value"] == pytest.approx(missed[level] / reached[level])


def test_intervals_hold_the_value_and_have_the_width_of_the_binomial():
    found = abstention(drawn_answers(2000, seed=1), at(0.7))
    coverage = found["coverage"]
    assert coverage["low"] < coverage["value"] < coverage["high"]
    width = 2 * 1.96 * np.sqrt(coverage["value"] * (1 - coverage["value"]) / 2000)
    assert coverage["high"] - coverage["low"] == pytest.approx(width, rel=0.15)


def test_where_nothing_is_answered_there_is_no_error_to_tell():
    found = abstention(drawn_answers(50), at(None))
    assert found["error"] == {"value": None, "low": None, "high": None}
    assert (found["coverage"]["value"], found["unsure"], found["threshold"]) == (0.0, 50, None)
    assert 0 < found["coverage"]["high"] < 0.1


def test_no_products_are_refused():
    with pytest.raises(OptionError, match="no products"):
        abstention(drawn_answers(5).take([]), at(0.5))
