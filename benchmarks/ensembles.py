"""Heads and ensembles on the Grocery Store Dataset: ridge, logistic, mlp, backbones apart, bags, and heads stacked.

Learned from the official training photos, with the vectors of the default preset. Held out: training photos left out with their
look-alikes. The list is fixed; the official validation photos say what is best, the test photos are looked at once, for all.
Log-loss at the best temperature. The widths of R4 (8000, 4000) and NighTurs (4096, 4096) are divided by 8: 2,640 photos on two
cores are not seven million on a graphics card. The heads of torch need the extra: pip install 'shelfwise[torch]'.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import harness

CATALOG = Path(__file__).parent / "data" / "grocery.catalog"
ADADELTA: dict[str, Any] = {"head": "mlp", "optimizer": "adadelta"}
ADAMW: dict[str, Any] = {"layers": "256", "optimizer": "adamw", "learning_rate": 1e-4}
WEAK: dict[str, Any] = ADAMW | {"head": "mlp", "layers": "64", "dropout": 0.0, "epochs": 30, "learning_rate": 1e-3}
VARIANTS: dict[str, dict[str, Any]] = {
    "ridge": {},
    "ridge, backbones apart": {"apart": True},
    "ridge, 10 bags": {"bags": 10},
    "mlp 512, Adadelta": ADADELTA | {"layers": "512"},
    "mlp 64, no dropout": WEAK,
    "mlp 64, no dropout, 10 bags": WEAK | {"bags": 10},
    "mlp 256, AdamW": ADAMW | {"head": "mlp"},
    "ridge + mlp 256, AdamW": ADAMW | {"head": "ridge+mlp"},
    "mlp 1000, 500, Adadelta (R4 / 8)": ADADELTA | {"layers": "1000,500"},
    "mlp 512, 512, AdamW (NighTurs / 8)": ADAMW | {"head": "mlp", "layers": "512,512"},
    "ridge + logistic": {"head": "ridge+logistic"},
}
QUICK = ("ridge", "ridge, backbones apart", "mlp 64, no dropout")


def read_shop(quick: bool) -> dict[str, Any]:
    from shelfwise.backbones.products import embedded_layout, read_products
    from shelfwise.catalog import Catalog
    from shelfwise.columns import Columns
    from shelfwise.train.rows import group_products

    if not CATALOG.exists():
        sys.exit(f"ensembles.py: {CATALOG} is missing: run  python benchmarks/hierarchy.py  first")
    catalog = Catalog(CATALOG)
    layout = embedded_layout(catalog)
    train = read_products(catalog, layout, ["train"])
    asked = {"val": "validation"} if quick else {"val": "validation", "test": "test"}
    present = set(train.categories)
    columns = Columns(tuple(c for c in catalog.taxonomy.nodes_in_order if c in present), catalog.taxonomy)
    column = columns.of(train.categories)
    return {
        "data": train, "column": column, "columns": columns, "groups": group_products(train, column), "layout": layout,
        "asked": {name: read_products(catalog, layout, [split]) for split, name in asked.items()},
    }  # fmt: skip


def figures(said: np.ndarray, truth: np.ndarray, columns: Any) -> dict[str, Any]:
    """Compute top-1 with its interval, the same at the level above, and the log-loss at the best temperature."""
    from shelfwise.metrics.answers import Answers
    from shelfwise.metrics.classification import score
    from shelfwise.statistics.calibration import fit_temperature, log_loss
    from shelfwise.statistics.head import softmax

    temperature = fit_temperature(said, truth)
    ids = np.array([str(row) for row in range(len(truth))])
    found = score(Answers.from_probabilities(ids, truth, np.float32(softmax(said, temperature)), columns)).to_dict()
    coarse = columns.taxonomy.level_names[-2]
    return {
        "top1": found["top1"], "coarse": found["levels"][coarse]["top1"], "log_loss": log_loss(said, truth, temperature),
    }  # fmt: skip


def tried(name: str, shop: dict[str, Any]) -> dict[str, Any]:
    from shelfwise.options import TrainOptions
    from shelfwise.train.members import learn_classifier
    from shelfwise.train.rows import rows_known_from_others

    columns, column, groups, asked = shop["columns"], shop["column"], shop["groups"], shop["asked"]
    started = time.perf_counter()
    learned = learn_classifier(shop["data"], column, columns, groups, TrainOptions(**VARIANTS[name]), shop["layout"])
    seconds = time.perf_counter() - started
    rows = np.flatnonzero(rows_known_from_others(groups.leave_look_alikes_out, column))
    everything = learned.held_out("leave_look_alikes_out", np.arange(len(column)))
    row: dict[str, Any] = {
        "name": name,
        "seconds": seconds,
        "held out": figures(everything[rows], column[rows], columns),
    }
    for split, data in asked.items():
        truth = columns.of(data.categories)
        known = np.flatnonzero(truth >= 0)
        row[split] = figures(learned.log_probabilities(data, known), truth[known], columns)
    tensors = [tensor for member in learned.members for tensor in member.member.stored()[1].values()]
    row["megabytes"] = sum(tensor.nbytes for tensor in tensors) / 1e6
    row["members"] = [
        {"name": member.member.name, "weight": weight} | member.facts.get("contribution", {})
        for member, weight in zip(learned.members, learned.weights, strict=True)
    ]
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def percent(estimate: dict[str, float]) -> str:
    return f"{100 * estimate['value']:.1f} ({100 * estimate['low']:.1f} - {100 * estimate['high']:.1f})"


def page(rows: list[dict[str, Any]], on: dict[str, Any], quick: bool) -> str:
    lines = [
        "# Heads and ensembles", "",
        f"`python benchmarks/ensembles.py{' --quick' if quick else ''}`, {date.today().isoformat()}.",
        f"Machine: {on['cpu']}, {on['cores']} cores, load {on['load_before']} before the run.", "",
        *(__doc__ or "").strip().splitlines(), "",
    ]  # fmt: skip
    splits = ["validation"] if quick else ["validation", "test"]
    asked = [f"{split}: {figure}" for split in splits for figure in ("fine", "coarse", "log-loss")]
    head = ["learned", "held out: fine", "held out: log-loss", *asked, "MB", "seconds"]
    lines += [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for r in rows:
        cells = [r["name"], f"{100 * r['held out']['top1']['value']:.1f}", f"{r['held out']['log_loss']:.3f}"]
        for split in splits:
            cells += [percent(r[split]["top1"]), percent(r[split]["coarse"]), f"{r[split]['log_loss']:.3f}"]
        lines.append(f"| {' | '.join(cells)} | {r['megabytes']:.1f} | {r['seconds']:.1f} |")
    lines += ["", "What members add, on held-out products, log-loss at the best temperature:", ""]
    lines += [
        "| ensemble | member | weight | fine | log-loss | of the others without it |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        for m in r["members"] if len(r["members"]) > 1 else []:
            cells = [f"{m['weight']:.2f}", f"{100 * m['top1']:.1f}", f"{m['log_loss']:.3f}"]
            lines.append(f"| {r['name']} | {m['name']} | {' | '.join(cells)} | {m['log_loss_of_others']:.3f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    quick, on = harness.arguments(__doc__).quick, harness.machine()
    shop, rows = read_shop(quick), []
    stem = harness.RESULTS / ("ensembles-quick" if quick else "ensembles")
    for name in QUICK if quick else VARIANTS:
        rows.append(tried(name, shop))
        stem.with_suffix(".json").write_text(json.dumps({"machine": on, "rows": rows}, indent=1) + "\n")
        stem.with_suffix(".md").write_text(page(rows, on, quick))
    print(page(rows, on, quick))


if __name__ == "__main__":
    main()
