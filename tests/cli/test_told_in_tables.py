"""What tables on the screen say where there is nothing to say, or a choice to explain."""

from __future__ import annotations

import pytest

from shelfwise.cli.evaluating_summaries import _abstention
from shelfwise.cli.learning_summaries import _pools

NOTHING = {"value": None, "low": None, "high": None}
NEVER = {"value": 0.0, "low": 0.0, "high": 0.1}


def test_where_nothing_was_answered_there_is_one_stroke_and_no_interval(capsys: pytest.CaptureFixture[str]):
    _abstention({"message": "Nothing is answered", "error": NOTHING, "coverage": NEVER, "levels": {}})
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert last == ["all", "answers", "0.0%", "-", "-"]


def test_a_pool_with_more_log_loss_is_taken_with_the_reason(capsys: pytest.CaptureFixture[str]):
    pools = {"concat": {"log_loss": 0.036, "top1": 1.0}, "scores": {"log_loss": 0.068, "top1": 1.0}}
    _pools({"members": [{"pool": "scores", "pools": pools, "pools_tried_on": 44}]})
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("look-alikes out")
    assert second.endswith("taken: concat is not better beyond chance")


def test_the_pool_with_the_least_log_loss_needs_no_reason(capsys: pytest.CaptureFixture[str]):
    pools = {"mean": {"log_loss": 0.02, "top1": 1.0}, "scores": {"log_loss": 0.068, "top1": 1.0}}
    _pools({"members": [{"pool": "mean", "pools": pools, "pools_tried_on": 44}]})
    assert capsys.readouterr().out.splitlines()[0].endswith("taken")
