"""The same small network, photos and epochs in shelfwise, fastai, Keras and plain torch: seconds an epoch, accuracy, memory.

Grocery's 81 categories at 64 px, from the same JPEG files (shelfwise: from its catalog, which `hierarchy.py` makes); small-cnn
with torch's initial weights, batches of 32, AdamW, cosine schedule, flip. The sides are in framework_sides.py. Each training is a
process of its own; the sides go by turns, a seed each. An epoch includes its validation; its seconds are the median of all but
each training's first. The weights of the epoch that is best on validation answer the test photos.

The other frameworks are installed apart from shelfwise, and looked for with `--python`; a side that is not there is left out:

    python -m venv elsewhere && elsewhere/bin/pip install torch==2.14.1 torchvision==0.29.1 fastai==2.8.12 keras==3.15.1 jax timm
    python benchmarks/frameworks.py --python elsewhere/bin/python
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import harness
from framework_sides import SIDES

CATALOG = Path(__file__).parent / "data" / "grocery.catalog"
SCRIPT = Path(__file__).with_name("framework_sides.py")
SEEDS, EPOCHS = 3, 20
LEARNING = {"side_px": 64, "batch": 32, "rate": 1e-3, "weight_decay": 0.01}
OURS = "shelfwise"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a sixteenth of the photos, one seed, 2 epochs: says whether the script works",
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"trainings a side, {SEEDS} where none are named")
    parser.add_argument(
        "--epochs", type=int, default=EPOCHS, help=f"of each, at least 2; {EPOCHS} where none are named"
    )
    parser.add_argument("--python", default=sys.executable, help="the python that has the other frameworks")
    return parser.parse_args()


def photos(root: Path, catalog: Path) -> dict[str, Any]:
    """The listed photos of every split with the number of their category, as the catalog names it: by folder."""
    listed = {
        name: [root / line.split(",")[0] for line in (root / f"{split}.txt").read_text().splitlines()]
        for name, split in (("train", "train"), ("validation", "val"), ("test", "test"))
    }
    category = {path: "/".join(path.relative_to(root).parts[1:-1]) for paths in listed.values() for path in paths}
    categories = sorted(set(category.values()))
    number = {name: place for place, name in enumerate(categories)}
    rows = {name: [(str(path), number[category[path]]) for path in paths] for name, paths in listed.items()}
    return rows | {"categories": categories, "catalog": str(catalog)}


def all_photos() -> dict[str, Any]:
    if not CATALOG.exists():
        sys.exit(f"frameworks.py: {CATALOG} is missing: run  python benchmarks/hierarchy.py  first")
    return photos(harness.DATA / "grocery" / "dataset", CATALOG)


def few_photos(folder: Path) -> dict[str, Any]:
    """A part of the photos, in a catalog of their own."""
    from folder_to_bundle import dataset_part
    from shelfwise.ingest import GrocerySource, ingest

    part = dataset_part(folder / "grocery")
    ingest(GrocerySource(part), folder / "few.catalog")
    return photos(part / "dataset", folder / "few.catalog")


class Memory:
    """Watches the memory of a process and all below it: proportional set size, so that what they share counts once."""

    def __init__(self, process: int) -> None:
        self.peak_mib, self._process, self._ended = 0.0, process, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        self._ended.set()
        self._thread.join()
        return self.peak_mib

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            self.peak_mib = max(self.peak_mib, sum(map(_pss_kib, _family(self._process))) / 1024)


def _family(process: int) -> list[int]:
    found = [process]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in children.read_text().split()]
    return found


def _pss_kib(process: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def trained(side: str, python: str, job: dict[str, Any]) -> dict[str, Any]:
    """Train once in a process of its own."""
    used = sys.executable if side.startswith(OURS) else python
    called = time.monotonic()
    process = subprocess.Popen([used, SCRIPT, side], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    memory = Memory(process.pid)
    answer, _ = process.communicate(json.dumps(job | {"called": called}))
    peak_mib = memory.stop()
    if process.returncode:
        sys.exit(f"{side}: ended with exit code {process.returncode}; what it said stands above")
    return json.loads(answer) | {"side": side, "seed": job["seed"], "peak_mib": peak_mib}


def summary(side: str, runs: list[dict[str, Any]], truth: list[int]) -> dict[str, Any]:
    """What the seeds of one side come to. The interval of the test accuracy is of the photos, at the mean of the seeds."""
    from shelfwise.metrics.intervals import Proportion, wilson_interval

    right = [sum(a == b for a, b in zip(run["test"], truth, strict=True)) / len(truth) for run in runs]
    mean = statistics.mean(right)
    epochs = [seconds for run in runs for seconds in run["epochs_s"][1:]]
    cpu = [seconds for run in runs for seconds in run["epochs_cpu_s"][1:]]
    return {
        "side": side, "epoch_s": statistics.median(epochs), "epoch_s_least": min(epochs), "epoch_s_most": max(epochs),
        "epoch_cpu_s": statistics.median(cpu),
        "first_epoch_s": statistics.median(run["epochs_s"][0] for run in runs),
        "start_s": statistics.median(run["start_s"] for run in runs), "peak_mib": max(run["peak_mib"] for run in runs),
        "validation": statistics.mean(max(run["validation"]) for run in runs),
        "test": mean, "test_interval": wilson_interval(Proportion(mean, len(truth))), "test_of_seeds": right,
        "versions": runs[0]["versions"],
    }  # fmt: skip


def page(rows: list[dict[str, Any]], missing: dict[str, str], on: dict[str, Any], quick: bool, epochs: int) -> str:
    ours = next(row["epoch_s"] for row in rows if row["side"] == OURS)
    head = ["side", "seconds an epoch", "least - most", "times shelfwise's", "processor seconds", "first epoch",
            "start, seconds", "peak MiB", "validation, best epoch", "test (95 %)", "test, by seed"]  # fmt: skip
    lines = [
        "# The same small network in four frameworks", "",
        f"`python benchmarks/frameworks.py{' --quick' if quick else ''}`, {date.today().isoformat()}, {epochs} epochs, "
        f"{len(rows[0]['test_of_seeds'])} seeds{': a quick run, too short to judge by' if quick else ''}.",
        f"Machine: {on['cpu']}, {on['cores']} cores, {on['system']}, load {on['load_before']} before the run.", "",
        *(__doc__ or "").partition("The other frameworks")[0].strip().splitlines(), "",
        f"| {' | '.join(head)} |", "|" + "---|" * len(head),
    ]  # fmt: skip
    for row in rows:
        low, high = row["test_interval"]
        cells = [
            row["side"], f"{row['epoch_s']:.2f}", f"{row['epoch_s_least']:.2f} - {row['epoch_s_most']:.2f}",
            f"{row['epoch_s'] / ours:.2f}", f"{row['epoch_cpu_s']:.2f}", f"{row['first_epoch_s']:.2f}",
            f"{row['start_s']:.1f}", f"{row['peak_mib']:,.0f}",
            f"{100 * row['validation']:.1f}", f"{100 * row['test']:.1f} ({100 * low:.1f} - {100 * high:.1f})",
            ", ".join(f"{100 * value:.1f}" for value in row["test_of_seeds"]),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Start: from the call of python to the first epoch. Memory: of the process and its workers, shared pages once.",
    ]
    versions = sorted({f"{name} {version}" for row in rows for name, version in row["versions"].items()})
    lines.append(f"Versions: {', '.join(versions)}.")
    lines += [f"{side}: left out, {package} is not installed." for side, package in missing.items()]
    return "\n".join(lines) + "\n"


def compare(data: dict[str, Any], options: argparse.Namespace) -> None:
    """Train by turns, a seed each, and write the table anew after every training."""
    seeds, epochs = (1, 2) if options.quick else (options.seeds, options.epochs)
    stem = harness.RESULTS / ("frameworks-quick" if options.quick else "frameworks")
    on, truth = harness.machine(), [label for _, label in data["test"]]
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    missing: dict[str, str] = {}
    for seed in range(seeds):
        for side in [side for side in SIDES if side not in missing]:
            run = trained(side, options.python, data | LEARNING | {"epochs": epochs, "seed": seed})
            if "missing" in run:
                missing[side] = run["missing"]
                continue
            runs[side].append(run)
            told = f"{statistics.median(run['epochs_s'][1:]):.2f} s an epoch, validation {max(run['validation']):.3f}"
            print(f"seed {seed}: {side}: {told}", file=sys.stderr, flush=True)
            rows = [summary(side, of_side, truth) for side, of_side in runs.items() if of_side]
            kept = [{name: v for name, v in run.items() if name != "test"} for side in runs.values() for run in side]
            stem.with_suffix(".json").write_text(
                json.dumps({"machine": on, "rows": rows, "runs": kept}, indent=1) + "\n"
            )
            stem.with_suffix(".md").write_text(page(rows, missing, on, options.quick, epochs))
    print(stem.with_suffix(".md").read_text())


def main() -> None:
    options = arguments()
    if not (harness.DATA / "grocery" / "dataset").is_dir():
        sys.exit(f"frameworks.py: the Grocery photos are not below {harness.DATA}: set SHELFWISE_DATA")
    if not options.quick:
        compare(all_photos(), options)
        return
    with tempfile.TemporaryDirectory(prefix="shelfwise-bench-") as folder:
        compare(few_photos(Path(folder)), options)


if __name__ == "__main__":
    main()
