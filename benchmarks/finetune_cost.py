"""Fine-tuning from cached activations beside the plain way, and what more stages, views and pixels cost and bring.

Comparison: lite0 on Grocery's train split, its last two stages and the head learn, batch norm frozen, the same photos, side,
augmentation, schedule and seeds. Plain runs the frozen stages again for every photo of every epoch, which it decodes and augments
anew; cached runs them once for every view. Whole network: all stages learn, on a part of the photos, for its speed alone.
Trade-offs: cached, one thing changed at a time, judged on validation.

The two sides of the comparison learn with the same seed at the same time, an epoch each by turns, so that both meet the same
machine. Every cell (one training) is a process of its own, and a line of results/finetune_cost.jsonl once it is done. A run
that is stopped goes on where it was, within a cell too; the seconds of such a cell are those of its last process, and it is
marked. All takes hours on two cores: `--part comparison`, `whole` or `tradeoffs` runs a part, `--cells N` so many cells.
"""

from __future__ import annotations

import argparse
import fcntl
import itertools
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import harness

CATALOG = Path(__file__).parent / "data" / "grocery.catalog"
WORK = Path(__file__).parent / "data" / "finetune_cost"
SEEDS, EPOCHS, TRADEOFF_EPOCHS = 3, 4, 6
CACHED, PLAIN, WHOLE = "cached", "plain", "whole network"
SIDE_PX, STAGES, VIEWS = 224, "2", 4
QUICK_SIDE_PX, QUICK_EPOCHS = 96, 2
GOAL = 5.0


@dataclass(frozen=True)
class Cell:
    """One training; few: on a part of the photos, tested: on the test photos too."""

    part: str
    mode: str
    tune: str = STAGES
    views: int = VIEWS
    side_px: int = SIDE_PX
    epochs: int = EPOCHS
    seed: int = 0
    few: bool = False

    @property
    def name(self) -> str:
        views = f"-{self.views}views" if self.mode == CACHED else ""
        tune = f"-tune-{self.tune}{views}-{self.side_px}px-{self.epochs}epochs-seed{self.seed}"
        return f"{self.part}-{self.mode.replace(' ', '-')}{tune}{'-few' if self.few else ''}"


def cells(quick: bool, epochs: int) -> list[Cell]:
    """List the trainings: the sides of the comparison by turns."""
    if quick:
        small: dict[str, Any] = {"side_px": QUICK_SIDE_PX, "epochs": QUICK_EPOCHS, "few": True}
        compared = [Cell("comparison", mode, **small) for mode in (CACHED, PLAIN)]
        whole = Cell("whole", WHOLE, "all", **small)
        return [*compared, whole, *(Cell("tradeoffs", CACHED, views=views, **small) for views in (1, 2))]
    turns = [("2", seed) for seed in range(SEEDS)] + [("1", 0)]
    compared = [Cell("comparison", mode, tune, epochs=epochs, seed=s) for tune, s in turns for mode in (CACHED, PLAIN)]
    changed: list[dict[str, Any]] = [{}]
    changed += [{"views": views} for views in (1, 2, 8)]
    changed += [{"tune": tune} for tune in ("1", "3")]
    changed += [{"side_px": side_px} for side_px in (160, 288)]
    tradeoffs = [Cell("tradeoffs", CACHED, **({"epochs": TRADEOFF_EPOCHS} | each)) for each in changed]
    return [*compared, Cell("whole", WHOLE, "all", epochs=2, few=True), *tradeoffs]


class Turn:
    """The right to work: whoever waits for it gets it when another one hands it over."""

    def __init__(self) -> None:
        self._lock = (WORK / "turn").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def hand_over(self) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        time.sleep(0.5)  # one that waits is faster
        fcntl.flock(self._lock, fcntl.LOCK_EX)


class Watched:
    """Measures the tasks of a training: seconds of caching, seconds and processor seconds of every epoch with its validation.

    An epoch begins with the next turn.
    """

    def __init__(self, turn: Turn) -> None:
        self.caching_s = 0.0
        self.epochs_s: list[float] = []
        self.epochs_cpu_s: list[float] = []
        self._turn = turn

    @contextmanager
    def task(self, label: str, total: int | None, to_come: int = 0) -> Iterator[Any]:  # noqa: ARG002
        if label.startswith("epoch"):
            self._turn.hand_over()
        started, cpu = time.perf_counter(), harness.cpu_seconds()
        yield lambda _steps: None
        if label.startswith("compute"):
            self.caching_s += time.perf_counter() - started
        elif label.startswith("epoch"):
            self.epochs_s.append(round(time.perf_counter() - started, 1))
            self.epochs_cpu_s.append(round(harness.cpu_seconds() - cpu, 1))


def few_photos() -> Path:
    """Take a part of the photos into a catalog of their own, once."""
    from folder_to_bundle import dataset_part
    from shelfwise.ingest import GrocerySource, ingest

    catalog = WORK / "few.catalog"
    if not catalog.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="shelfwise-bench-") as folder:
            ingest(GrocerySource(dataset_part(Path(folder) / "grocery")), catalog)
    return catalog


def train_cell(cell: Cell) -> dict[str, Any]:
    """Train, and return what the table needs."""
    from shelfwise.options import NetworkOptions, TrainOptions
    from shelfwise.train import train

    WORK.mkdir(parents=True, exist_ok=True)
    folder, watched = WORK / cell.name, Watched(Turn())
    resumed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    catalog = few_photos() if cell.few else CATALOG
    cached = {"finetune": True, "views": cell.views, "cache": str(folder / "cache")} if cell.mode == CACHED else {}
    how = NetworkOptions(tune=cell.tune, side=str(cell.side_px), seed=cell.seed, log="none", **cached)
    options = TrainOptions(network="lite0", learn_from="train", epochs=cell.epochs)
    to = folder / "tuned.bundle"
    shutil.rmtree(to, ignore_errors=True)
    started = time.perf_counter()
    facts = train(catalog, to, options, how, progress=watched).facts
    seconds, learned = time.perf_counter() - started, facts["network"]
    measured = asdict(cell) | {
        "name": cell.name, "resumed": resumed, "seconds": round(seconds, 1), "caching_s": round(watched.caching_s, 1),
        "epochs_s": watched.epochs_s, "epochs_cpu_s": watched.epochs_cpu_s,
        "photos": facts["photos"],
        "cache_mib": round(sum(file.stat().st_size for file in folder.glob("cache/**/*.f16")) / 2**20, 1),
        "validation": learned["curve"][learned["best_epoch"] - 1]["held_accuracy"],
        "trained_parameters": learned["trained_parameters"], "bf16": learned["bf16"], "date": date.today().isoformat(),
    }  # fmt: skip
    if cell.part == "comparison":
        measured["right"] = right_of_test(to, cell.few)
    shutil.rmtree(folder)
    return measured


def right_of_test(bundle: Path, few: bool) -> str:
    """Say of every test photo, in the order of the list, whether its category comes out: 1 or 0."""
    from shelfwise.predict import predict

    root = harness.DATA / "grocery" / "dataset"
    names = [line.split(",")[0] for line in (root / "test.txt").read_text().splitlines()]
    paths = [root / name for name in (names[::16] if few else names)]
    truth = ["/".join(path.relative_to(root).parts[1:-1]) for path in paths]
    told = [answer.answers[0][0] for answer in predict(bundle, paths)]
    return "".join(str(int(a == b)) for a, b in zip(told, truth, strict=True))


def share_right(rows: list[dict[str, Any]]) -> list[float]:
    """Return of every test photo the share of the trainings that get it right."""
    return [statistics.mean(map(int, column)) for column in zip(*(row["right"] for row in rows), strict=True)]


def epoch_s(rows: list[dict[str, Any]], of: str = "epochs_s") -> float:
    """Return the median of all epochs but each training's first."""
    return statistics.median(seconds for row in rows for seconds in row[of][1:])


def by_turns(cached: list[dict[str, Any]], plain: list[dict[str, Any]], of: str) -> list[float]:
    """Return plain over cached of every two epochs that came one after the other, but for each training's first."""
    other = {row["seed"]: row[of] for row in plain}
    turns = [zip(row[of], other[row["seed"]], strict=True) for row in cached if row["seed"] in other]
    return [slow / fast for pairs in turns for fast, slow in list(pairs)[1:]]


def shown(value: float, interval: tuple[float, float]) -> str:
    return f"{100 * value:.1f} ({100 * interval[0]:.1f} - {100 * interval[1]:.1f})"


def compared(rows: list[dict[str, Any]]) -> list[str]:
    """Write the comparison: the sides, and how many times faster at which difference."""
    from shelfwise.metrics.intervals import Proportion, wilson_interval

    sides = {
        mode: [r for r in rows if r["mode"] == mode and r["part"] != "tradeoffs"] for mode in (CACHED, PLAIN, WHOLE)
    }
    head = ["", "seeds", "photos", "seconds an epoch", "of the processor", "photos a second", "caching, seconds", "cache, MiB",
            "validation", "test (95 %)"]  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for mode, of_side in sides.items():
        if not of_side:
            continue
        seconds, photos, caching = epoch_s(of_side), of_side[0]["photos"], [row["caching_s"] for row in of_side]
        validation = test = ""
        if mode != WHOLE:
            validation = f"{100 * statistics.mean(row['validation'] for row in of_side):.1f}"
            right = share_right(of_side)
            mean = statistics.mean(right)
            test = shown(mean, wilson_interval(Proportion(mean, len(right))))
        cells = [
            mode, str(len(of_side)), f"{photos:,}", f"{seconds:.1f}", f"{epoch_s(of_side, 'epochs_cpu_s'):.1f}",
            f"{photos / seconds:.1f}", f"{statistics.median(caching):.0f}", f"{of_side[0]['cache_mib']:.0f}", validation, test,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    cached, plain, whole = sides.values()
    if cached and plain:
        times, by_cpu = (by_turns(cached, plain, of) for of in ("epochs_s", "epochs_cpu_s"))
        middle = statistics.median(times)
        told = f"{middle:.1f} times faster than the plain one, {statistics.median(by_cpu):.1f} by processor time"
        goal = f"goal {GOAL:g}: {'reached' if middle >= GOAL else 'not reached'}"
        lines += [
            "",
            f"- An epoch from the cache is {told}: median of the turns ({min(times):.1f} - {max(times):.1f}; {goal}).",
        ]
        lines.append(difference(cached, plain))
    if cached and whole:
        rates = [of[0]["photos"] / epoch_s(of) for of in (cached, whole)]
        lines.append(f"- It is {rates[0] / rates[1]:.1f} times faster than an epoch of the whole network.")
    return lines


def difference(cached: list[dict[str, Any]], plain: list[dict[str, Any]]) -> str:
    """Compare on the same test photos, with the seeds that both have."""
    seeds = {row["seed"] for row in cached} & {row["seed"] for row in plain}
    one, other = (share_right([row for row in rows if row["seed"] in seeds]) for rows in (cached, plain))
    leads = [a - b for a, b in zip(one, other, strict=True)]
    mean, half = statistics.mean(leads), 1.96 * statistics.stdev(leads) / math.sqrt(len(leads))
    lead = f"{100 * mean:+.1f} points ({100 * (mean - half):+.1f} to {100 * (mean + half):+.1f})"
    return f"- On the same {len(leads):,} test photos cached is {lead} beside plain, 95 % by pairs, {len(seeds)} seeds each."


def traded(rows: list[dict[str, Any]]) -> list[str]:
    head = ["stages that learn", "weights that learn", "views", "side, px", "validation", "minutes", "of them caching",
            "seconds an epoch", "cache, MiB"]  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [
            f"last {row['tune']}", f"{row['trained_parameters']:,}", str(row["views"]), str(row["side_px"]),
            f"{100 * row['validation']:.1f}", f"{row['seconds'] / 60:.1f}{' (resumed)' if row['resumed'] else ''}",
            f"{row['caching_s'] / 60:.1f}", f"{epoch_s([row]):.1f}", f"{row['cache_mib']:,.0f}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def measured_together(cells: list[Cell]) -> list[dict[str, Any]]:
    """Train, several at the same time where they take turns, each in a process of its own."""
    begun = []
    for cell in cells:
        print(f"{cell.name}: begun {time.strftime('%H:%M')}", file=sys.stderr, flush=True)
        command = [sys.executable, __file__, "--cell", json.dumps(asdict(cell))]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    told = [process.communicate()[0] for process in begun]
    if any(process.returncode for process in begun):
        sys.exit("finetune_cost.py: a training failed, see above")
    return [json.loads(each) for each in told]


def page(rows: list[dict[str, Any]], on: dict[str, Any], quick: bool) -> str:
    first, *rest = (__doc__ or "").strip().split("\n\n")
    tradeoffs, whole = ([row for row in rows if row["part"] == part] for part in ("tradeoffs", "whole"))
    of_tunes: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        if row["part"] == "comparison":
            of_tunes.setdefault((row["tune"], row["epochs"]), []).append(row)
    lines = [
        "# What fine-tuning costs", "",
        f"`python benchmarks/finetune_cost.py{' --quick' if quick else ''}`, {date.today().isoformat()}"
        f"{': a quick run, too short to judge by' if quick else ''}.",
        f"Machine: {on['cpu']}, {on['cores']} cores, {on['system']}; "
        f"{'bf16' if rows[0]['bf16'] else 'fp32'}.", "", first, "", rest[0], "",
    ]  # fmt: skip
    for (tune, epochs), of_tune in of_tunes.items():
        lines += [f"## Comparison: --tune {tune}, {epochs} epochs", "", *compared(of_tune + whole), ""]
    if tradeoffs:
        lines += [f"## Trade-offs, {tradeoffs[0]['epochs']} epochs", "", *traded(tradeoffs), ""]
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="few photos, small, 2 epochs: says whether the script works"
    )
    parser.add_argument("--part", choices=("comparison", "whole", "tradeoffs"), help="this part alone")
    parser.add_argument("--cells", type=int, default=1000, help="stop after so many trainings")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of the comparison, {EPOCHS} where none are named")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.cell:
        sys.stdout.write(json.dumps(train_cell(Cell(**json.loads(options.cell)))))
        return
    if not CATALOG.exists() and not options.quick:
        sys.exit(f"finetune_cost.py: {CATALOG} is missing: run  python benchmarks/hierarchy.py  first")
    stem = harness.RESULTS / ("finetune_cost-quick" if options.quick else "finetune_cost")
    file = stem.with_suffix(".jsonl")
    if options.quick:
        file.unlink(missing_ok=True)
    done = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    asked = [c for c in cells(options.quick, options.epochs) if options.part in (None, c.part)]
    missing = [cell for cell in asked if cell.name not in {row["name"] for row in done}]
    of_turns = itertools.groupby(
        missing[: options.cells], lambda cell: (cell.tune, cell.seed) if cell.part == "comparison" else cell
    )
    for _, together in of_turns:
        measured = measured_together(list(together))
        done += measured
        with file.open("a") as out:
            out.writelines(json.dumps(row) + "\n" for row in measured)
        stem.with_suffix(".md").write_text(page(done, harness.machine(), options.quick))
    print(stem.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
