import json
from pathlib import Path

import numpy as np
import pytest

from shelfwise.bundle import Bundle
from shelfwise.classifiers.certainty import threshold_for
from shelfwise.cli.evaluating_summaries import evaluated
from shelfwise.evaluate import evaluate
from shelfwise.options import EvaluateOptions, PredictOptions
from shelfwise.predict import predict


@pytest.fixture(scope="module")
def told(drawn_bundle: Path, embedded_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    report = tmp_path_factory.mktemp("report") / "report"
    evaluate(drawn_bundle, embedded_catalog, report, EvaluateOptions(max_error=0.2))
    return json.loads((report / "metrics.json").read_text())["abstention"]


def test_metrics_hold_error_and_coverage_of_the_answers_given_and_of_every_level(told: dict):
    assert (told["max_error"], told["confidence"]) == (0.2, 0.9)
    for of in (told, *told["levels"].values()):
        for figure in (of["error"], of["coverage"]):
            assert set(figure) == {"value", "low", "high"}
            assert figure["value"] is None or 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    coverage = [level["coverage"]["value"] for level in told["levels"].values()]
    assert coverage == sorted(coverage, reverse=True)
    assert coverage[0] == told["coverage"]["value"]
    stopped = sum(level["stopped"]["value"] for level in told["levels"].values())
    assert stopped == pytest.approx(told["coverage"]["value"])


def test_evaluate_and_predict_stop_at_the_same_shelves(told: dict, drawn_bundle: Path, drawn_folder: Path):
    bundle = Bundle.load(drawn_bundle)
    assert told["threshold"] == threshold_for(bundle.held_out(), 0.2).value
    predictions = list(predict(bundle, [drawn_folder / "test"], PredictOptions(max_error=0.2)))
    given = np.mean([prediction.sure.category is not None for prediction in predictions])
    assert told["coverage"]["value"] == pytest.approx(given)


def test_what_is_printed_names_the_promise_and_every_level(
    drawn_bundle: Path, embedded_catalog: Path, capsys: pytest.CaptureFixture[str]
):
    summary = evaluate(drawn_bundle, embedded_catalog, options=EvaluateOptions(max_error=0.2))
    evaluated(summary)
    out = capsys.readouterr().out
    assert "at most 20% are wrong, with 90% confidence" in " ".join(out.split())
    assert "level3 or deeper" in out


def test_without_being_asked_nothing_is_said(drawn_bundle: Path, embedded_catalog: Path):
    assert "abstention" not in evaluate(drawn_bundle, embedded_catalog).metrics
