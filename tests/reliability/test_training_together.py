"""Two processes that train one network learn what one process learns, and only the first of them writes."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from scoreboard import record
from test_training_kills import draw, result

from shelfwise.ingest import FolderSource, ingest

pytestmark = pytest.mark.slow

# 24 photos: 10, 10 and 4 a step, or 23 and 1, of which the second process gets none.
HOW = (
    "--network", "small-cnn", "--start", "random", "--side", "32", "--epochs", "6", "--optimizer", "sgd",
    "--learning-rate", "0.1", "--precision", "fp32",
)  # fmt: skip
UNEVEN = (*HOW, "--batch", "10", "--gradual", "1", "--class-weights", "balanced")
ALMOST_NONE = (*HOW, "--batch", "23", "--finetune", "--tune", "2", "--views", "2")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("together")
    ingest(FolderSource(draw(place / "photos")), place / "shop.catalog")
    return place / "shop.catalog"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def started(starter: str, catalog: Path, to: Path, *how: str) -> subprocess.Popen[str]:
    """Start a training; starter: torchrun or accelerate for two processes, shelfwise for one."""
    program = str(Path(sys.executable).with_name(starter))
    port = str(free_port())
    begin = {
        "torchrun": ["--nproc-per-node", "2", "--master-port", port, "-m", "--", "shelfwise"],
        "accelerate": [
            "launch", "--cpu", "--num_processes", "2", "--num_machines", "1", "--main_process_port", port,
            "--mixed_precision", "no", "--dynamo_backend", "no", "-m", "shelfwise",
        ],
        "shelfwise": [],
    }[starter]  # fmt: skip
    command = [program, *begin, "train", str(catalog), "--to", str(to), *how]
    quiet = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet, start_new_session=True
    )


def said(run: subprocess.Popen[str]) -> str:
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err[-3000:]
    return out


def losses(bundle: Path) -> np.ndarray:
    """Read the log beside a bundle: the loss learned from, and that of the held-out products."""
    rows = csv.DictReader(bundle.with_name(f"{bundle.stem}.training-log.csv").read_text().splitlines())
    return np.array([[float(row["loss"]), float(row["held_loss"])] for row in rows])


def weights(bundle: Path) -> np.ndarray:
    return np.concatenate(
        [value.ravel() for value in safetensors.numpy.load_file(bundle / "network.safetensors").values()]
    )


@pytest.mark.parametrize(
    ("starter", "how"), [("torchrun", UNEVEN), ("accelerate", ALMOST_NONE)], ids=["torchrun", "accelerate"]
)
def test_two_processes_learn_what_one_learns_however_a_step_is_shared(
    catalog: Path, tmp_path: Path, starter: str, how: tuple[str, ...]
):
    begun = time.monotonic()
    one, two = tmp_path / "one.bundle", tmp_path / "two.bundle"
    said(started("shelfwise", catalog, one, *how))
    out = said(started(starter, catalog, two, *how))
    alike = np.allclose(losses(one), losses(two), rtol=1e-5)
    record(
        f"T5 two processes: {starter}", 1, int(not alike), time.monotonic() - begun, 0, "a mean of means differs",
    )  # fmt: skip
    assert alike, (losses(one), losses(two))
    assert np.ptp(losses(one)[:, 0]) > 1e-4, "it learned something"
    np.testing.assert_allclose(weights(one), weights(two), atol=1e-5)
    assert out.count("two.bundle: 4 categories") == 1, "the first process alone tells"
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "one.bundle", "one.training-log.csv", "two.bundle", "two.training-log.csv",
    ]  # fmt: skip


def test_two_processes_that_are_killed_go_on_to_the_same_bits(catalog: Path, tmp_path: Path):
    how = (*UNEVEN, "--dropout", "0.3", "--checkpoint-minutes", "0.0000001")
    whole, killed = tmp_path / "whole" / "x.bundle", tmp_path / "killed" / "x.bundle"
    said(started("torchrun", catalog, whole, *how))
    run = started("torchrun", catalog, killed, *how)
    checkpoints = killed.with_name("x.bundle.training") / "checkpoints"
    while run.poll() is None and not any(int(file.name[:12]) >= 8 for file in checkpoints.glob("*.safetensors")):
        time.sleep(0.002)
    workers = [
        int(line)
        for line in subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True).stdout.split()
    ]
    for process in (run.pid, *workers):
        os.kill(process, signal.SIGKILL)
    run.communicate()
    assert not killed.exists()
    said(started("torchrun", catalog, killed, *how))
    resumed = json.loads((killed / "bundle.json").read_bytes())["facts"]["network"]["resumed_at_steps"]
    assert resumed[0] >= 8
    assert result(killed) == result(whole)
