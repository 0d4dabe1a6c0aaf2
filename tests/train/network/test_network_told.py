"""What a training of a network tells: before it starts, while it goes, at its end, and in the report."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from drawn_shop import photo, shelf, shelfwise, write
from shelfwise.bundle import Bundle
from shelfwise.images.draw import KINDS
from shelfwise.ingest import FolderSource, ingest
from shelfwise.metrics.intervals import Proportion, wilson_interval

pytestmark = pytest.mark.slow
SMALL = ["--network", "small-cnn", "--side", "32", "--batch", "8", "--augment", "flip"]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """56 products on 4 shelves, no split but train."""
    root = tmp_path_factory.mktemp("four")
    for kind in list(KINDS)[:4]:
        for seed in range(14):
            write(root / "photos" / "train" / shelf(kind) / f"{kind}-{seed:03}.jpg", photo(kind, seed, 48))
    ingest(FolderSource(root / "photos"), root / "four.catalog")
    return root / "four.catalog"


def test_a_training_with_a_search_tells_what_it_does_and_where_its_files_are(catalog: Path, tmp_path: Path):
    done = shelfwise("train", catalog, *SMALL, "--epochs", "3", "--find-rate", "--to", "net.bundle", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"net.bundle", "net.rates.svg", "net.training-log.csv"}
    facts = Bundle.load(tmp_path / "net.bundle").facts
    network, rate = facts["network"], facts["network"]["rate"]
    steps = 3 * -(-facts["photos"] // 8)
    assert f"5 of 5 layers, all of them; up to 3 epochs, {steps} steps of 8 photos" in done.stderr
    assert f"learning rate: {rate:.2g}, " in done.stderr
    assert network["rate_search"]["rate"] == rate
    best = network["curve"][network["best_epoch"] - 1]
    assert best["held_accuracy"] == max(row["held_accuracy"] for row in network["curve"])
    low, high = wilson_interval(Proportion(best["held_accuracy"], facts["held_out_products"]))
    assert re.search(rf"epoch +{network['best_epoch']} of 3 is kept: {best['held_accuracy']:.1%} of", done.stdout)
    assert f"(95 %: {low:.1%} - {high:.1%})" in done.stdout
    assert "log     net.training-log.csv, beside the bundle" in done.stdout
    with (tmp_path / "net.training-log.csv").open(newline="") as lines:
        assert [float(line["held_loss"]) for line in csv.DictReader(lines)] == [
            row["held_loss"] for row in network["curve"]
        ]
    assert (facts["calibrated_on"], list(facts["estimates"])) == ("tenth_held_out", ["tenth_held_out"])
    assert "calibrated on: tenth held out" in done.stdout


def test_with_a_cache_its_size_is_told_before_it_starts(catalog: Path, tmp_path: Path):
    done = shelfwise(
        "train", catalog, *SMALL, "--epochs", "1", "--finetune", "--start", "random", "--tune", "2", "--views", "2",
        "--log", "none", "--to", "net.bundle", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {path.name for path in tmp_path.iterdir()} == {"net.bundle"}
    assert told["network"]["log"] is None
    mib = 2 * 64 * 8 * 8 * (2 * told["photos"] + told["held_out_products"]) / 2**20
    said = f"2 views of {told['photos']} photos and {told['held_out_products']} held out, 64 x 8 x 8 numbers of 16 bits"
    assert f"cache: {said}: {mib:,.0f} MiB on disk" in done.stderr
    assert told["network"]["trained_from"] == "stages.2.0"
