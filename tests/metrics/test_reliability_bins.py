from __future__ import annotations

import numpy as np
import pytest
from drawn_answers import plain_answers

from shelfwise.metrics.calibration import bin_of, reliability
from shelfwise.metrics.classification import score


def test_the_calibration_error_of_a_case_worked_by_hand() -> None:
    """Bins of 1/15: 0.50 falls in (7/15, 8/15], 0.90 in (13/15, 14/15].

    0.50: two products, one right, gap 0; 0.90: three products, one right, gap |0.9 - 1/3|. Error 3/5 x 0.5667 = 0.34.
    """
    answers = plain_answers([0, 1, 0, 1, 1], [0, 0, 0, 0, 0], 3, [0.5, 0.5, 0.9, 0.9, 0.9])
    assert score(answers, resamples=0).figures["calibration_error"].value == pytest.approx(0.34, abs=1e-6)
    bins = [b for b in reliability(answers) if b.products]
    assert [(b.products, b.accuracy) for b in bins] == [(2, 0.5), (3, pytest.approx(1 / 3))]
    assert [b.confidence for b in bins] == pytest.approx([0.5, 0.9])


def test_bins_are_open_below_and_closed_above() -> None:
    places = bin_of(np.array([0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0], dtype=np.float32), bins=4)
    assert places.tolist() == [0, 0, 0, 0, 1, 2, 3]


def test_the_diagram_and_the_figure_agree() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.4, 1, 500).round(3)
    truth = (rng.random(500) > confidence).astype(int)
    answers = plain_answers(truth.tolist(), [0] * 500, 3, confidence.tolist())
    gaps = [b.products * abs(b.confidence - b.accuracy) for b in reliability(answers) if b.products]
    assert score(answers, resamples=0).figures["calibration_error"].value == pytest.approx(sum(gaps) / 500)


def test_an_empty_bin_has_no_means() -> None:
    first = reliability(plain_answers([0], [0], 2))[0]
    assert (first.products, first.confidence, first.accuracy) == (0, None, None)
