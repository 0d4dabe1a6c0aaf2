"""The log of a run: every epoch once, whatever happened in between."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from shelfwise.train.network.run_log import open_log


def row(epoch: int, loss: float = 1.0) -> dict[str, float]:
    return {
        "epoch": epoch, "loss": loss, "held_loss": 2.0 * loss, "held_accuracy": 0.5, "rate": 1e-3, "side_px": 48,
        "seconds": 1.5 * epoch,
    }  # fmt: skip


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_csv_log_is_readable_after_every_epoch(tmp_path: Path):
    log = open_log("csv", tmp_path / "net")
    log.begin([])
    for epoch in (1, 2, 3):
        log.add(row(epoch, loss=1 / 3))
        told = read_csv(tmp_path / "net.training-log.csv")
        assert [line["epoch"] for line in told] == [str(n) for n in range(1, epoch + 1)]
        assert float(told[-1]["loss"]) == 1 / 3
    log.close()


def test_a_run_that_goes_on_repeats_no_epoch_and_drops_those_after_its_checkpoint(tmp_path: Path):
    stopped = open_log("csv", tmp_path / "net")
    stopped.begin([])
    for epoch in (1, 2, 3):
        stopped.add(row(epoch))
    goes_on = open_log("csv", tmp_path / "net")
    goes_on.begin([row(1), row(2)])  # the checkpoint knew of two epochs
    goes_on.add(row(3, loss=0.25))
    told = read_csv(tmp_path / "net.training-log.csv")
    assert [line["epoch"] for line in told] == ["1", "2", "3"]
    assert told[2]["loss"] == "0.25"


def test_a_log_of_another_run_of_that_name_is_begun_anew(tmp_path: Path):
    for _ in range(2):
        log = open_log("csv", tmp_path / "net")
        log.begin([])
        log.add(row(1))
    assert len(read_csv(tmp_path / "net.training-log.csv")) == 1


def test_none_writes_nothing(tmp_path: Path):
    log = open_log("none", tmp_path / "net")
    log.begin([])
    log.add(row(1))
    log.close()
    assert list(tmp_path.iterdir()) == []
    assert log.path is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_every_epoch_once_though_the_run_was_stopped(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for known, epochs in ([], (1, 2, 3)), ([row(1), row(2)], (3, 4)):
        log = open_log("tensorboard", tmp_path / "net")
        log.begin(known)
        for epoch in epochs:
            log.add(row(epoch, loss=0.5 * epoch))
        log.close()
    read = EventAccumulator(str(tmp_path / "net.tensorboard"))
    read.Reload()
    assert {(event.step, event.value) for event in read.Scalars("loss/held out")} == {
        (n, float(n)) for n in (1, 2, 3, 4)
    }
    assert len(read.Scalars("accuracy/held out")) == 4
    assert {"loss/learned from", "learning rate", "side in pixels"} <= set(read.Tags()["scalars"])
