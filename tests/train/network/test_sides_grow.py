"""A run whose photos grow: every epoch has the side that the rule says, and going on changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from shelfwise.options import NetworkOptions, TrainOptions
from shelfwise.train import TrainSummary, train
from shelfwise.train.network.inputs.resizing import side_of

SMALL = TrainOptions(network="small-cnn", optimizer="adam", learning_rate=0.001, epochs=4)


def learned(catalog: Path, to: Path, **options: object) -> TrainSummary:
    how = NetworkOptions(start="random", side="32,40,48", log="none", batch=16, augment="flip=0.5", **options)  # type: ignore[arg-type]
    return train(catalog, to, SMALL, how)


@pytest.fixture(scope="module")
def grown(drawn_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainSummary:
    return learned(drawn_catalog, tmp_path_factory.mktemp("sides") / "grown.bundle", early_stopping=1)


def test_every_epoch_has_the_side_that_the_rule_says(grown: TrainSummary) -> None:
    curve = grown.facts["network"]["curve"]
    sides = [row["side_px"] for row in curve]
    assert sides == [side_of((32, 40, 48), 4, curve[:epoch]) for epoch in range(len(curve))]
    assert sides[0] == 32 and sides[-1] == 48


def test_the_weights_that_are_kept_are_of_the_last_side(grown: TrainSummary) -> None:
    network = grown.facts["network"]
    best = network["curve"][network["best_epoch"] - 1]
    of_last = [row for row in network["curve"] if row["side_px"] == 48]
    assert best["side_px"] == 48 and best["held_accuracy"] == max(row["held_accuracy"] for row in of_last)


@pytest.mark.slow
def test_a_run_that_was_stopped_between_sides_goes_on_to_the_same_curve(
    grown: TrainSummary, drawn_catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shelfwise.train.network.loop import Loop

    end_epoch = Loop._end_epoch

    def stop_after_two(self: Loop, *figures: object) -> None:
        end_epoch(self, *figures)  # type: ignore[arg-type]
        if len(self._state.curve) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Loop, "_end_epoch", stop_after_two)
        learned(drawn_catalog, tmp_path / "stopped.bundle", early_stopping=1)
    again = learned(drawn_catalog, tmp_path / "stopped.bundle", early_stopping=1)
    kept = ("epoch", "loss", "held_loss", "held_accuracy", "side_px", "rate")
    curves = [[[row[key] for key in kept] for row in each.facts["network"]["curve"]] for each in (grown, again)]
    assert curves[0] == curves[1]
