"""Fine-tuning at the price of a head, as a user types it: Grocery with three seeds, the larger variant, and a folder of classes.

Every cell is the commands `train`, `embed` and `evaluate` on a copy of the catalog; its figures are appended to results/ as it
ends, so that a stopped run goes on with the next cell. A bundle that is there is not learned again, but its minutes count.
Settings were chosen on train and val alone; each cell looks at the test split once. The folder of classes is cut from the
street-fashion photos: those with exactly one of five garments.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness

HERE = Path(__file__).parent
CATALOG = HERE / "data" / "grocery.catalog"
WORK = HERE / "data" / "finetune"
ROWS = harness.RESULTS / "finetune.jsonl"
GARMENTS = ("dress", "jeans", "pants", "shorts", "skirt")
GOALS = {"fine": 0.865, "coarse": 0.912}
LITE2 = ("--network", "lite2", "--finetune", "--side", "300", "--views", "6")
LITE1 = ("--network", "lite1", "--finetune", "--side", "280", "--views", "6")
LITE0 = ("--network", "lite0", "--finetune", "--side", "256")


def shelfwise(*words: str | Path) -> dict[str, Any]:
    """Type a command; return what it prints as JSON, and the seconds it took."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "shelfwise", *map(str, words), "--json"], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout) | {"typed_s": time.perf_counter() - started}


def grocery() -> Path:
    """A copy of the catalog that vectors may be written into."""
    copy = WORK / "grocery.catalog"
    if not copy.exists():
        shutil.copytree(CATALOG, copy)
    return copy


def garments() -> Path:
    """The folder of classes as a catalog: train and validation as the listing has them."""
    catalog, listing = WORK / "garments.catalog", harness.DATA / "ccp" / "tags.csv"
    if catalog.exists():
        return catalog
    folder = WORK / "garments"
    with listing.open(newline="") as file:
        for row in csv.DictReader(file):
            found = set(row["tags"].split()) & set(GARMENTS)
            if len(found) == 1:
                place = folder / {"validation": "val"}.get(row["split"], row["split"]) / found.pop()
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(listing.parent / row["image"], place)
    shelfwise("ingest", "folder", folder, "--to", catalog)
    shelfwise("embed", catalog)
    return catalog


def tuned(catalog: Path, name: str, *options: str, split: str = "test") -> dict[str, Any]:
    """Fine-tune, evaluate, and tell figures and minutes."""
    return told(
        trained(catalog, name, *options), shelfwise("evaluate", WORK / f"{name}.bundle", catalog, "--split", split)
    )


def trained(catalog: Path, name: str, *options: str) -> dict[str, Any]:
    """Train a bundle that is not there yet; return its facts, and the seconds it took."""
    bundle = WORK / f"{name}.bundle"
    if bundle.exists():
        facts = json.loads((bundle / "bundle.json").read_text())["facts"]
        return facts | {"typed_s": facts["seconds"]}
    return shelfwise("train", catalog, "--to", bundle, *options)


def together(catalog: Path, name: str, networks: dict[str, tuple[str, ...]], *, split: str = "test") -> dict[str, Any]:
    """Let networks and the statistics head on frozen vectors answer together; minutes are those of all commands."""
    embedded = shelfwise("embed", catalog)
    of_each = [trained(catalog, "frozen"), *(trained(catalog, each, *options) for each, options in networks.items())]
    bundle = WORK / f"{name}.bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    words = [word for each in ("frozen", *networks) for word in ("--ensemble", str(WORK / f"{each}.bundle"))]
    learned = shelfwise("train", catalog, "--to", bundle, *words)
    learned["typed_s"] += embedded["typed_s"] + sum(each["typed_s"] for each in of_each)
    return told(learned, shelfwise("evaluate", bundle, catalog, "--split", split))


def with_statistics(catalog: Path, name: str, networks: list[str], *, split: str = "test") -> dict[str, Any]:
    """Learn the statistics head from tuned vectors beside the frozen ones."""
    own = [str(WORK / f"{network}.bundle") for network in networks]
    frozen = "lite0@320:2/middle+lite2@340:2/middle"
    bundle = WORK / f"{name}.bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    embedded = shelfwise("embed", catalog, "--backbone", "+".join([frozen, *own]))
    learned = shelfwise("train", catalog, "--to", bundle)
    learned["typed_s"] += embedded["typed_s"]
    return told(learned, shelfwise("evaluate", bundle, catalog, "--split", split))


def frozen(catalog: Path, name: str, *, split: str = "test") -> dict[str, Any]:
    """Learn the statistics head from frozen vectors alone."""
    bundle = WORK / f"{name}.bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    shelfwise("embed", catalog)
    learned = shelfwise("train", catalog, "--to", bundle)
    return told(learned, shelfwise("evaluate", bundle, catalog, "--split", split))


def told(learned: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    expected = learned["estimates"]["validation"]["top1"]["value"] if "validation" in learned["estimates"] else None
    levels = {level: figures["top1"] for level, figures in metrics["levels"].items()}
    return {
        "minutes": round(learned["typed_s"] / 60, 1),
        "training_minutes": round(learned.get("network", {}).get("training_seconds", 0) / 60, 1),
        "validation": expected,
        "levels": {level: [top1["value"], top1["low"], top1["high"]] for level, top1 in levels.items()},
        "macro_f1": metrics["macro_f1"]["value"],
    }


def cells() -> dict[str, Callable[[], dict[str, Any]]]:
    every: dict[str, Callable[[], dict[str, Any]]] = {}
    for seed in range(3):
        every[f"grocery lite0@256, seed {seed}"] = lambda seed=seed: tuned(
            grocery(), f"lite0-{seed}", *LITE0, "--seed", str(seed)
        )
    every["grocery lite0@256 beside the frozen vectors, statistics head"] = lambda: with_statistics(
        grocery(), "beside", ["lite0-0"]
    )
    every["grocery lite2@300, 6 views"] = lambda: tuned(grocery(), "lite2-0", *LITE2)
    two = {"lite0-0": (*LITE0, "--seed", "0"), "lite2-0": LITE2}
    every["grocery lite0@256, lite2@300 and the frozen vectors, together"] = lambda: together(grocery(), "all", two)
    every["grocery the same and lite1@280, together"] = lambda: together(grocery(), "four", {**two, "lite1-0": LITE1})
    every["garments, frozen vectors, statistics head"] = lambda: frozen(garments(), "garments-frozen", split="val")
    every["garments lite0@256"] = lambda: tuned(garments(), "garments", *LITE0, split="val")
    return every


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cells whose name holds this")
    asked = parser.parse_args().only
    WORK.mkdir(parents=True, exist_ok=True)
    done = {row["cell"]: row for row in map(json.loads, ROWS.read_text().splitlines())} if ROWS.exists() else {}
    for name, run in cells().items():
        if name not in done and asked in name:
            done[name] = {"cell": name} | run()
            with ROWS.open("a") as file:
                file.write(json.dumps(done[name]) + "\n")
            print(json.dumps(done[name]), flush=True)
    ROWS.with_suffix(".md").write_text(table(done))
    print(table(done))


def table(done: dict[str, dict[str, Any]]) -> str:
    lines = [
        "# Fine-tuning at the price of a head\n",
        f"Goals on Grocery's test split: fine {GOALS['fine']:.1%}, coarse {GOALS['coarse']:.1%}. Intervals of 95 %.\n",
        "| cell | validation | fine | coarse | macro-F1 | minutes, all | minutes, training |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in done.values():
        levels = list(row["levels"].values())
        fine, coarse = (
            f"{v:.1%} ({low:.1%} - {high:.1%})" for v, low, high in (levels[-1], levels[max(len(levels) - 2, 0)])
        )
        validation = "" if row["validation"] is None else f"{row['validation']:.1%}"
        lines.append(
            f"| {row['cell']} | {validation} | {fine} | {coarse if len(levels) > 1 else ''} | {row['macro_f1']:.1%} "
            f"| {row['minutes']} | {row['training_minutes']} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
